#include "report.hpp"

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <sys/utsname.h>

namespace bench {
namespace {

std::string number(double value) {
  char text[32];
  const int digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 1 ? 2 : 4;
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

int usable_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  return ::sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
}

nlohmann::json machine() {
  utsname kernel{};
  ::uname(&kernel);
  std::string load;
  std::getline(std::ifstream("/proc/loadavg"), load);
  return {{"kernel", kernel.release}, {"cores", usable_cores()}, {"load_at_end", load}};
}

}  // namespace

void print_head() {
  std::printf("%-58s %12s %-9s %12s %8s  %s\n", "row", "value", "unit", "limit", "ratio", "what the limit is");
}

void Report::add(Row row) {
  const std::string limit = row.limit.value == 0 ? "-" : number(row.limit.value);
  const std::string ratio = row.limit.value == 0 ? "-" : number(row.ratio());
  std::printf("%-58s %12s %-9s %12s %8s  %s%s%s\n", row.name.c_str(), number(row.value).c_str(), row.unit.c_str(),
              limit.c_str(), ratio.c_str(), row.limit.name.c_str(), row.note.empty() ? "" : "; ", row.note.c_str());
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

bool Report::write(const std::string& path, bool quick) const {
  nlohmann::json rows = nlohmann::json::array();
  for (const Row& row : rows_) {
    nlohmann::json entry{{"name", row.name}, {"value", row.value}, {"unit", row.unit}};
    if (row.limit.value != 0) {
      entry["limit"] = {{"name", row.limit.name}, {"value", row.limit.value}};
      entry["ratio"] = row.ratio();
    }
    if (!row.note.empty()) entry["note"] = row.note;
    rows.push_back(std::move(entry));
  }
  std::ofstream file(path);
  file << nlohmann::json{{"machine", machine()}, {"quick", quick}, {"rows", rows}}.dump(2) << '\n';
  file.close();
  return file.good();
}

}  // namespace bench
