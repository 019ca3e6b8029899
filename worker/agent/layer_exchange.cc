#include "worker/agent/layer_exchange.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/transport/gather_all.h"

namespace balancemoe::worker {
namespace {

// Before the counts: the iteration and the layer that they are of, and the
// version of the homes.
constexpr size_t kHeaderWords = 3;

template <typename T>
absl::Span<const std::byte> AsBytes(absl::Span<const T> values) {
  return {reinterpret_cast<const std::byte*>(values.data()),
          values.size() * sizeof(T)};
}

template <typename T>
absl::Span<std::byte> AsWritableBytes(std::vector<T>& values) {
  return {reinterpret_cast<std::byte*>(values.data()),
          values.size() * sizeof(T)};
}

absl::Status CheckShape(const GroupShape& shape, const WorkerFacts& mine) {
  if (shape.layers < 1 || shape.experts_per_layer < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "agent: ", shape.layers, " layers of ", shape.experts_per_layer,
        " experts; at least one of each"));
  }
  if (shape.expert_bytes < 0 || mine.spare_slots < 0 || mine.node < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "agent: ", shape.expert_bytes, " expert bytes, ", mine.spare_slots,
        " spare slots and node ", mine.node, "; none may be negative"));
  }
  return absl::OkStatus();
}

}  // namespace

LayerExchange::LayerExchange(Transport& transport, const GroupShape& shape,
                             int32_t extra_words)
    : transport_(&transport),
      shape_(shape),
      extra_words_(static_cast<size_t>(extra_words)),
      row_(kHeaderWords + static_cast<size_t>(shape.experts_per_layer) +
           extra_words_),
      rows_(row_.size() * static_cast<size_t>(transport.world_size())),
      votes_(static_cast<size_t>(transport.world_size())) {}

absl::StatusOr<LayerExchange> LayerExchange::Create(Transport& transport,
                                                    const GroupShape& shape,
                                                    const WorkerFacts& mine,
                                                    int32_t extra_words) {
  BMOE_RETURN_IF_ERROR(CheckShape(shape, mine));
  LayerExchange exchange(transport, shape, extra_words);
  BMOE_RETURN_IF_ERROR(exchange.GatherShapes(mine));
  return exchange;
}

absl::Status LayerExchange::GatherShapes(const WorkerFacts& facts) {
  const std::vector<int64_t> mine = {shape_.layers, shape_.experts_per_layer,
                                     shape_.expert_bytes, facts.spare_slots,
                                     facts.node};
  BMOE_ASSIGN_OR_RETURN(const std::vector<int64_t> all,
                        GatherAll<int64_t>(mine, *transport_));
  for (size_t rank = 0; rank * mine.size() < all.size(); ++rank) {
    const int64_t* theirs = &all[rank * mine.size()];
    if (!std::equal(theirs, theirs + 3, mine.begin())) {
      return absl::FailedPreconditionError(
          absl::StrCat("agent: worker ", rank, " has ", theirs[0],
                       " layers of ", theirs[1], " experts of ", theirs[2],
                       " bytes, this worker (", transport_->rank().value(),
                       ") ", mine[0], " of ", mine[1], " of ", mine[2]));
    }
    group_.spare_slots.push_back(static_cast<int32_t>(theirs[3]));
    group_.node_of_worker.push_back(static_cast<int32_t>(theirs[4]));
  }
  return absl::OkStatus();
}

absl::StatusOr<LoadMatrix> LayerExchange::GatherCounts(
    Iteration iteration, LayerId layer, uint64_t placement_version,
    absl::Span<const int64_t> tokens_per_expert,
    absl::Span<const int64_t> extra) {
  if (layer.value() < 0 || layer.value() >= shape_.layers) {
    return absl::InvalidArgumentError(absl::StrCat("layer ", layer.value(),
                                                   ": the job has layers 0 to ",
                                                   shape_.layers - 1));
  }
  const auto experts = static_cast<size_t>(shape_.experts_per_layer);
  if (tokens_per_expert.size() != experts || extra.size() != extra_words_) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer ", layer.value(), ": ", tokens_per_expert.size(),
                     " loads for ", experts, " experts"));
  }
  for (size_t expert = 0; expert < experts; ++expert) {
    if (tokens_per_expert[expert] < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", layer.value(), ": expert ", expert,
                       " has a load of ", tokens_per_expert[expert]));
    }
  }
  row_[0] = iteration.value();
  row_[1] = layer.value();
  row_[2] = static_cast<int64_t>(placement_version);
  const auto end = std::copy(tokens_per_expert.begin(), tokens_per_expert.end(),
                             row_.begin() + kHeaderWords);
  std::copy(extra.begin(), extra.end(), end);
  BMOE_RETURN_IF_ERROR(transport_->AllGather(AsBytes(absl::MakeConstSpan(row_)),
                                             AsWritableBytes(rows_), {}));
  BMOE_RETURN_IF_ERROR(CheckRows());
  LoadMatrix loads(transport_->world_size(), shape_.experts_per_layer);
  for (int32_t rank = 0; rank < transport_->world_size(); ++rank) {
    const auto counts = RowOf(WorkerRank(rank)).subspan(kHeaderWords, experts);
    std::copy(counts.begin(), counts.end(),
              loads.MutableRow(WorkerRank(rank)).begin());
  }
  return loads;
}

absl::Status LayerExchange::CheckRows() const {
  for (int32_t rank = 0; rank < transport_->world_size(); ++rank) {
    const auto theirs = RowOf(WorkerRank(rank));
    if (theirs[0] != row_[0] || theirs[1] != row_[1]) {
      return absl::FailedPreconditionError(absl::StrCat(
          "agent: worker ", rank, " plans layer ", theirs[1], " of iteration ",
          theirs[0], ", this worker (", transport_->rank().value(), ") layer ",
          row_[1], " of iteration ", row_[0]));
    }
    // Workers that lost each other while homes changed.
    if (theirs[2] != row_[2]) {
      return absl::FailedPreconditionError(absl::StrCat(
          "agent: worker ", rank, " has seen ", theirs[2],
          " changes of homes, this worker (", transport_->rank().value(), ") ",
          row_[2], "; go on from a checkpoint"));
    }
  }
  return absl::OkStatus();
}

absl::Span<const int64_t> LayerExchange::RowOf(WorkerRank rank) const {
  return absl::MakeConstSpan(rows_).subspan(rank.index() * row_.size(),
                                            row_.size());
}

absl::Span<const int64_t> LayerExchange::ExtraOf(WorkerRank rank) const {
  return RowOf(rank).last(extra_words_);
}

absl::StatusOr<absl::Span<const PlanVote>> LayerExchange::GatherVotes(
    const PlanVote& mine) {
  BMOE_RETURN_IF_ERROR(transport_->AllGather(
      AsBytes(absl::MakeConstSpan(&mine, 1)), AsWritableBytes(votes_), {}));
  return absl::MakeConstSpan(votes_);
}

absl::StatusOr<absl::Span<const StepPlanOffer>> LayerExchange::GatherOffers(
    const StepPlanOffer& mine) {
  offers_.resize(votes_.size());
  BMOE_RETURN_IF_ERROR(transport_->AllGather(
      AsBytes(absl::MakeConstSpan(&mine, 1)), AsWritableBytes(offers_), {}));
  return absl::MakeConstSpan(offers_);
}

}  // namespace balancemoe::worker
