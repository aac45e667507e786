#pragma once

#include <string>
#include <sys/types.h>

namespace hotspare::audio::testing {

/// A JACK server without a sound card, under a name of its own, for one test.
class JackServer {
 public:
  /// Waits until it answers. started() is false where jackd is not installed or does not come up; why() says which.
  /// priority: SCHED_FIFO, of the server; its clients are called back at five less.
  JackServer(unsigned rate, unsigned period, int priority = 10);
  ~JackServer();
  JackServer(const JackServer&) = delete;
  JackServer& operator=(const JackServer&) = delete;

  bool started() const { return pid_ > 0; }
  const std::string& why() const { return why_; }
  const std::string& name() const { return name_; }
  /// From now on it answers nobody.
  void freeze();
  /// Ends it while its clients still run.
  void stop();

 private:
  bool answers() const;
  std::string name_;
  std::string why_;
  pid_t pid_ = -1;
};

}  // namespace hotspare::audio::testing
