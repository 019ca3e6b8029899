#include "worker/transport/gloo/gloo_device.h"

#include <dlfcn.h>
#include <gloo/transport/tcp/device.h>
#include <pthread.h>
#include <sched.h>

#include <csignal>
#include <exception>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

// While it lives, the calling thread is one that yields to others, and has the
// name that a thread started meanwhile inherits.
class LoopThreadIdentity {
 public:
  LoopThreadIdentity() {
    policy_ = sched_getscheduler(0);
    sched_getparam(0, &parameters_);
    pthread_getname_np(pthread_self(), name_, sizeof(name_));
    // Under the default policy the loop spins against the threads that it
    // serves; on few cores that makes a small exchange fifty times slower.
    const sched_param batch = {};
    sched_setscheduler(0, SCHED_BATCH, &batch);
    pthread_setname_np(pthread_self(), "bm-gloo-loop");
  }
  ~LoopThreadIdentity() {
    sched_setscheduler(0, policy_, &parameters_);
    pthread_setname_np(pthread_self(), name_);
  }
  LoopThreadIdentity(const LoopThreadIdentity&) = delete;
  LoopThreadIdentity& operator=(const LoopThreadIdentity&) = delete;

 private:
  int policy_ = 0;
  sched_param parameters_ = {};
  char name_[16] = {};
};

// Gloo writes without MSG_NOSIGNAL: the death of a peer would end this process
// too. A handler of the program's own is left alone.
void IgnoreSigpipe() {
  struct sigaction present = {};
  sigaction(SIGPIPE, nullptr, &present);
  if (present.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

absl::Status CheckGlooLibrary() {
  Dl_info found = {};
  auto* const create = &gloo::transport::tcp::CreateDevice;
  if (dladdr(reinterpret_cast<void*>(create), &found) == 0 ||
      found.dli_fname == nullptr) {
    return absl::FailedPreconditionError(
        "Gloo: cannot tell which library serves its calls");
  }
  const absl::string_view path(found.dli_fname);
  // npos + 1 is 0: a name without directories is taken whole.
  const absl::string_view file = path.substr(path.rfind('/') + 1);
  if (absl::StartsWith(file, "libgloo")) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "Gloo: calls land in ", path,
      ", not in libgloo: name libgloo before libtorch_cpu when linking"));
}

absl::StatusOr<std::shared_ptr<gloo::transport::Device>> CreateGlooDevice(
    const GlooOptions& options) {
  BMOE_RETURN_IF_ERROR(CheckGlooLibrary());
  if (options.address.empty() && options.interface.empty()) {
    return absl::InvalidArgumentError(
        "Gloo: name an address or an interface to listen on");
  }
  IgnoreSigpipe();
  gloo::transport::tcp::attr attributes;
  attributes.iface = options.interface;
  if (options.interface.empty()) attributes.hostname = options.address;
  try {
    const LoopThreadIdentity identity;
    return gloo::transport::tcp::CreateDevice(attributes);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Gloo: cannot listen on ",
        options.interface.empty() ? options.address : options.interface, ": ",
        error.what()));
  }
}

}  // namespace balancemoe::worker
