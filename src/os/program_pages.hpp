#pragma once

namespace hotspare::os {

/// Makes the code of the main program be in this process's page tables, and the table through which it calls shared
/// libraries writable, before they are needed: a forked process has neither, and each page fault costs 2 to 10 µs just
/// when it is to take over. Programs with more than 16 MB of code only get the first 16 MB.
void populate_program() noexcept;

/// Code and constants of the program and of all its shared objects, and the next 128 KB of this thread's stack: to be read and
/// written without a page fault. Objects with segments of more than 16 MB only get the first 16 MB of each. A fault on a page
/// of a file waits for whoever else is at that page, however low his priority (1.4 ms were seen).
void populate_all_objects() noexcept;

}  // namespace hotspare::os
