#include "coordinator/config_file.h"

#include <yaml-cpp/yaml.h>

#include <fstream>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace balancemoe::coordinator {
namespace {

std::string Where(const std::string& path, const YAML::Mark& mark) {
  return absl::StrCat(path, ":", mark.line + 1);
}

absl::StatusOr<std::vector<ConfigEntry>> Entries(const std::string& path,
                                                 const YAML::Node& root) {
  std::vector<ConfigEntry> entries;
  if (root.IsNull()) return entries;
  if (!root.IsMap()) {
    return absl::InvalidArgumentError(absl::StrCat(
        Where(path, root.Mark()), ": must be lines of `flag: value`"));
  }
  std::set<std::string> keys;
  for (const auto& entry : root) {
    const std::string where = Where(path, entry.first.Mark());
    if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": must be `flag: value` with a plain value"));
    }
    const std::string& key = entry.first.Scalar();
    if (!keys.insert(key).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": ", key, " is set already"));
    }
    entries.push_back(
        {.key = key, .value = entry.second.Scalar(), .where = where});
  }
  return entries;
}

}  // namespace

absl::StatusOr<std::vector<ConfigEntry>> ReadConfigFile(
    const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  try {
    return Entries(path, YAML::Load(file));
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(
        absl::StrCat(Where(path, e.mark), ": ", e.msg));
  }
}

}  // namespace balancemoe::coordinator
