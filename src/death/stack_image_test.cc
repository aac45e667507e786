#include "death/stack_image.hpp"

#include "death/crash_harness.hpp"
#include "death/module_map.hpp"
#include "death/stack_overflow.hpp"
#include "os/ptrace.hpp"
#include "os/self_memory.hpp"

#include <cstring>
#include <random>

namespace hotspare::death {
namespace {

using worker::StackRecord;

std::unique_ptr<StackRecord> empty_record() { return std::make_unique<StackRecord>(); }

void complete(StackRecord& record) { record.complete.store(StackRecord::kComplete, std::memory_order_release); }

std::string own_maps() {
  auto maps = os::maps_of(0);
  return maps ? maps->executable : "";
}

TEST(FromRecord, AnEmptyRecordIsNone) { EXPECT_FALSE(from_record(*empty_record())); }

TEST(FromRecord, AHalfWrittenRecordIsNone) {
  auto record = empty_record();
  record->claimed = 1;
  record->pc = 1;
  EXPECT_FALSE(from_record(*record));
}

TEST(FromRecord, SizesThatCantBeAreRefused) {
  auto record = empty_record();
  complete(*record);
  EXPECT_TRUE(from_record(*record));
  record->stack_size = StackRecord::kStackSize + 1;
  EXPECT_FALSE(from_record(*record));
  record->stack_size = 0;
  record->maps_size = 0xffffffff;
  EXPECT_FALSE(from_record(*record));
  record->maps_size = 0;
  record->register_count = 35;
  EXPECT_FALSE(from_record(*record));
  record->register_count = 0;
  record->stack_size = 16;
  record->stack_start = ~std::uint64_t{7};
  EXPECT_FALSE(from_record(*record)) << "wraps around";
}

TEST(Capture, TheSecondThreadToCrashLeavesTheFirstOnesRecordAlone) {
  testing::Shared<StackRecord> record;
  ucontext_t context{};
  worker::capture_here(&context, *record);
  const auto first = record->thread_id;
  record->thread_id = -1;
  worker::capture_here(&context, *record);
  EXPECT_EQ(record->thread_id, -1);
  worker::clear(*record);
  EXPECT_FALSE(from_record(*record));
  worker::capture_here(&context, *record);
  EXPECT_EQ(record->thread_id, first);
}

TEST(Capture, SurvivesAStackPointerThatPointsNowhere) {
  testing::Shared<StackRecord> record;
  ucontext_t context{};  // sp and pc are 0
  worker::capture_here(&context, *record);
  const auto image = from_record(*record);
  ASSERT_TRUE(image);
  EXPECT_FALSE(image->maps.empty());
  EXPECT_GE(image->frames().size(), 1u);
}

TEST(Capture, KeepsExecutableMappingsOnly) {
  testing::Shared<StackRecord> record;
  ucontext_t context{};
  worker::capture_here(&context, *record);
  const auto image = from_record(*record);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->maps, own_maps());
  const auto lines = std::count(image->maps.begin(), image->maps.end(), '\n');
  EXPECT_EQ(parse_maps(image->maps).size(), static_cast<std::size_t>(lines));
}

TEST(Capture, ReadsUpToTheEndOfWhatIsMapped) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_EQ(::mprotect(static_cast<char*>(memory) + page, page, PROT_NONE), 0);
  std::vector<std::byte> to(3 * page);
  const auto start = reinterpret_cast<std::uintptr_t>(memory);
  EXPECT_EQ(os::copy_memory(0, start + 100, to), page - 100);
  EXPECT_EQ(os::copy_memory(0, start + page, to), 0u);
  EXPECT_EQ(os::copy_memory(0, ~std::uint64_t{0} - 10, to), 0u);
  ::munmap(memory, 2 * page);
}

