#include "worker/moe/calibration.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "worker/expert/compute_device.h"
#include "worker/moe/expert_ffn.h"
#include "worker/moe/processor_time.h"
#include "worker/transport/gather_all.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {
namespace {

constexpr int kRounds = 9;
// Of one timed forward and backward; some ten milliseconds of one core.
constexpr double kFlops = 1e9;
constexpr int64_t kMinTokens = 32;
constexpr int64_t kMaxTokens = 512;
// A GPU does as much in a moment, and little work says nothing of it.
constexpr int64_t kGpuFactor = 64;
constexpr size_t kSmallTransferBytes = 64;
constexpr int64_t kMaxOverlapBytes = int64_t{64} << 20;
constexpr double kMaxSlowdown = 4;

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at =
      values.begin() +
      static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size()));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// For transfers: what else runs on the machine only ever adds to them.
double LowerQuartile(std::vector<double> values) {
  return Quantile(std::move(values), 0.25);
}

// For computing, of which a step has much and meets its share of noise, and for
// differences of times, which noise moves either way.
double Median(std::vector<double> values) {
  return Quantile(std::move(values), 0.5);
}

struct ComputeTimes {
  double forward_us = 0;
  double backward_us = 0;

  double total_us() const { return forward_us + backward_us; }
};

// What transfers of one round did to the computation beside them.
struct OverlapTimes {
  double extra_us = 0;
  double other_threads_us = 0;
  double transfer_us = 0;
  double bytes = 0;
};

class Calibrator {
 public:
  Calibrator(const ExpertShape& shape, Agent& agent,
             const torch::Device& device)
      : shape_(shape),
        options_(device),
        transport_(agent.transport()),
        nodes_(agent.group().node_of_worker),
        slots_(MakeExpertSlab(shape, 2, device)) {
    const torch::NoGradGuard no_grad;
    for (const ExpertSlot& slot : slots_) {
      for (const torch::Tensor& part : slot.tensors.all) part.fill_(0.01);
    }
    const double flops_per_token =
        12.0 * static_cast<double>(shape.hidden * shape.ffn);
    large_ =
        std::clamp(static_cast<int64_t>(kFlops / flops_per_token) / 16 * 16,
                   kMinTokens, kMaxTokens) *
        (device.is_cpu() ? 1 : kGpuFactor);
  }

  absl::StatusOr<CostModel> Run() {
    CostModel model;
    model.expert_bytes = shape_.bytes();
    model.token_bytes = shape_.hidden * static_cast<int64_t>(sizeof(float));
    BMOE_ASSIGN_OR_RETURN(const ComputeTimes large, MeasureCompute(large_));
    BMOE_ASSIGN_OR_RETURN(const ComputeTimes small, MeasureCompute(large_ / 4));
    FitCompute(small, large, model);
    if (transport_.world_size() == 1) return model;

    BMOE_ASSIGN_OR_RETURN(const auto within,
                          MeasureLink(LinkClass::kIntraNode));
    BMOE_ASSIGN_OR_RETURN(const auto between,
                          MeasureLink(LinkClass::kInterNode));
    // With two workers or more there is one of them.
    model.intra_node = within.has_value() ? *within : *between;
    model.inter_node = between.has_value() ? *between : *within;
    BMOE_ASSIGN_OR_RETURN(
        const std::vector<OverlapTimes> overlap,
        MeasureOverlap(
            large.total_us(),
            model.intra_node.TransferUs(static_cast<double>(shape_.bytes()))));
    FitOverlap(overlap, model);
    return model;
  }

 private:
  static constexpr size_t kParameters = 0;
  static constexpr size_t kGradients = 1;

  // Of work on the device too.
  double Since(absl::Time start) const {
    AwaitCompute(options_.device());
    return absl::ToDoubleMicroseconds(clock_.Now() - start);
  }

