#include "worker/train/job_checkpoints.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status_macros.h"
#include "worker/checkpoint/safetensors.h"
#include "worker/transport/gather_all.h"

namespace balancemoe::worker {
namespace {

// What must be alike, by the flags' names.
std::map<std::string, int64_t> ShapeOf(const TrainOptions& options) {
  return {{"layers", options.layers},
          {"hidden", options.hidden},
          {"ffn", options.ffn},
          {"heads", options.heads},
          {"experts", options.experts},
          {"seq", options.seq},
          {"swiglu", options.swiglu ? 1 : 0}};
}

struct NamedTensor {
  std::string name;
  torch::Tensor tensor;
};

// Of a parameter: its values and what Adam keeps of it.
std::array<NamedTensor, 4> TensorsOf(const AdamParameter& of) {
  return {{{of.name, of.parameter.detach()},
           {of.name + ".mean", of.mean},
           {of.name + ".variance", of.variance},
           {of.name + ".steps", of.steps}}};
}

// Of a tensor on the CPU.
absl::Span<std::byte> BytesOf(const torch::Tensor& tensor) {
  return absl::MakeSpan(static_cast<std::byte*>(tensor.mutable_data_ptr()),
                        tensor.nbytes());
}

// One file of a checkpoint for each tensor's name.
using FileOfTensor = std::map<std::string, const SafetensorsFile*>;

absl::StatusOr<FileOfTensor> FindTensors(
    absl::Span<const SafetensorsFile> files) {
  FileOfTensor by_name;
  for (const SafetensorsFile& file : files) {
    for (std::string& name : file.Names()) {
      const auto [known, added] = by_name.emplace(std::move(name), &file);
      if (added) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(file.path(), ": has tensor ", known->first, ", which ",
                       known->second->path(), " has too"));
    }
  }
  return by_name;
}

absl::Status Fill(const NamedTensor& named, const FileOfTensor& files,
                  const std::string& directory) {
  const auto found = files.find(named.name);
  if (found == files.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, ": no file has tensor ", named.name));
  }
  // On the CPU that is the tensor itself.
  const torch::Tensor values = named.tensor.cpu();
  BMOE_RETURN_IF_ERROR(found->second->Read(
      named.name, named.tensor.sizes().vec(), BytesOf(values)));
  torch::Tensor target = named.tensor;
  if (!target.is_cpu()) target.copy_(values);
  return absl::OkStatus();
}

// What one worker tells the others.
struct Outcome {
  absl::StatusCode code;
  std::array<char, 500> message;
};

Outcome OutcomeOf(const absl::Status& status) {
  Outcome outcome{status.code(), {}};
  std::copy_n(status.message().begin(),
              std::min(status.message().size(), outcome.message.size() - 1),
              outcome.message.begin());
  return outcome;
}

}  // namespace

JobCheckpoints::JobCheckpoints(const TrainOptions& options,
                               Transport& transport,
                               CheckpointObserver observer)
    : options_(options),
      transport_(transport),
      directory_(options.checkpoint_dir),
      observer_(std::move(observer)) {}

absl::StatusOr<int64_t> JobCheckpoints::Begin(Trainer& trainer) {
  if (options_.checkpoint_dir.empty()) return 0;
  const auto latest = directory_.Latest();
  BMOE_RETURN_IF_ERROR(AgreeOn(latest.status()));
  const CheckpointIndex* const index =
      latest->has_value() ? &**latest : nullptr;
  BMOE_ASSIGN_OR_RETURN(const int64_t step, FindStep(index));
  if (index == nullptr) return 0;
  BMOE_RETURN_IF_ERROR(AgreeOn(Load(*index, trainer)));
  return step;
}

absl::StatusOr<int64_t> JobCheckpoints::FindStep(
    const CheckpointIndex* latest) const {
  const int64_t mine = latest == nullptr ? 0 : latest->step;
  BMOE_ASSIGN_OR_RETURN(const std::vector<int64_t> all,
                        GatherAll<int64_t>({mine}, transport_));
  for (size_t worker = 0; worker < all.size(); ++worker) {
    if (all[worker] == all[0]) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--checkpoint-dir: in ", directory_.path(), " worker 0 sees step ",
        all[0], " and worker ", worker, " step ", all[worker],
        "; name a directory that all workers share"));
  }
  if (latest != nullptr && !options_.resume) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--checkpoint-dir: ", directory_.path(), " has a checkpoint of step ",
        mine, "; go on from it with --resume, or name another directory"));
  }
  if (latest != nullptr && mine >= options_.steps) {
    return absl::InvalidArgumentError(
        absl::StrCat("--steps: the checkpoint in ", directory_.path(), " has ",
                     mine, " behind it; name more"));
  }
  return mine;
}

