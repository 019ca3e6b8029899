#include "worker/moe/calibration.h"

#include <torch/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/statistics.h"
#include "common/status_macros.h"
#include "worker/moe/calibration_fit.h"
#include "worker/moe/compute_probe.h"
#include "worker/moe/processor_time.h"
#include "worker/transport/gather_all.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {
namespace {

constexpr int kComputeRounds = 15;
constexpr int kRounds = 9;
// Of transfers: what else runs on the machine only ever adds to them. Of
// computing, of which a step has much and meets its share of noise, it is the
// median round.
constexpr double kUndisturbed = 0.25;
constexpr size_t kSmallTransferBytes = 64;
constexpr int64_t kMaxOverlapBytes = int64_t{64} << 20;

using Caches = ComputeProbe::Caches;

class Calibrator {
 public:
  Calibrator(const CalibrationOptions& options, Agent& agent)
      : options_(options),
        probe_(options.shape, options.kernels, options.device),
        transport_(agent.transport()),
        nodes_(agent.group().node_of_worker) {}

  absl::StatusOr<CostModel> Run() {
    CostModel model;
    model.expert_bytes = options_.shape.bytes();
    model.optimizer_bytes = options_.optimizer_bytes;
    model.token_bytes =
        options_.shape.hidden * static_cast<int64_t>(sizeof(float));
    BMOE_ASSIGN_OR_RETURN(const ComputeRound compute, MeasureCompute());
    FitCompute({probe_.few_rows(), ComputeProbe::PerExpert(compute.few)},
               {probe_.many_rows(), ComputeProbe::PerExpert(compute.many)},
               model);
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
            compute.few.total_us(),
            model.intra_node.TransferUs(static_cast<double>(expert_bytes()))));
    FitOverlap(overlap, model);
    return model;
  }

 private:
  int64_t expert_bytes() const { return options_.shape.bytes(); }
  // What is sent: the expert's parameters.
  absl::Span<std::byte> sent() const { return probe_.parameters().bytes; }

  // Few rows and many in turns, so that whatever else the machine does meets
  // both.
  absl::StatusOr<ComputeRound> MeasureCompute() {
    const torch::Tensor few = probe_.FewRows();
    const torch::Tensor many = probe_.ManyRows();
    std::vector<ComputeRound> rounds;
    // The first rounds pay for page faults and sleeping cores and are not
    // counted: nothing has been computed yet when a job begins.
    for (int round = -3; round < kComputeRounds; ++round) {
      ComputeRound times;
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      times.few = probe_.Time(few, Caches::kCold);
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      times.many = probe_.Time(many, Caches::kCold);
      if (round >= 0) rounds.push_back(times);
    }
    BMOE_ASSIGN_OR_RETURN(const std::vector<ComputeRound> of_workers,
                          GatherAll<ComputeRound>(rounds, transport_));
    return TimesOfSlowest(of_workers, rounds.size());
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
    BMOE_ASSIGN_OR_RETURN(const double expert_us,
                          MeasureTransfer(link, sent().size()));
    return Link{.latency_us = small_us,
                .us_per_byte = std::max(expert_us - small_us, 0.0) /
                               static_cast<double>(expert_bytes())};
  }

  // This worker's value, or, if it is 0, the median of those that are not.
  absl::StatusOr<double> OwnOrOthers(double mine) {
    BMOE_ASSIGN_OR_RETURN(std::vector<double> all,
                          GatherAll<double>({mine}, transport_));
    if (mine > 0) return mine;
    std::erase(all, 0);
    return Median(std::move(all));
  }

  // `count` transfers of `bytes` each way, as workers exchange tokens: where a
  // core or a bus serves both ways, each is slower than it were alone.
  absl::StatusOr<std::unique_ptr<TransferBatch>> Start(WorkerRank partner,
                                                       size_t bytes,
                                                       int64_t count) {
    std::vector<Transfer> transfers;
    for (int64_t i = 0; i < count; ++i) {
      const Transfer send = {Transfer::Direction::kSend, partner,
                             sent().first(bytes)};
      const Transfer receive = {Transfer::Direction::kReceive, partner,
                                Received(static_cast<size_t>(i)).first(bytes)};
      // In the same order on both.
      const bool first = transport_.rank() < partner;
      transfers.push_back(first ? send : receive);
      transfers.push_back(first ? receive : send);
    }
    return transport_.StartTransfers(transfers);
  }

  absl::Span<std::byte> Received(size_t i) {
    while (received_.size() <= i) {
      received_.push_back(
          MakeExpertSlab(options_.shape, 1, options_.device).front());
    }
    return received_[i].bytes;
  }

  // Wall time in microseconds until `bytes` have gone and come over such a
  // link; 0 where there is none.
  absl::StatusOr<double> MeasureTransfer(LinkClass link, size_t bytes) {
    std::vector<double> times;
    for (int step = -4; step < 2 * kRounds; ++step) {
      const std::optional<WorkerRank> partner = PartnerOver(link, step & 1);
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      if (!partner.has_value()) continue;
      const absl::Time start = probe_.Now();
      BMOE_ASSIGN_OR_RETURN(const auto batch, Start(*partner, bytes, 1));
      for (const size_t transfer : {0, 1}) {
        BMOE_RETURN_IF_ERROR(batch->Wait(transfer, ComputeStream{}));
      }
      if (step >= 0) times.push_back(probe_.Since(start));
    }
    return OwnOrOthers(Quantile(std::move(times), kUndisturbed));
  }

  // Transfers for as long as computing takes, the same number on all workers.
  // So is `compute_us`.
  absl::StatusOr<int64_t> TransfersPerRound(double compute_us,
                                            double expert_us) {
    BMOE_ASSIGN_OR_RETURN(const std::vector<double> transfers,
                          GatherAll<double>({expert_us}, transport_));
    const double transfer = Mean(transfers);
    const int64_t most =
        std::max<int64_t>(kMaxOverlapBytes / expert_bytes(), 1);
    if (transfer <= 0) return 1;
    return std::clamp<int64_t>(static_cast<int64_t>(compute_us / transfer), 1,
                               std::min<int64_t>(most, 16));
  }

  // Computes beside `count` transfers each way with `partner`; `alone_us` is
  // what the longer of both takes alone. Ends with both: transfers that get no
  // core before computing has ended delay what a step computes next.
  absl::StatusOr<OverlapTimes> ComputeBeside(WorkerRank partner, int64_t count,
                                             const torch::Tensor& x,
                                             double alone_us) {
    OverlapTimes times;
    const absl::Duration cpu_start = OtherThreadsProcessorTime();
    const absl::Time start = probe_.Now();
    BMOE_ASSIGN_OR_RETURN(const auto batch,
                          Start(partner, sent().size(), count));
    probe_.Time(x, Caches::kWarm);
    for (size_t i = 0; i < static_cast<size_t>(2 * count); ++i) {
      BMOE_RETURN_IF_ERROR(batch->Wait(i, ComputeStream{}));
      times.transfer_us = std::max(
          times.transfer_us, absl::ToDoubleMicroseconds(batch->Elapsed(i)));
    }
    times.extra_us = probe_.Since(start) - alone_us;
    times.other_threads_us =
        absl::ToDoubleMicroseconds(OtherThreadsProcessorTime() - cpu_start);
    times.bytes = static_cast<double>(2 * count * expert_bytes());
    return times;
  }

  absl::StatusOr<std::vector<OverlapTimes>> MeasureOverlap(double compute_us,
                                                           double expert_us) {
    BMOE_ASSIGN_OR_RETURN(const int64_t count,
                          TransfersPerRound(compute_us, expert_us));
    // Few: transfers as long as this.
    const torch::Tensor x = probe_.FewRows();
    std::vector<OverlapTimes> rounds;
    // The first rounds pay for page faults and are not counted.
    for (int step = -4; step < 2 * kRounds; ++step) {
      const std::optional<WorkerRank> partner = Partner(step & 1);
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      // Just before, so that whatever else the machine does meets both.
      const double alone_us = probe_.Time(x, Caches::kWarm).total_us();
      BMOE_RETURN_IF_ERROR(transport_.Barrier());
      if (!partner.has_value()) {
        probe_.Time(x, Caches::kWarm);
        continue;
      }
      BMOE_ASSIGN_OR_RETURN(
          const OverlapTimes times,
          ComputeBeside(
              *partner, count, x,
              std::max(alone_us, static_cast<double>(count) * expert_us)));
      if (step >= 0) rounds.push_back(times);
    }
    return rounds;
  }

  const CalibrationOptions options_;
  const ComputeProbe probe_;
  Transport& transport_;
  // [W]
  const std::vector<int32_t> nodes_;
  std::vector<ExpertSlot> received_;
};

}  // namespace

absl::StatusOr<CostModel> Calibrate(const CalibrationOptions& options,
                                    Agent& agent) {
  BMOE_ASSIGN_OR_RETURN(const CostModel model,
                        Calibrator(options, agent).Run());
  agent.ReportCostModel(model);
  return model;
}

}  // namespace balancemoe::worker