  // What a layer does with rows on each side of an expert, links apart: puts
  // them into send order, and copies them between buffer and batch.
  static torch::Tensor Carry(const torch::Tensor& rows) {
    const torch::Tensor order =
        torch::arange(rows.size(0) - 1, -1, -1,
                      torch::TensorOptions(torch::kLong).device(rows.device()));
    return rows.index_select(0, order).clone();
  }

  // One expert, forward and backward, with the way of its rows through the
  // layer.
  ComputeTimes Compute(const torch::Tensor& tokens) const {
    const ExpertTensors& parameters = slots_[kParameters].tensors;
    const torch::Tensor weights = torch::ones({tokens.size(0), 1}, options_);
    FfnActivations activations;
    const absl::Time start = clock_.Now();
    const torch::Tensor x = Carry(tokens);
    const torch::Tensor out =
        Carry(FfnForward(x, parameters, activations)) * weights;
    const double forward_us = Since(start);
    Carry(FfnBackward(Carry(out * weights), x, activations, parameters,
                      slots_[kGradients].tensors));
    return {forward_us, Since(start) - forward_us};
  }

  absl::StatusOr<ComputeTimes> MeasureCompute(int64_t tokens) {
    const torch::Tensor x = torch::ones({tokens, shape_.hidden}, options_);
    std::vector<double> forward;
    std::vector<double> backward;
    // The first rounds pay for page faults and sleeping cores and are not
    // counted: nothing has been computed yet when a job begins.
    for (int round = -3; round < kRounds; ++round) {
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      const ComputeTimes times = Compute(x);
      if (round < 0) continue;
      forward.push_back(times.forward_us);
      backward.push_back(times.backward_us);
    }
    return ComputeTimes{Median(std::move(forward)),
                        Median(std::move(backward))};
  }

  void FitCompute(const ComputeTimes& small, const ComputeTimes& large,
                  CostModel& model) const {
    const auto small_tokens = static_cast<double>(large_ / 4);
    const auto large_tokens = static_cast<double>(large_);
    const double slope =
        (large.forward_us - small.forward_us) / (large_tokens - small_tokens);
    // Noise can turn the line round; then all is per token.
    const double most = large.forward_us / large_tokens;
    model.us_per_token = slope > 0 ? std::min(slope, most) : most;
    // Rounding can leave it a little under 0, which no coordinator accepts.
    model.expert_launch_us =
        std::max(large.forward_us - large_tokens * model.us_per_token, 0.0);
    model.backward_factor = large.backward_us / large.forward_us;
  }

  // The neighbour in one of two pairings, 0-1 2-3 .. and 1-2 3-4 .., which give
  // every worker of two or more one at least.
  std::optional<WorkerRank> Partner(int pairing) const {
    const int32_t partner =
        ((transport_.rank().value() + pairing) ^ 1) - pairing;
    if (partner < 0 || partner >= transport_.world_size()) return std::nullopt;
    return WorkerRank(partner);
  }

  // One to measure a kind of links with. On one node neighbours, between nodes
  // workers half of the ranks apart.
  std::optional<WorkerRank> PartnerOver(LinkClass link, int pairing) const {
    const int32_t rank = transport_.rank().value();
    const int32_t half = transport_.world_size() / 2;
    std::optional<WorkerRank> partner = Partner(pairing);
    if (link == LinkClass::kInterNode) {
      partner = WorkerRank(rank < half ? rank + half : rank - half);
      // The last of an odd number has none.
      if (rank >= 2 * half) return std::nullopt;
    }
    if (!partner.has_value()) return std::nullopt;
    const bool near =
        nodes_[partner->index()] == nodes_[transport_.rank().index()];
    return near == (link == LinkClass::kIntraNode) ? partner : std::nullopt;
  }

