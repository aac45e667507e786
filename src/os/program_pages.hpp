#pragma once

namespace hotspare::os {

/// Makes the code of the main program be in this process's page tables, and the table through which it calls shared
/// libraries writable, before they are needed: a forked process has neither, and each page fault costs 2 to 10 µs just
/// when it is to take over. Programs with more than 16 MB of code only get the first 16 MB.
void populate_program() noexcept;

}  // namespace hotspare::os
