#include "coordinator/session/iteration_gather.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace balancemoe::coordinator {
namespace {

// Iterations beyond this are no counts of anything.
constexpr int64_t kLastIteration = int64_t{1} << 53;
// Tokens of one worker in one layer: indices of rows are 32-bit in most
// kernels.
constexpr int64_t kMostTokens = std::numeric_limits<int32_t>::max();
constexpr size_t kGivenUpRemembered = 8;
constexpr size_t kMostNames = 3;

}  // namespace

absl::string_view ToString(ReportRejection rejection) {
  switch (rejection) {
    case ReportRejection::kWrongLength:
      return "wrong_length";
    case ReportRejection::kNegative:
      return "negative";
    case ReportRejection::kAbsurd:
      return "absurd";
    case ReportRejection::kUnknownLayer:
      return "unknown_layer";
    case ReportRejection::kRepeatedLayer:
      return "repeated_layer";
    case ReportRejection::kFarFuture:
      return "far_future";
    case ReportRejection::kStaleIteration:
      return "stale_iteration";
    case ReportRejection::kLate:
      return "late";
    case ReportRejection::kDuplicate:
      return "duplicate";
    case ReportRejection::kOtherPlacement:
      return "other_placement";
    case ReportRejection::kTooManyOpen:
      return "too_many_open";
  }
  return "unknown";
}

bool IsNonsense(ReportRejection rejection) {
  return rejection <= ReportRejection::kFarFuture;
}

IterationGather::IterationGather(const Options& options, const JobShape& shape)
    : options_(options),
      shape_(shape),
      bytes_per_gather_(static_cast<size_t>(shape.world_size) *
                        static_cast<size_t>(shape.experts) * sizeof(int64_t)),
      layers_(static_cast<size_t>(shape.layers)) {}

ReportOutcome IterationGather::Add(WorkerRank rank, const WorkerReport& report,
                                   absl::Time now) {
  if (auto refusal = RefuseContent(report)) return *std::move(refusal);
  if (auto refusal = RefuseTime(rank, report)) return *std::move(refusal);
  ReportOutcome outcome;
  outcome.opened = now;
  const size_t experts = static_cast<size_t>(shape_.experts);
  for (size_t i = 0; i < report.layers.size(); ++i) {
    AddRow(rank, LayerId(report.layers[i]), report,
           report.tokens_per_expert.subspan(i * experts, experts), now,
           &outcome);
  }
  return outcome;
}

ReportOutcome IterationGather::Refuse(ReportRejection rejection,
                                      std::string message) const {
  ReportOutcome outcome;
  outcome.rejection = rejection;
  outcome.message = std::move(message);
  return outcome;
}

std::optional<ReportOutcome> IterationGather::RefuseContent(
    const WorkerReport& report) const {
  const size_t experts = static_cast<size_t>(shape_.experts);
  if (report.layers.empty() ||
      report.tokens_per_expert.size() != report.layers.size() * experts) {
    return Refuse(
        ReportRejection::kWrongLength,
        absl::StrCat(report.tokens_per_expert.size(), " loads for ",
                     report.layers.size(), " layers of ", experts, " experts"));
  }
  if (report.layers.size() > layers_.size()) {
    return Refuse(ReportRejection::kRepeatedLayer,
                  absl::StrCat(report.layers.size(), " rows for ",
                               layers_.size(), " layers"));
  }
  for (size_t i = 0; i < report.layers.size(); ++i) {
    const int32_t layer = report.layers[i];
    if (layer < 0 || layer >= shape_.layers) {
      return Refuse(ReportRejection::kUnknownLayer,
                    absl::StrCat("layer ", layer, " of ", shape_.layers));
    }
    if (i > 0 && layer <= report.layers[i - 1]) {
      return Refuse(ReportRejection::kRepeatedLayer,
                    absl::StrCat("layer ", layer, " after layer ",
                                 report.layers[i - 1], "; layers must rise"));
    }
    int64_t sum = 0;
    for (const int64_t tokens :
         report.tokens_per_expert.subspan(i * experts, experts)) {
      if (tokens < 0) {
        return Refuse(ReportRejection::kNegative,
                      absl::StrCat("a load of ", tokens, " in layer ", layer));
      }
      // Each term is compared alone first, so that the sum cannot overflow.
      if (tokens > kMostTokens || (sum += tokens) > kMostTokens) {
        return Refuse(ReportRejection::kAbsurd,
                      absl::StrCat("more than ", kMostTokens,
                                   " tokens in layer ", layer));
      }
    }
  }
  const int64_t iteration = report.iteration.value();
  const int64_t last = newest_complete_.has_value()
                           ? newest_complete_->value() + options_.farthest_lead
                           : kLastIteration;
  if (iteration < 0 || iteration > last) {
    return Refuse(
        ReportRejection::kFarFuture,
        absl::StrCat("iteration ", iteration, " is not within 0 .. ", last));
  }
  return std::nullopt;
}

