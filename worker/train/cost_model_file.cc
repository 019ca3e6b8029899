#include "worker/train/cost_model_file.h"

#include <yaml-cpp/yaml.h>

#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

struct Field {
  std::string key;
  double* value;
};

// The keys of the file, and where their values go.
std::vector<Field> FieldsOf(CostModel& model) {
  return {{"expert_launch_us", &model.expert_launch_us},
          {"us_per_token", &model.us_per_token},
          {"backward_factor", &model.backward_factor},
          {"link_latency_us", &model.intra_node.latency_us},
          {"link_us_per_byte", &model.intra_node.us_per_byte},
          {"overlap_slowdown", &model.overlap_slowdown},
          {"host_cpu_us_per_byte", &model.host_cpu_us_per_byte}};
}

std::string Where(const std::string& path, const YAML::Mark& mark) {
  return absl::StrCat(path, ":", mark.line + 1, ": ");
}

absl::Status UnknownKey(absl::string_view key) {
  CostModel unused;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown key ", key, "; there are ",
                   absl::StrJoin(FieldsOf(unused), ", ",
                                 [](std::string* out, const Field& field) {
                                   out->append(field.key);
                                 })));
}

// Puts the value of one line where it belongs. The message leaves out where the
// line is.
absl::Status Set(const std::string& key, const std::string& text,
                 CostModel& model) {
  // The other fields are valid here, so that what is wrong is this one.
  CostModel alone;
  alone.us_per_token = 1;
  const std::vector<Field> fields = FieldsOf(model);
  const std::vector<Field> fields_alone = FieldsOf(alone);
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].key != key) continue;
    if (!absl::SimpleAtod(text, fields[i].value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(key, ": '", text, "' is no number"));
    }
    *fields_alone[i].value = *fields[i].value;
    return ValidateCostModel(alone);
  }
  return UnknownKey(key);
}

absl::StatusOr<CostModel> Read(const std::string& path,
                               const YAML::Node& root) {
  if (!root.IsMap()) {
    return absl::InvalidArgumentError(absl::StrCat(
        Where(path, root.Mark()), "must be lines of `key: number`"));
  }
  CostModel model;
  std::set<std::string> keys;
  for (const auto& entry : root) {
    const std::string where = Where(path, entry.first.Mark());
    if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, "must be `key: number`"));
    }
    const std::string& key = entry.first.Scalar();
    if (!keys.insert(key).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, key, " is set already"));
    }
    const absl::Status set = Set(key, entry.second.Scalar(), model);
    if (!set.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(where, set.message()));
    }
  }
  if (model.us_per_token == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": us_per_token is missing; a token takes some time"));
  }
  // A training run does not tell nodes apart yet.
  model.inter_node = model.intra_node;
  return model;
}

}  // namespace

absl::StatusOr<CostModel> ReadCostModelFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read"));
  }
  try {
    return Read(path, YAML::Load(file));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(Where(path, error.mark), error.msg));
  }
}

}  // namespace balancemoe::worker
