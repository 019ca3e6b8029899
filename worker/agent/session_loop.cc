#include "worker/agent/session_loop.h"

#include <pthread.h>

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"

namespace balancemoe::worker {
namespace {

using Kind = SessionStream::Queue::Kind;

// Enough for a busy coordinator; a connection that is not answered within it is
// better made anew.
constexpr absl::Duration kRegisterTimeout = absl::Seconds(5);
// The longest silence of a coordinator that is alive: several heartbeats.
constexpr absl::Duration kShortestSilence = absl::Seconds(10);
constexpr int kSilentHeartbeats = 5;
// How long leaving waits for the coordinator to say goodbye.
constexpr absl::Duration kGoodbye = absl::Milliseconds(200);
constexpr absl::Duration kLongestDrain = absl::Seconds(10);

Incarnation RandomIncarnation() {
  std::random_device random;
  const uint64_t bits = (uint64_t{random()} << 32) | random();
  return Incarnation(std::max<uint64_t>(bits, 1));
}

// Whether trying again cannot help, because what this worker says is refused.
bool IsRefusal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kAborted:
      return true;
    default:
      return false;
  }
}

absl::Status Annotate(const AgentOptions& options, const absl::Status& status) {
  return {status.code(), absl::StrCat("coordinator ", options.coordinator, ": ",
                                      status.message())};
}

}  // namespace

SessionLoop::SessionLoop(const AgentOptions& options, JobPlacement placement,
                         SessionListener& listener, const Clock& clock,
                         LineLog& log)
    : options_(options),
      listener_(listener),
      clock_(clock),
      log_(log),
      incarnation_(RandomIncarnation()),
      backoff_(incarnation_.value()),
      policy_(options.policy),
      placement_(std::move(placement)),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "bmoe-session");
}

absl::StatusOr<SessionInfo> SessionLoop::AwaitAttached(int64_t after,
                                                       absl::Duration timeout) {
  const absl::Time deadline = clock_.Now() + timeout;
  MutexLock lock(&mutex_);
  while (true) {
    if (attached_ && announced_ == sessions_ && announced_ > after) {
      return connection_->admission.session;
    }
    if (refused_) return last_error_;
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      return absl::UnavailableError(
          absl::StrCat("coordinator ", options_.coordinator,
                       ": not attached within ", absl::FormatDuration(timeout),
                       last_error_.ok() ? "" : "; ", last_error_.message()));
    }
    changed_.WaitFor(&mutex_, left);
  }
}

void SessionLoop::GroupFormed(Generation generation) {
  MutexLock lock(&mutex_);
  generation_ = generation;
  keys_.clear();
}

std::shared_ptr<SessionLoop::Connection> SessionLoop::Attached() const {
  MutexLock lock(&mutex_);
  return attached_ ? connection_ : nullptr;
}

void SessionLoop::SetCostModel(const CostModel& model) {
  std::shared_ptr<Connection> connection;
  {
    MutexLock lock(&mutex_);
    cost_model_ = model;
    if (attached_) connection = connection_;
  }
  if (connection == nullptr) return;
  v1::SessionRequest message;
  *message.mutable_fencing() = connection->fencing;
  *message.mutable_calibration() = ToProto(model);
  connection->stream->Send(Kind::kEssential, std::move(message));
}

void SessionLoop::SetPlacement(const JobPlacement& placement) {
  std::shared_ptr<Connection> connection;
  {
    MutexLock lock(&mutex_);
    placement_ = placement;
    if (attached_) connection = connection_;
  }
  // All workers would say the same.
  if (connection == nullptr || options_.rank != WorkerRank(0)) return;
  SendPlacement(*connection, placement);
}

void SessionLoop::SendPlacement(Connection& connection,
                                const JobPlacement& placement) {
  v1::SessionRequest message;
  *message.mutable_fencing() = connection.fencing;
  *message.mutable_placement() = ToProto(placement);
  connection.stream->Send(Kind::kEssential, std::move(message));
}

void SessionLoop::SetIteration(Iteration iteration) {
  MutexLock lock(&mutex_);
  iteration_ = iteration;
}

uint64_t SessionLoop::next_heartbeat() const {
  MutexLock lock(&mutex_);
  return next_heartbeat_;
}

void SessionLoop::SendHeartbeat() {
  v1::SessionRequest message;
  std::shared_ptr<Connection> connection;
  {
    MutexLock lock(&mutex_);
    if (!attached_) return;
    connection = connection_;
    message.mutable_heartbeat()->set_sequence(next_heartbeat_++);
    message.mutable_heartbeat()->set_iteration(iteration_.value());
  }
  *message.mutable_fencing() = connection->fencing;
  connection->stream->Send(Kind::kHeartbeat, std::move(message));
}

int64_t SessionLoop::sessions() const {
  MutexLock lock(&mutex_);
  return sessions_;
}