  // None where no pair has such a link. Workers without one go by the others'.
  absl::StatusOr<std::optional<Link>> MeasureLink(LinkClass link) {
    BMOE_ASSIGN_OR_RETURN(const double small_us,
                          MeasureTransfer(link, kSmallTransferBytes));
    if (small_us == 0) return std::nullopt;
    BMOE_ASSIGN_OR_RETURN(
        const double expert_us,
        MeasureTransfer(link, slots_[kParameters].bytes.size()));
    return Link{.latency_us = small_us,
                .us_per_byte = std::max(expert_us - small_us, 0.0) /
                               static_cast<double>(shape_.bytes())};
  }

  // This worker's value, or, if it is 0, the median of those that are not.
  absl::StatusOr<double> OwnOrOthers(double mine) {
    BMOE_ASSIGN_OR_RETURN(std::vector<double> all,
                          GatherAll<double>({mine}, transport_));
    if (mine > 0) return mine;
    std::erase(all, 0);
    return Median(std::move(all));
  }

  bool IsSender(WorkerRank partner, int direction) const {
    return (transport_.rank() < partner) == (direction == 0);
  }

  // `count` transfers of `bytes` each in one direction of a pairing.
  absl::StatusOr<std::unique_ptr<TransferBatch>> Start(WorkerRank partner,
                                                       bool send, size_t bytes,
                                                       int64_t count) {
    std::vector<Transfer> transfers;
    for (int64_t i = 0; i < count; ++i) {
      transfers.push_back(
          {send ? Transfer::Direction::kSend : Transfer::Direction::kReceive,
           partner,
           send ? slots_[kParameters].bytes.first(bytes)
                : Received(static_cast<size_t>(i)).first(bytes)});
    }
    return transport_.StartTransfers(transfers);
  }

  absl::Span<std::byte> Received(size_t i) {
    while (received_.size() <= i) {
      received_.push_back(MakeExpertSlab(shape_, 1, options_.device()).front());
    }
    return received_[i].bytes;
  }

  // Wall time in microseconds until `bytes` have come over such a link; 0 where
  // there is none.
  absl::StatusOr<double> MeasureTransfer(LinkClass link, size_t bytes) {
    std::vector<double> times;
    for (int step = -4; step < 4 * kRounds; ++step) {
      const std::optional<WorkerRank> partner = PartnerOver(link, step & 1);
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      if (!partner.has_value()) continue;
      const bool send = IsSender(*partner, (step >> 1) & 1);
      const absl::Time start = clock_.Now();
      BMOE_ASSIGN_OR_RETURN(const auto batch, Start(*partner, send, bytes, 1));
      BMOE_RETURN_IF_ERROR(batch->Wait(0, ComputeStream{}));
      if (!send && step >= 0) times.push_back(Since(start));
    }
    return OwnOrOthers(LowerQuartile(std::move(times)));
  }

  // Transfers for as long as computing takes, the same number on all workers.
  absl::StatusOr<int64_t> TransfersPerRound(double compute_us,
                                            double expert_us) {
    BMOE_ASSIGN_OR_RETURN(const std::vector<double> computing,
                          GatherAll<double>({compute_us}, transport_));
    BMOE_ASSIGN_OR_RETURN(const std::vector<double> transfers,
                          GatherAll<double>({expert_us}, transport_));
    const double compute =
        std::accumulate(computing.begin(), computing.end(), 0.0);
    const double transfer =
        std::accumulate(transfers.begin(), transfers.end(), 0.0);
    const int64_t most =
        std::max<int64_t>(kMaxOverlapBytes / shape_.bytes(), 1);
    if (transfer <= 0) return 1;
    return std::clamp<int64_t>(static_cast<int64_t>(compute / transfer), 1,
                               std::min<int64_t>(most, 16));
  }

