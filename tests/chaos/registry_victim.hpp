#pragma once

#include <hotspare/shared_registry.hpp>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace hotspare::testing {

/// Names of which all victims want to have some, so that they get in each other's way.
inline constexpr int contested_names = 6;
inline std::string contested(int i) { return "contested-" + std::to_string(i); }
/// Names of what living processes keep. Their bytes all are the last letter of the name.
inline constexpr int kept_names = 6;
inline std::string kept(int i) { return std::string("kept-") + static_cast<char>('a' + i); }

inline bool all_are(const Segment& segment, char byte) {
  for (const std::byte each : segment.bytes())
    if (each != static_cast<std::byte>(byte)) return false;
  return true;
}
void fill(Segment& segment, char byte);

/// Does everything that a registry can do, in any order, and looks after each step whether it still has what it has.
class Victim {
 public:
  enum class Step : unsigned char { create, open, rename, resize, drop, collect, list, count };

  Victim(const std::string& scope, std::uint64_t seed) : registry_(scope), random_(seed) {}
  /// Until it is killed; returns what went wrong.
  std::string run();

 private:
  void step(Step step);
  Segment make(const std::string& name);
  void create();
  void open();
  void rename();
  void resize();
  void drop();
  std::string what_is_wrong();
  int any(int below) { return static_cast<int>(random_() % static_cast<std::uint64_t>(below)); }

  struct Own {
    Segment segment;
    std::string name;
    char byte;
  };
  SharedRegistry registry_;
  std::mt19937_64 random_;
  std::vector<Own> own_;
  std::vector<Segment> others_;
};

}  // namespace hotspare::testing
