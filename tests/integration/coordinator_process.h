#ifndef BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_PROCESS_H_
#define BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace balancemoe {

// The real balancemoe-coordinator as a child process. Its port for workers is
// reserved for as long as this object lives, so that it gets the same one after
// every restart. Killed at the latest by the destructor.
class CoordinatorProcess {
 public:
  // Starts it with `flags`, besides those for addresses and files, and waits
  // until it is ready.
  explicit CoordinatorProcess(std::vector<std::string> flags = {});
  ~CoordinatorProcess();
  CoordinatorProcess(const CoordinatorProcess&) = delete;
  CoordinatorProcess& operator=(const CoordinatorProcess&) = delete;

  // "host:port", of workers and of people.
  const std::string& address() const { return address_; }
  const std::string& http_address() const { return http_address_; }
  std::string state_directory() const { return directory_ + "/state"; }

  // Starts it again once it has ended, and waits until it is ready.
  void Start();
  // Sends a signal; does not wait for its effect.
  void Signal(int signal);
  // As SIGKILL does; returns once it is gone.
  void Kill();
  // Waits until it has ended by itself; its exit code, or 128 + the signal.
  int AwaitExit();

 private:
  void Spawn(std::vector<std::string> arguments);

  const std::vector<std::string> flags_;
  std::string directory_;
  // Bound to the port of `address_`, never listening.
  int reserved_ = -1;
  std::string address_;
  std::string http_address_;
  pid_t pid_ = 0;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_PROCESS_H_