std::optional<ReportOutcome> IterationGather::RefuseTime(
    WorkerRank rank, const WorkerReport& report) const {
  for (const int32_t id : report.layers) {
    const Layer& layer = layers_[static_cast<size_t>(id)];
    if (report.iteration == layer.newest_complete) {
      return Refuse(ReportRejection::kDuplicate,
                    absl::StrCat("iteration ", report.iteration.value(),
                                 " of layer ", id, " is planned"));
    }
    if (report.iteration < layer.newest_complete) {
      return Refuse(ReportRejection::kStaleIteration,
                    absl::StrCat("iteration ", report.iteration.value(),
                                 " is older than the newest planned, ",
                                 layer.newest_complete.value()));
    }
    if (std::count(layer.given_up.begin(), layer.given_up.end(),
                   report.iteration) > 0) {
      return Refuse(ReportRejection::kLate,
                    absl::StrCat("iteration ", report.iteration.value(),
                                 " was given up before"));
    }
    const auto open = std::find_if(
        layer.open.begin(), layer.open.end(),
        [&](const Open& o) { return o.iteration == report.iteration; });
    if (open != layer.open.end() && open->reported[rank.index()]) {
      return Refuse(ReportRejection::kDuplicate,
                    absl::StrCat("iteration ", report.iteration.value(),
                                 " of layer ", id, " is reported already"));
    }
    if (open != layer.open.end() &&
        open->placement_version != report.placement_version) {
      return Refuse(
          ReportRejection::kOtherPlacement,
          absl::StrCat("placement ", report.placement_version,
                       "; others report placement ", open->placement_version,
                       " for iteration ", report.iteration.value()));
    }
    if (open == layer.open.end() && !MayOpen(layer, report.iteration)) {
      return Refuse(ReportRejection::kTooManyOpen,
                    absl::StrCat(layer.open.size(), " iterations of layer ", id,
                                 " are open"));
    }
  }
  return std::nullopt;
}

bool IterationGather::HasRoom(const Layer& layer) const {
  return layer.open.size() < options_.open_per_layer &&
         (open_gathers_ + 1) * bytes_per_gather_ <= options_.open_bytes;
}

bool IterationGather::MayOpen(const Layer& layer, Iteration iteration) const {
  return HasRoom(layer) || layer.open.empty() ||
         iteration < layer.open.back().iteration;
}

IterationGather::Open& IterationGather::FindOrOpen(
    LayerId id, Iteration iteration, absl::Time now,
    std::vector<MissedGather>* missed) {
  Layer& layer = layers_[id.index()];
  auto at = std::lower_bound(
      layer.open.begin(), layer.open.end(), iteration,
      [](const Open& open, Iteration i) { return open.iteration < i; });
  if (at != layer.open.end() && at->iteration == iteration) return *at;
  const auto index = at - layer.open.begin();
  if (index < static_cast<long>(layer.open.size()) && !HasRoom(layer)) {
    missed->push_back(GiveUp(id, layer.open.size() - 1, "superseded",
                             "an earlier iteration needed its place"));
  }
  ++open_gathers_;
  return *layer.open.insert(
      layer.open.begin() + index,
      Open{
          .iteration = iteration,
          .opened = now,
          .tokens = LoadMatrix(shape_.world_size, shape_.experts),
          .reported = std::vector<bool>(static_cast<size_t>(shape_.world_size)),
          .reports = 0,
          .placement_version = 0});
}

