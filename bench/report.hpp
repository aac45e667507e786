#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

/// The same thing done with bare primitives, in the same run.
struct Limit {
  std::string name;
  double value = 0;
};

struct Row {
  std::string name;
  double value = 0;
  std::string unit;
  Limit limit;
  std::string note;

  double ratio() const { return limit.value == 0 ? 0 : value / limit.value; }
};

/// Collects rows, and prints each as it comes.
class Report {
 public:
  void add(Row row);
  /// Takes a row over that was printed elsewhere.
  void take(Row row) { rows_.push_back(std::move(row)); }
  const std::vector<Row>& rows() const { return rows_; }
  bool empty() const { return rows_.empty(); }
  /// Writes everything as JSON, with what is to be known of the machine. False if the file cannot be written.
  bool write(const std::string& path, bool quick) const;

 private:
  std::vector<Row> rows_;
};

/// Prints one line of the table's head.
void print_head();

}  // namespace bench