absl::Status JobCheckpoints::CheckModel(const CheckpointIndex& index) const {
  for (const auto& [flag, value] : ShapeOf(options_)) {
    const auto saved = index.model.find(flag);
    if (saved != index.model.end() && saved->second == value) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--", flag, ": ", value, ", and the checkpoint ",
        directory_.FilePath(index.step, "index.json"), " has ",
        saved == index.model.end() ? "none" : absl::StrCat(saved->second)));
  }
  return absl::OkStatus();
}

absl::Status JobCheckpoints::Load(const CheckpointIndex& index,
                                  Trainer& trainer) const {
  BMOE_RETURN_IF_ERROR(CheckModel(index));
  std::vector<SafetensorsFile> files;
  for (const std::string& name : index.files) {
    BMOE_ASSIGN_OR_RETURN(
        SafetensorsFile file,
        SafetensorsFile::Open(directory_.FilePath(index.step, name)));
    files.push_back(std::move(file));
  }
  BMOE_ASSIGN_OR_RETURN(const FileOfTensor by_name, FindTensors(files));
  for (const AdamParameter& parameter : trainer.parameters()) {
    for (const NamedTensor& named : TensorsOf(parameter)) {
      BMOE_RETURN_IF_ERROR(
          Fill(named, by_name, directory_.FilePath(index.step, "")));
    }
  }
  return absl::OkStatus();
}

absl::Status JobCheckpoints::AfterStep(int64_t steps, const Trainer& trainer) {
  if (options_.checkpoint_dir.empty()) return absl::OkStatus();
  const bool due =
      steps % options_.checkpoint_every == 0 || steps == options_.steps;
  return due ? Save(steps, trainer) : absl::OkStatus();
}

absl::Status JobCheckpoints::Save(int64_t step, const Trainer& trainer) {
  const auto reached = [this](CheckpointPoint point) {
    if (observer_) observer_(point);
  };
  BMOE_RETURN_IF_ERROR(
      AgreeOn(first() ? directory_.Prepare(step) : absl::OkStatus()));
  reached(CheckpointPoint::kPrepared);
  const absl::Status written = WriteFile(step, trainer);
  reached(CheckpointPoint::kFileWritten);
  BMOE_RETURN_IF_ERROR(AgreeOn(written));
  CheckpointIndex index{step, ShapeOf(options_), {}};
  for (int32_t rank = 0; rank < transport_.world_size(); ++rank) {
    index.files.push_back(WorkerFileName(rank, transport_.world_size()));
  }
  return AgreeOn(first() ? directory_.Commit(index, observer_)
                         : absl::OkStatus());
}

absl::Status JobCheckpoints::WriteFile(int64_t step,
                                       const Trainer& trainer) const {
  const auto mine = absl::MakeConstSpan(trainer.parameters())
                        .subspan(first() ? 0 : trainer.num_replicated());
  std::vector<TensorToSave> tensors;
  // Until they are written: copies of what lies on another device.
  std::vector<torch::Tensor> values;
  for (const AdamParameter& parameter : mine) {
    for (NamedTensor& named : TensorsOf(parameter)) {
      values.push_back(named.tensor.cpu());
      tensors.push_back({std::move(named.name), named.tensor.sizes().vec(),
                         BytesOf(values.back())});
    }
  }
  const std::string name =
      WorkerFileName(transport_.rank().value(), transport_.world_size());
  return WriteSafetensors(directory_.FilePath(step, name), tensors,
                          {{"step", absl::StrCat(step)}});
}

absl::Status JobCheckpoints::AgreeOn(const absl::Status& mine) const {
  const Outcome outcome = OutcomeOf(mine);
  BMOE_ASSIGN_OR_RETURN(const std::vector<Outcome> all,
                        GatherAll<Outcome>({outcome}, transport_));
  for (size_t worker = 0; worker < all.size(); ++worker) {
    if (all[worker].code == absl::StatusCode::kOk) continue;
    const std::string message(all[worker].message.data());
    return {all[worker].code,
            worker == transport_.rank().index()
                ? message
                : absl::StrCat("worker ", worker, ": ", message)};
  }
  return absl::OkStatus();
}

}  // namespace balancemoe::worker