void IterationGather::AddRow(WorkerRank rank, LayerId id,
                             const WorkerReport& report,
                             absl::Span<const int64_t> row, absl::Time now,
                             ReportOutcome* outcome) {
  const Iteration iteration = report.iteration;
  Open& open = FindOrOpen(id, iteration, now, &outcome->missed);
  open.placement_version = report.placement_version;
  std::copy(row.begin(), row.end(), open.tokens.MutableRow(rank).begin());
  open.reported[rank.index()] = true;
  outcome->opened = std::min(outcome->opened, open.opened);
  if (++open.reports < shape_.world_size) return;
  outcome->complete.push_back({.iteration = iteration,
                               .layer = id,
                               .tokens = std::move(open.tokens),
                               .opened = open.opened,
                               .placement_version = open.placement_version});
  Layer& layer = layers_[id.index()];
  layer.open.erase(layer.open.begin() + (&open - layer.open.data()));
  --open_gathers_;
  CloseUpTo(id, iteration, &outcome->missed);
  layer.newest_complete = iteration;
  newest_complete_ = iteration;
}

void IterationGather::CloseUpTo(LayerId id, Iteration iteration,
                                std::vector<MissedGather>* missed) {
  Layer& layer = layers_[id.index()];
  while (!layer.open.empty() && layer.open.front().iteration < iteration) {
    missed->push_back(
        GiveUp(id, 0, "superseded", "a later iteration is complete"));
  }
}

MissedGather IterationGather::GiveUp(LayerId id, size_t index,
                                     absl::string_view cause,
                                     std::string reason) {
  Layer& layer = layers_[id.index()];
  const Iteration iteration = layer.open[index].iteration;
  layer.open.erase(layer.open.begin() + static_cast<long>(index));
  --open_gathers_;
  layer.given_up.push_back(iteration);
  if (layer.given_up.size() > kGivenUpRemembered) layer.given_up.pop_front();
  return {.iteration = iteration,
          .layer = id,
          .cause = cause,
          .reason = std::move(reason)};
}

std::vector<MissedGather> IterationGather::Expire(absl::Time now) {
  std::vector<MissedGather> missed;
  for (size_t i = 0; i < layers_.size(); ++i) {
    for (size_t k = layers_[i].open.size(); k-- > 0;) {
      const Open& open = layers_[i].open[k];
      if (open.opened + options_.report_deadline > now) continue;
      std::string reason = WhoIsMissing(open);
      missed.push_back(GiveUp(LayerId(static_cast<int32_t>(i)), k, "deadline",
                              std::move(reason)));
    }
  }
  return missed;
}

std::string IterationGather::WhoIsMissing(const Open& open) const {
  std::vector<size_t> ranks;
  for (size_t i = 0; i < open.reported.size() && ranks.size() < kMostNames;
       ++i) {
    if (!open.reported[i]) ranks.push_back(i);
  }
  const size_t missing = static_cast<size_t>(shape_.world_size - open.reports);
  std::string reason =
      absl::StrCat("no report from worker ", absl::StrJoin(ranks, ", "));
  if (missing > ranks.size()) {
    absl::StrAppend(&reason, " and ", missing - ranks.size(), " more");
  }
  absl::StrAppend(&reason, " within ",
                  absl::FormatDuration(options_.report_deadline));
  return reason;
}

absl::Time IterationGather::next_deadline() const {
  absl::Time earliest = absl::InfiniteFuture();
  for (const Layer& layer : layers_) {
    for (const Open& open : layer.open) {
      earliest = std::min(earliest, open.opened + options_.report_deadline);
    }
  }
  return earliest;
}

void IterationGather::Clear() {
  for (Layer& layer : layers_) layer = Layer();
  open_gathers_ = 0;
  newest_complete_.reset();
}

}  // namespace balancemoe::coordinator
