#include "worker/checkpoint/checkpoint_directory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/durable_file.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "balancemoe-checkpoint";
constexpr int64_t kVersion = 1;
constexpr absl::string_view kStepPrefix = "step-";

std::string StepName(int64_t step) {
  return absl::StrFormat("%s%08d", kStepPrefix, step);
}

bool IsStepName(absl::string_view name) {
  return absl::ConsumePrefix(&name, kStepPrefix) && name.size() >= 8 &&
         name.find_first_not_of("0123456789") == absl::string_view::npos;
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)),
                   std::istreambuf_iterator<char>());
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  return text;
}

absl::Status Damaged(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": ", what,
      "; to go on from the checkpoint before, write its name into `latest`"));
}

Json ToJson(const CheckpointIndex& index) {
  return {{"format", kFormat},
          {"version", kVersion},
          {"step", index.step},
          {"model", index.model},
          {"files", index.files}};
}

bool AllOf(const Json& json, bool (*holds)(const Json&)) {
  return std::all_of(json.begin(), json.end(), holds);
}

absl::StatusOr<CheckpointIndex> ParseIndex(const std::string& text,
                                           const std::string& path) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("format", Json()) != kFormat) {
    return Damaged(path, "is no index of a checkpoint");
  }
  if (json.value("version", Json()) != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": has version ", json.value("version", Json()).dump(),
        ", and this program reads version ", kVersion));
  }
  const Json step = json.value("step", Json());
  const Json model = json.value("model", Json());
  const Json files = json.value("files", Json());
  const auto is_number = [](const Json& value) {
    return value.is_number_integer();
  };
  const auto is_name = [](const Json& value) {
    return value.is_string() &&
           !absl::StrContains(value.get_ref<const std::string&>(), '/');
  };
  if (!is_number(step) || !model.is_object() || !AllOf(model, is_number) ||
      !files.is_array() || !AllOf(files, is_name)) {
    return Damaged(path, "has no step, model or files");
  }
  return CheckpointIndex{step.get<int64_t>(),
                         model.get<std::map<std::string, int64_t>>(),
                         files.get<std::vector<std::string>>()};
}

absl::Status Failed(const std::string& path, const std::error_code& error) {
  return absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
}

}  // namespace

absl::StatusOr<std::optional<CheckpointIndex>> CheckpointDirectory::Latest()
    const {
  const std::string latest = absl::StrCat(path_, "/latest");
  std::error_code error;
  const bool there = fs::exists(latest, error);
  if (error) {
    return absl::NotFoundError(absl::StrCat(latest, ": ", error.message()));
  }
  if (!there) return std::nullopt;
  BMOE_ASSIGN_OR_RETURN(const std::string text, ReadText(latest));
  const std::string name(absl::StripSuffix(text, "\n"));
  if (!IsStepName(name)) {
    return Damaged(latest, absl::StrCat("\"", name, "\" names no checkpoint"));
  }
  const std::string path = absl::StrCat(path_, "/", name, "/index.json");
  if (!fs::exists(path, error)) return Damaged(path, "is not there");
  BMOE_ASSIGN_OR_RETURN(const std::string json, ReadText(path));
  BMOE_ASSIGN_OR_RETURN(CheckpointIndex index, ParseIndex(json, path));
  if (StepName(index.step) != name) {
    return Damaged(path, absl::StrCat("is the index of step ", index.step));
  }
  return index;
}

absl::Status CheckpointDirectory::Prepare(int64_t step) const {
  const std::string path = absl::StrCat(path_, "/", StepName(step));
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) fs::create_directories(path, error);
  return error ? Failed(path, error) : absl::OkStatus();
}

absl::Status CheckpointDirectory::Commit(
    const CheckpointIndex& index, const CheckpointObserver& observer) const {
  const auto reached = [&observer](CheckpointPoint point) {
    if (observer) observer(point);
  };
  BMOE_RETURN_IF_ERROR(ReplaceFile(FilePath(index.step, "index.json"),
                                   {ToJson(index).dump(1), "\n"}));
  reached(CheckpointPoint::kIndexWritten);
  const std::string name = StepName(index.step);
  BMOE_RETURN_IF_ERROR(
      ReplaceFile(absl::StrCat(path_, "/latest"), {name, "\n"}));
  reached(CheckpointPoint::kCommitted);
  DeleteAllBut(name);
  reached(CheckpointPoint::kDone);
  return absl::OkStatus();
}

// What cannot be deleted stays and is tried again next time.
void CheckpointDirectory::DeleteAllBut(const std::string& newest) const {
  std::error_code ignored;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (IsStepName(name) && name != newest) names.push_back(name);
  }
  // By step, of which longer names have larger ones.
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() > b.size() : a > b;
  });
  bool kept_one = false;
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(path_, "/", name);
    const bool complete = fs::exists(path + "/index.json", ignored);
    const bool older = name.size() < newest.size() ||
                       (name.size() == newest.size() && name < newest);
    if (complete && older && !kept_one) {
      kept_one = true;
    } else {
      fs::remove_all(path, ignored);
    }
  }
}

std::string CheckpointDirectory::FilePath(int64_t step,
                                          const std::string& name) const {
  return absl::StrCat(path_, "/", StepName(step), "/", name);
}

std::string WorkerFileName(int32_t rank, int32_t world_size) {
  return absl::StrFormat("worker-%05d-of-%05d.safetensors", rank, world_size);
}

}  // namespace balancemoe::worker
