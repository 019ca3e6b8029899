#ifndef BALANCEMOE_TESTS_INTEGRATION_AGENT_COORDINATOR_PROCESS_H_
#define BALANCEMOE_TESTS_INTEGRATION_AGENT_COORDINATOR_PROCESS_H_

#include <sys/types.h>

#include <string>

namespace balancemoe {

// The real balancemoe-coordinator as a child process, on free ports, which it
// keeps over restarts. Killed at the latest by the destructor.
class CoordinatorProcess {
 public:
  CoordinatorProcess();
  ~CoordinatorProcess();

  // "host:port"
  const std::string& address() const { return address_; }

  // Starts it, and waits until it is ready.
  void Start();
  // Sends a signal; does not wait for its effect.
  void Signal(int signal);
  // As SIGKILL does; returns once it is gone.
  void Kill();
  // Waits until it has ended by itself.
  void AwaitExit();

 private:
  std::string directory_;
  std::string address_ = "127.0.0.1:0";
  pid_t pid_ = 0;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_TESTS_INTEGRATION_AGENT_COORDINATOR_PROCESS_H_
