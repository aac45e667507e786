#include "metrics/openmetrics.hpp"

#include <algorithm>
#include <cstdint>

/// Figures as text. Whole numbers throughout: what is scraped is what was counted, to the nanosecond.
namespace hotspare::metrics {
namespace {

using Number = std::uint64_t;

/// Upper bounds of the histograms' buckets are 2^n − 1 ns from 16 µs to 17 s: where buckets of Histogram end, so that the
/// counts are exact.
constexpr unsigned first_bound = 14;
constexpr unsigned last_bound = 34;
constexpr Number bound(unsigned n) { return (Number{1} << n) - 1; }
static_assert(Histogram::top_of(Histogram::bucket_of(bound(first_bound))) == bound(first_bound));
static_assert(Histogram::top_of(Histogram::bucket_of(bound(last_bound))) == bound(last_bound));

std::string seconds(Number ns) {
  constexpr Number second = 1'000'000'000;
  std::string fraction = std::to_string(second + ns % second).substr(1);
  fraction.erase(std::max<std::size_t>(fraction.find_last_not_of('0') + 1, 1));
  return std::to_string(ns / second) + "." + fraction;
}

std::string labels_of(const char* kind, const std::string& name) {
  std::string text = std::string("kind=\"") + kind + "\",name=\"";
  for (const char each : name) {
    if (each == '\n') {
      text += "\\n";
      continue;
    }
    if (each == '\\' || each == '"') text += '\\';
    text += each;
  }
  return text + '"';
}

class Text {
 public:
  explicit Text(const Totals& totals) : totals_(totals) {}

  void head(const std::string& name, const char* type, const char* help) {
    name_ = "hotspare_" + name;
    text_ += "# TYPE " + name_ + " " + type + "\n";
    for (const std::string unit : {"seconds", "bytes"})
      if (name.ends_with("_" + unit)) text_ += "# UNIT " + name_ + " " + unit + "\n";
    text_ += "# HELP " + name_ + " " + help + "\n";
  }
  void sample(const char* suffix, const std::string& labels, const std::string& value) {
    text_ += name_ + suffix + "{" + labels + "} " + value + "\n";
  }
  /// of(total, labels) for each name of both kinds.
  template <class Of>
  void each(Of of) {
    for (const auto& [name, total] : totals_.pools) of(total, labels_of("pool", name));
    for (const auto& [name, total] : totals_.channels) of(total, labels_of("standby", name));
  }

  void counts(const Family& family) {
    const char* suffix = family.shape == Shape::counter ? "_total" : "";
    head(family.name, family.shape == Shape::counter ? "counter" : "gauge", family.help);
    each([&]<class S>(const Total<S>& total, const std::string& labels) {
      const auto member = member_of<S>(family).value;
      if (member == nullptr) return;
      if (member == &S::deaths) return causes(total.stats, labels);
      sample(suffix, labels, std::to_string(total.stats.*member));
    });
  }
  template <class S>
  void causes(const S& stats, const std::string& labels) {
    for (std::size_t i = 0; i < cause_count; ++i)
      sample("_total", labels + ",cause=\"" + std::string(name(static_cast<Cause>(i))) + '"',
             std::to_string(stats.deaths_by_cause[i]));
  }
  void histograms(const HistogramFamily& family) {
    head(family.name, "histogram", family.help);
    each([&]<class S>(const Total<S>& total, const std::string& labels) {
      if (const auto member = member_of<S>(family).value; member != nullptr) histogram(total.stats.*member, labels);
    });
  }
  void histogram(const Histogram& of, const std::string& labels) {
    Number below = 0;
    std::size_t next = 0;
    for (unsigned n = first_bound; n <= last_bound; ++n) {
      for (; next <= Histogram::bucket_of(bound(n)); ++next) below += of.counts[next];
      sample("_bucket", labels + ",le=\"" + seconds(bound(n)) + '"', std::to_string(below));
    }
    const std::string all = std::to_string(of.count());
    sample("_bucket", labels + ",le=\"+Inf\"", all);
    sample("_count", labels, all);
    sample("_sum", labels, seconds(of.sum_ns));
  }
  std::string end() { return std::move(text_) + "# EOF\n"; }

 private:
  const Totals& totals_;
  std::string name_;
  std::string text_;
};

}  // namespace

std::string openmetrics_of(const Totals& totals) {
  Text text(totals);
  text.head("open", "gauge", "Pools and standby channels that are open.");
  text.each([&](const auto& total, const std::string& labels) { text.sample("", labels, std::to_string(total.open)); });
  text.head("made", "counter", "Pools and standby channels that were made.");
  text.each(
      [&](const auto& total, const std::string& labels) { text.sample("_total", labels, std::to_string(total.made)); });
  for (const Family& family : families) text.counts(family);
  for (const HistogramFamily& family : histogram_families) text.histograms(family);
  return text.end();
}

}  // namespace hotspare::metrics