void SessionLoop::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  calls_.CancelAll();
  if (thread_.joinable()) thread_.join();
}

void SessionLoop::Run() {
  while (true) {
    const absl::Status end = RunConnection();
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      last_error_ = Annotate(options_, end);
      changed_.NotifyAll();
    }
    log_.Write("away", absl::StrCat(Annotate(options_, end).message(),
                                    "; going on without plans, trying again"));
    Pause();
  }
}

absl::Status SessionLoop::RunConnection() {
  const auto connection = std::make_shared<Connection>();
  connection->channel = MakeCoordinatorChannel(options_.coordinator);
  connection->stub = v1::CoordinatorService::NewStub(connection->channel);
  BMOE_RETURN_IF_ERROR(Register(*connection));
  PutKeysAgain(*connection);
  OpenStream(connection);
  const absl::Status end =
      SendHeartbeatsUntilTheEnd(connection->admission.heartbeat_interval);
  CloseStream(*connection);
  return end;
}

absl::Status SessionLoop::Register(Connection& connection) {
  AgentOptions options = options_;
  v1::RegisterRequest request;
  {
    MutexLock lock(&mutex_);
    options.policy = policy_;
    request =
        MakeRegisterRequest(options, placement_, incarnation_, generation_);
  }
  connection.placement_version = request.placement_version();
  v1::RegisterResponse response;
  const absl::Status status =
      calls_.Run(kRegisterTimeout, [&](grpc::ClientContext* context) {
        return connection.stub->Register(context, request, &response);
      });
  {
    MutexLock lock(&mutex_);
    refused_ = IsRefusal(status);
    if (refused_) last_error_ = Annotate(options_, status);
  }
  BMOE_RETURN_IF_ERROR(status);
  connection.admission = ReadAdmission(response, options_, incarnation_);
  connection.fencing = ToProto(connection.admission.session.fencing);
  return absl::OkStatus();
}

void SessionLoop::OpenStream(const std::shared_ptr<Connection>& connection) {
  connection->stream = SessionStream::Open(
      *connection->stub,
      {.message = [this](const v1::SessionResponse& m) { OnMessage(m); },
       .end = [this](absl::Status s) { OnStreamEnd(std::move(s)); }});
  {
    MutexLock lock(&mutex_);
    connection_ = connection;
    last_heard_ = clock_.Now();
  }
  v1::SessionRequest hello;
  *hello.mutable_fencing() = connection->fencing;
  hello.mutable_hello();
  connection->stream->Send(Kind::kEssential, std::move(hello));
}

absl::Status SessionLoop::SendHeartbeatsUntilTheEnd(absl::Duration interval) {
  const absl::Duration longest_silence =
      std::max(kShortestSilence, interval * kSilentHeartbeats);
  absl::Time next = clock_.Now() + interval;
  while (true) {
    {
      MutexLock lock(&mutex_);
      while (!stopping_ && !stream_end_ && !drain_ && clock_.Now() < next) {
        changed_.WaitFor(&mutex_, next - clock_.Now());
      }
      if (stopping_) return absl::OkStatus();
      if (drain_) return absl::UnavailableError("drains");
      if (stream_end_) {
        return stream_end_->ok() ? absl::UnavailableError("ended the session")
                                 : *stream_end_;
      }
      if (clock_.Now() - last_heard_ > longest_silence) {
        return absl::UnavailableError(
            absl::StrCat("silent for ", absl::FormatDuration(longest_silence)));
      }
    }
    SendHeartbeat();
    next = clock_.Now() + interval;
  }
}

void SessionLoop::CloseStream(Connection& connection) {
  bool goodbye = false;
  {
    MutexLock lock(&mutex_);
    goodbye = stopping_ && attached_;
  }
  if (goodbye) {
    v1::SessionRequest detach;
    *detach.mutable_fencing() = connection.fencing;
    detach.mutable_detach();
    connection.stream->Send(Kind::kEssential, std::move(detach));
    connection.stream->Finish();
    connection.stream->AwaitEnd(kGoodbye);
  }
  // Ends the call on this side, whatever the other one does.
  connection.stream->Cancel();
  connection.stream->AwaitEnd(absl::InfiniteDuration());
  MutexLock lock(&mutex_);
  connection_ = nullptr;
  stream_end_.reset();
}

void SessionLoop::Pause() {
  MutexLock lock(&mutex_);
  absl::Duration pause = backoff_.Next();
  if (drain_) pause = std::max(pause, std::min(*drain_, kLongestDrain));
  drain_.reset();
  const absl::Time end = clock_.Now() + pause;
  while (!stopping_ && clock_.Now() < end) {
    changed_.WaitFor(&mutex_, end - clock_.Now());
  }
}

}  // namespace balancemoe::worker