/// A record whose every byte is a dying process's whim, though sizes are often plausible, for else nothing is tested.
void scramble(StackRecord& record, std::mt19937_64& random, const std::string& true_maps) {
  const auto bytes = [&](void* to, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) static_cast<unsigned char*>(to)[i] = static_cast<unsigned char>(random());
  };
  bytes(record.registers, sizeof record.registers);
  bytes(record.stack, sizeof record.stack);
  bytes(record.maps, sizeof record.maps);
  record.register_count = static_cast<std::uint32_t>(random() % 40);
  record.stack_size = static_cast<std::uint32_t>(random() % (StackRecord::kStackSize + 1000));
  record.maps_size = static_cast<std::uint32_t>(random() % (StackRecord::kMapsSize + 1000));
  record.pc = random();
  record.sp = random();
  record.stack_start = record.sp - random() % 512;
  record.stack_low = random();
  record.stack_high = random();
  const auto map = parse_maps(true_maps);
  if (map.empty() || random() % 4 == 0) return;
  // Real code, so that real unwind tables meet garbage registers and a garbage stack.
  const auto address = [&] {
    const MappedCode& code = map[random() % map.size()];
    return code.start + random() % (code.end - code.start);
  };
  record.maps_size = static_cast<std::uint32_t>(std::min(true_maps.size(), StackRecord::kMapsSize));
  std::memcpy(record.maps, true_maps.data(), record.maps_size);
  for (std::uint64_t i = random() % 8; i > 0; --i) {
    record.maps[random() % record.maps_size] = static_cast<char>(random());
  }
  record.pc = address();
  for (std::size_t i = 0; i < StackRecord::kStackSize / 8; i += 1 + random() % 8) {
    const std::uint64_t word = random() % 2 == 0 ? address() : record.stack_start + random() % StackRecord::kStackSize;
    std::memcpy(record.stack + i * 8, &word, sizeof word);
  }
}

TEST(FromRecord, HostileRecordsAreSurvived) {
  const std::string maps = own_maps();
  auto record = empty_record();
  for (unsigned seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    scramble(*record, random, maps);
    complete(*record);
    CrashReport report;
    report.stack_image = from_record(*record);
    if (!report.stack_image) continue;
    EXPECT_GE(report.native_stack().size(), 1u);
    EXPECT_LE(report.native_stack().size(), 64u * 64u);
    EXPECT_FALSE(report.text().empty());
    EXPECT_FALSE(report.json().empty());
    (void)beside_stack_end(random(), *report.stack_image);
  }
}

TEST(ParseMaps, ReadsTheKernelsLines) {
  const auto map = parse_maps(
      "55d0a000-55d0b000 r--p 00000000 08:01 131 /bin/a\n"
      "55d0b000-55d0c000 r-xp 00001000 08:01 131                        /bin/a b\n"
      "7f000000-7f001000 rwxp 00000000 00:00 0 \n"
      "7fff1000-7fff3000 r-xp 00000000 00:00 0                          [vdso]\n");
  ASSERT_EQ(map.size(), 3u);
  EXPECT_EQ(map[0].start, 0x55d0b000u);
  EXPECT_EQ(map[0].offset, 0x1000u);
  EXPECT_EQ(map[0].path, "/bin/a b");
  EXPECT_TRUE(map[1].path.empty());
  EXPECT_EQ(map[2].path, "[vdso]");
  EXPECT_EQ(find_code(map, 0x55d0bfff), &map[0]);
  EXPECT_EQ(find_code(map, 0x55d0c000), nullptr);
  EXPECT_EQ(find_code(map, 0), nullptr);
}

TEST(ParseMaps, LeavesOutWhatIsNotAscending) {
  EXPECT_EQ(parse_maps("2000-3000 r-xp 0 0:0 0 /a\n1000-2000 r-xp 0 0:0 0 /b\n").size(), 1u);
  EXPECT_TRUE(parse_maps("3000-2000 r-xp 0 0:0 0 /a\n\n-\nzz").empty());
}

TEST(ParseMaps, APipeInTheMapIsNotOpened) {
  std::string folder = ::testing::TempDir() + "hotspare-test-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string pipe = folder + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  detail::StackImage image;
  image.maps = "1000-2000 r-xp 00000000 00:00 5 " + pipe + "\n2000-3000 r-xp 00000000 00:00 5 /dev/zero\n";
  image.registers.pc = 0x1800;
  ASSERT_EQ(image.frames().size(), 1u);
  EXPECT_EQ(image.frames()[0].module, pipe);
  ::unlink(pipe.c_str());
  ::rmdir(folder.c_str());
}

}  // namespace
}  // namespace hotspare::death
