// The conductor and its workers over real connections.

#include "worker/transport/streamed/control_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/transport/streamed/conductor_loop.h"

namespace balancemoe::worker {
namespace {

// What one worker hears.
class Ear {
 public:
  void Hear(const ControlMessage& message) {
    MutexLock lock(&mutex_);
    heard_.push_back(message);
    changed_.NotifyAll();
  }
  // The next message; an empty hello after 20 s without one.
  ControlMessage Next() {
    const SteadyClock clock;
    const absl::Time deadline = clock.Now() + absl::Seconds(20);
    MutexLock lock(&mutex_);
    while (heard_.empty() && clock.Now() < deadline) {
      changed_.WaitFor(&mutex_, deadline - clock.Now());
    }
    if (heard_.empty()) return {};
    ControlMessage message = heard_.front();
    heard_.pop_front();
    return message;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<ControlMessage> heard_ ABSL_GUARDED_BY(mutex_);
};

class ControlLoopTest : public ::testing::Test {
 protected:
  static constexpr size_t kRanks = 3;

  void Start(absl::Duration operation_timeout, absl::Duration silence) {
    std::vector<ControlSocket> to_workers;
    for (size_t rank = 0; rank < kRanks; ++rank) {
      auto pair = ControlSocket::Pair();
      ASSERT_THAT(pair, IsOk());
      to_workers.push_back(std::move(pair->first));
      loops_.push_back(std::make_unique<ControlLoop>(
          std::move(pair->second), silence,
          [this, rank](const auto& message) { ears_[rank].Hear(message); }));
    }
    conductor_ = std::make_unique<ConductorLoop>(std::move(to_workers),
                                                 operation_timeout);
  }

  Ear ears_[kRanks];
  std::unique_ptr<ConductorLoop> conductor_;
  std::vector<std::unique_ptr<ControlLoop>> loops_;
};

TEST_F(ControlLoopTest, AWorkerThatIsGoneIsToldToTheOthersAtOnce) {
  Start(absl::Minutes(5), absl::Minutes(5));

  loops_[1]->End();

  const ControlMessage gone = {
      ControlKind::kAbort, {0}, "worker 1 is gone: its connection broke"};
  EXPECT_EQ(ears_[0].Next(), gone);
  EXPECT_EQ(ears_[2].Next(), gone);
}

TEST_F(ControlLoopTest, AConductorThatIsGoneIsSeenByAllWorkers) {
  Start(absl::Minutes(5), absl::Minutes(5));

  conductor_ = nullptr;

  for (Ear& ear : ears_) {
    EXPECT_EQ(ear.Next(), (ControlMessage{.kind = ControlKind::kAbort}));
  }
}

TEST_F(ControlLoopTest, ASilentWorkerIsToldToTheOthers) {
  Start(absl::Milliseconds(50), absl::Minutes(5));

  loops_[0]->Tell(ToMessage(CollectiveCall{}));

  for (Ear& ear : ears_) {
    EXPECT_EQ(ear.Next().text,
              "workers 1, 2 were silent for 50ms while others waited for them");
  }
}

TEST_F(ControlLoopTest, ASilentConductorIsNoticed) {
  Start(absl::Minutes(5), absl::Milliseconds(10));

  EXPECT_EQ(ears_[0].Next(), (ControlMessage{.kind = ControlKind::kSilence}));
}

TEST_F(ControlLoopTest, TheConductorStaysUntilTheLastHasLeft) {
  Start(absl::Minutes(5), absl::Minutes(5));
  for (size_t rank = 0; rank < kRanks; ++rank) {
    loops_[rank]->Tell({.kind = ControlKind::kLeave});
    EXPECT_EQ(ears_[rank].Next().kind, ControlKind::kGoodbye);
    loops_[rank]->End();
  }

  conductor_->EndWhenOver(absl::Hours(1));
}

}  // namespace
}  // namespace balancemoe::worker