  // Computes beside `count` transfers with `partner`; `alone_us` is what the
  // longer of both takes alone. Ends with both: transfers that get no core
  // before computing has ended delay what a step computes next.
  absl::StatusOr<OverlapTimes> ComputeBeside(WorkerRank partner, bool send,
                                             int64_t count,
                                             const torch::Tensor& x,
                                             double alone_us) {
    OverlapTimes times;
    const absl::Duration cpu_start = OtherThreadsProcessorTime();
    const absl::Time start = clock_.Now();
    BMOE_ASSIGN_OR_RETURN(
        const auto batch,
        Start(partner, send, slots_[kParameters].bytes.size(), count));
    Compute(x);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      BMOE_RETURN_IF_ERROR(batch->Wait(i, ComputeStream{}));
      times.transfer_us = std::max(
          times.transfer_us, absl::ToDoubleMicroseconds(batch->Elapsed(i)));
    }
    times.extra_us = Since(start) - alone_us;
    times.other_threads_us =
        absl::ToDoubleMicroseconds(OtherThreadsProcessorTime() - cpu_start);
    times.bytes = static_cast<double>(count * shape_.bytes());
    return times;
  }

  absl::StatusOr<std::vector<OverlapTimes>> MeasureOverlap(double compute_us,
                                                           double expert_us) {
    BMOE_ASSIGN_OR_RETURN(const int64_t count,
                          TransfersPerRound(compute_us, expert_us));
    const torch::Tensor x = torch::ones({large_, shape_.hidden}, options_);
    std::vector<OverlapTimes> rounds;
    // The first rounds pay for page faults and are not counted.
    for (int step = -4; step < 2 * kRounds; ++step) {
      const std::optional<WorkerRank> partner = Partner(step & 1);
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      // Just before, so that whatever else the machine does meets both.
      const double alone_us = Compute(x).total_us();
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      if (!partner.has_value()) {
        Compute(x);
        continue;
      }
      const bool send = IsSender(*partner, (step >> 1) & 1);
      BMOE_ASSIGN_OR_RETURN(
          const OverlapTimes times,
          ComputeBeside(
              *partner, send, count, x,
              std::max(alone_us, static_cast<double>(count) * expert_us)));
      if (step >= 0) rounds.push_back(times);
    }
    return rounds;
  }

  static double MedianOf(const std::vector<OverlapTimes>& rounds,
                         double OverlapTimes::*field) {
    std::vector<double> values;
    for (const OverlapTimes& round : rounds) values.push_back(round.*field);
    return Median(std::move(values));
  }

  static void FitOverlap(const std::vector<OverlapTimes>& rounds,
                         CostModel& model) {
    const double extra =
        std::max(MedianOf(rounds, &OverlapTimes::extra_us), 0.0);
    const double cpu = MedianOf(rounds, &OverlapTimes::other_threads_us);
    const double transfer = MedianOf(rounds, &OverlapTimes::transfer_us);
    const double host = std::min(extra, std::max(cpu, 0.0));
    model.host_cpu_us_per_byte = host / MedianOf(rounds, &OverlapTimes::bytes);
    // While a transfer is under way, compute advances at 1 / slowdown of its
    // pace.
    const double lost = transfer > 0 ? (extra - host) / transfer : 0;
    model.overlap_slowdown =
        lost < 1 - 1 / kMaxSlowdown ? 1 / (1 - lost) : kMaxSlowdown;
  }

  const ExpertShape shape_;
  const torch::TensorOptions options_;
  Transport& transport_;
  // [W]
  const std::vector<int32_t> nodes_;
  const SteadyClock clock_;
  const std::vector<ExpertSlot> slots_;
  std::vector<ExpertSlot> received_;
  int64_t large_ = kMinTokens;
};

}  // namespace

absl::StatusOr<CostModel> Calibrate(const ExpertShape& shape,
                                    int64_t optimizer_bytes, Agent& agent,
                                    const torch::Device& device) {
  const torch::NoGradGuard no_grad;
  BMOE_ASSIGN_OR_RETURN(CostModel model,
                        Calibrator(shape, agent, device).Run());
  model.optimizer_bytes = optimizer_bytes;
  agent.ReportCostModel(model);
  return model;
}

}  // namespace balancemoe::worker
