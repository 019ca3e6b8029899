#include "worker/expert/lend_executor.h"

#include <torch/utils.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "worker/expert/compute_device.h"
#include "worker/transport/rank_order_sum.h"

namespace balancemoe::worker {
namespace {

absl::Span<float> Floats(absl::Span<std::byte> bytes) {
  return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}

// Adds `addend` to `sum`, which both hold floats on `device`.
void AddOn(const torch::Device& device, absl::Span<std::byte> sum,
           absl::Span<std::byte> addend) {
  if (device.is_cpu()) return AddInto(Floats(sum), Floats(addend));
  const auto options = torch::TensorOptions(torch::kFloat).device(device);
  const auto tensor = [&options](absl::Span<std::byte> bytes) {
    return torch::from_blob(
        bytes.data(), {static_cast<int64_t>(bytes.size() / sizeof(float))},
        options);
  };
  tensor(sum).add_(tensor(addend));
  AwaitCompute(device);
}

// Routes of others are not worth finding: in large groups there are many.
bool HasPart(WorkerRank me, WorkerRank home,
             const std::vector<WorkerRank>& borrowers) {
  return me == home ||
         std::find(borrowers.begin(), borrowers.end(), me) != borrowers.end();
}

}  // namespace

// A backward that began and did not end: the gradients of another layer, which
// may never be computed, must not be waited for.
LendExecutor::~LendExecutor() {
  for (const WayHome& way : ways_home_) {
    if (way.passage == nullptr) continue;
    way.passage->GiveUp(absl::CancelledError("the backward did not end"));
  }
}

absl::Status LendExecutor::Send(const std::vector<Lend>& lends,
                                const RouteRule& rule) {
  if (lends.empty()) return absl::OkStatus();
  AwaitCompute(store_->device());
  const size_t first = groups_.size();
  for (const Lend& lend : lends) {
    // Lends of one expert stand together.
    if (groups_.size() == first || groups_.back().expert != lend.expert) {
      groups_.push_back({.expert = lend.expert, .home = lend.from});
    }
    groups_.back().borrowers.push_back(lend.to);
    group_of_[{lend.expert, lend.to}] = groups_.size() - 1;
  }
  for (size_t i = first; i < groups_.size(); ++i) {
    BMOE_RETURN_IF_ERROR(Start(groups_[i], rule));
  }
  return absl::OkStatus();
}

absl::Status LendExecutor::Start(Group& group, const RouteRule& rule) {
  const WorkerRank me = store_->rank();
  if (!HasPart(me, group.home, group.borrowers)) return absl::OkStatus();
  const ExpertRoute route = RouteOf(rule, group.home, group.borrowers);
  const WorkerRank sender = route.SenderTo(me);
  const std::vector<WorkerRank> receivers = route.ReceiversFrom(me);
  if (sender != me) group.slot = store_->Borrow(group.expert);
  const absl::Span<std::byte> bytes =
      sender == me ? store_->Home(group.expert).bytes : group.slot->bytes();
  group.passage =
      std::make_unique<Passage>(static_cast<size_t>(route.parts),
                                agent_.transport(), agent_.held_sends());
  if (sender != me) {
    BMOE_RETURN_IF_ERROR(group.passage->Receive(sender, bytes));
  }
  for (const WorkerRank receiver : receivers) {
    group.passage->Hold(receiver, bytes);
    bytes_sent_ += store_->shape().bytes();
  }
  if (sender == me) {
    group.passage->ReleaseAll();
  } else if (!receivers.empty()) {
    group.passage->PassOn({});
  }
  return absl::OkStatus();
}

absl::Status LendExecutor::Use(const std::vector<Lend>& lends,
                               const RouteRule& rule) {
  std::vector<Lend> not_sent;
  std::copy_if(lends.begin(), lends.end(), std::back_inserter(not_sent),
               [&](const Lend& lend) {
                 return !group_of_.contains({lend.expert, lend.to});
               });
  BMOE_RETURN_IF_ERROR(Send(not_sent, rule));
  FindWaysHome(lends, rule);
  return absl::OkStatus();
}

void LendExecutor::FindWaysHome(const std::vector<Lend>& lends,
                                const RouteRule& rule) {
  const WorkerRank me = store_->rank();
  std::vector<std::optional<size_t>> way_of_group(groups_.size());
  for (const Lend& lend : lends) {
    const size_t group = group_of_.at({lend.expert, lend.to});
    std::optional<size_t>& way = way_of_group[group];
    if (!way.has_value()) {
      way = ways_home_.size();
      ways_home_.push_back({.group = group});
    }
    ways_home_[*way].computing.push_back(lend.to);
    if (lend.to != me) continue;
    borrowed_.push_back(
        {.way = *way, .gradient = store_->GradientBuffer(lend.expert)});
  }
  for (size_t i = 0; i < ways_home_.size(); ++i) {
    WayHome& way = ways_home_[i];
    const Group& group = groups_[way.group];
    if (!HasPart(me, group.home, way.computing)) continue;
    const ExpertRoute route = RouteOf(rule, group.home, way.computing);
    way.parts = static_cast<size_t>(route.parts);
    way.next = route.SenderTo(me);
    way.neighbours = route.ReceiversFrom(me);
    if (group.home != me) continue;
    for (size_t n = 0; n < way.neighbours.size(); ++n) {
      returned_.push_back({i, n});
    }
  }
}

absl::Status LendExecutor::Timed(absl::FunctionRef<absl::Status()> wait) {
  const absl::Time start = clock_.Now();
  const absl::Status status = wait();
  exposed_ += clock_.Now() - start;
  return status;
}

absl::Status LendExecutor::AwaitArrival(size_t i) {
  const Group& group = GroupOf(borrowed_[i]);
  BMOE_RETURN_IF_ERROR(Timed([&] { return group.passage->AwaitReceived(0); }));
  group.slot->Publish();
  return absl::OkStatus();
}

absl::Status LendExecutor::BeginReturns() {
  size_t neighbours = 0;
  for (const WayHome& way : ways_home_) neighbours += way.neighbours.size();
  std::vector<ExpertSlot> buffers = store_->ReturnBuffers(neighbours);
  // Which may be memory that the device still uses for what came before.
  AwaitCompute(store_->device());
  for (size_t i = ways_home_.size(); i-- > 0;) {
    WayHome& way = ways_home_[i];
    if (way.parts == 0) continue;
    for (size_t n = 0; n < way.neighbours.size(); ++n) {
      way.others.push_back(std::move(buffers.back()));
      buffers.pop_back();
    }
    BMOE_RETURN_IF_ERROR(Prepare(way));
  }
  return absl::OkStatus();
}

absl::Status LendExecutor::Prepare(WayHome& way) {
  way.passage = std::make_unique<Passage>(way.parts, agent_.transport(),
                                          agent_.held_sends());
  for (size_t n = 0; n < way.neighbours.size(); ++n) {
    BMOE_RETURN_IF_ERROR(
        way.passage->Receive(way.neighbours[n], way.others[n].bytes));
  }
  if (way.next == store_->rank()) return absl::OkStatus();
  const auto own = std::find_if(
      borrowed_.begin(), borrowed_.end(),
      [&](const Borrowed& b) { return &ways_home_[b.way] == &way; });
  way.passage->Hold(way.next, own->gradient->bytes());
  bytes_sent_ += store_->shape().bytes();
  return absl::OkStatus();
}

void LendExecutor::ReturnGradient(size_t i) {
  Borrowed& borrowed = borrowed_[i];
  borrowed.ready = true;
  AwaitCompute(store_->device());
  const WayHome& way = ways_home_[borrowed.way];
  if (way.others.empty()) {
    way.passage->ReleaseAll();
    return;
  }
  way.passage->PassOn([own = borrowed.gradient->bytes(),
                       device = store_->device(), &way](size_t part) {
    for (const ExpertSlot& other : way.others) {
      AddOn(device, PartOf(own, way.parts, part),
            PartOf(other.bytes, way.parts, part));
    }
  });
}

void LendExecutor::ReturnMissingGradients() {
  for (size_t i = borrowed_.size(); i-- > 0;) {
    if (borrowed_[i].ready) continue;
    const torch::NoGradGuard no_grad;
    for (const torch::Tensor& part : borrowed_gradient(i).all) part.zero_();
    ReturnGradient(i);
  }
}

absl::Status LendExecutor::AwaitReturned(size_t i) {
  // First, or two workers that lend to each other could wait for each other.
  ReturnMissingGradients();
  const Returned& returned = returned_[i];
  return Timed([&] {
    return ways_home_[returned.way].passage->AwaitReceived(returned.neighbour);
  });
}

absl::Status LendExecutor::Finish() {
  ReturnMissingGradients();
  // Home's parameters may change once this returns, so they must have left; and
  // what came unused needs its slot no longer.
  for (const Group& group : groups_) {
    if (group.passage == nullptr) continue;
    BMOE_RETURN_IF_ERROR(Timed([&] { return group.passage->AwaitAll(); }));
  }
  for (const WayHome& way : ways_home_) {
    if (way.passage == nullptr) continue;
    BMOE_RETURN_IF_ERROR(Timed([&] { return way.passage->AwaitAll(); }));
  }
  Release();
  return absl::OkStatus();
}

void LendExecutor::Release() {
  ways_home_.clear();
  returned_.clear();
  borrowed_.clear();
  group_of_.clear();
  groups_.clear();
  finished_ = true;
}

}  // namespace balancemoe::worker
