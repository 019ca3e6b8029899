#include "common/io/profile_file.h"

#include <yaml-cpp/yaml.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/io/input_error.h"
#include "common/io/profile_keys.h"
#include "common/io/shipped_profiles.h"
#include "common/io/text_file.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

// Far more than any profile; keeps the YAML parser from odd inputs.
constexpr int64_t kMostProfileBytes = int64_t{1} << 16;

int64_t LineOf(const YAML::Mark& mark) { return mark.line + 1; }

// A value of a file by its whole key, "intra_node.latency_us".
struct Value {
  YAML::Node node;
  int64_t line = 0;
};
using ValueByKey = std::map<std::string, Value>;

// Reads the fields of a profile from the file's values.
class ProfileParser {
 public:
  explicit ProfileParser(const std::string& file)
      : file_(file), keys_(KeysOf(profile_)) {}

  // May throw YAML::Exception.
  absl::StatusOr<Profile> Parse(const YAML::Node& root) {
    BMOE_RETURN_IF_ERROR(Gather(root, ""));
    for (const ProfileKey& key : keys_) BMOE_RETURN_IF_ERROR(Read(key));
    const absl::Status valid = ValidateProfile(profile_);
    if (!valid.ok())
      return ErrorAt(file_, LineOfProblem(valid.message()), valid.message());
    return profile_;
  }

 private:
  // Puts the values under `map` into value_by_key_.
  absl::Status Gather(const YAML::Node& map, const std::string& prefix) {
    if (!map.IsMap()) {
      return ErrorAt(file_, LineOf(map.Mark()),
                     "no profile; lines of `key: value` make one");
    }
    for (const auto& entry : map) {
      const int64_t line = LineOf(entry.first.Mark());
      if (!entry.first.IsScalar()) {
        return ErrorAt(file_, line, "a key is no plain word");
      }
      const std::string key = absl::StrCat(prefix, entry.first.Scalar());
      if (!value_by_key_.insert({key, {entry.second, line}}).second) {
        return ErrorAt(file_, line,
                       absl::StrCat(Quoted(key), " comes twice; keep one"));
      }
      if (IsKey(key)) continue;
      if (!prefix.empty() || !IsGroup(key)) return UnknownKey(key, line);
      if (!entry.second.IsMap()) return NoGroup(key, line);
      BMOE_RETURN_IF_ERROR(Gather(entry.second, absl::StrCat(key, ".")));
    }
    return absl::OkStatus();
  }

  absl::Status Read(const ProfileKey& key) {
    const auto found = value_by_key_.find(key.name);
    if (found == value_by_key_.end()) {
      if (key.optional) return absl::OkStatus();
      return ErrorAt(file_, LineOfGroup(key.name),
                     absl::StrCat(key.name, " is missing; add it"));
    }
    const Value& value = found->second;
    const auto error = [&](absl::string_view right) {
      const std::string is = value.node.IsScalar() ? Quoted(value.node.Scalar())
                                                   : "no plain value";
      return ErrorAt(file_, value.line,
                     absl::StrCat(key.name, " is ", is, "; ", right));
    };
    return std::visit(
        [&](auto* field) {
          return value.node.IsScalar() && ReadScalar(value.node, *field)
                     ? absl::OkStatus()
                     : error(RightFor(*field));
        },
        key.field);
  }

  static bool ReadScalar(const YAML::Node& node, std::string& field) {
    field = node.Scalar();
    // It goes into reports, tables and pictures.
    return !field.empty() && absl::c_all_of(field, absl::ascii_isprint);
  }
  static bool ReadScalar(const YAML::Node& node, bool& field) {
    return YAML::convert<bool>::decode(node, field);
  }
  static bool ReadScalar(const YAML::Node& node, double& field) {
    return absl::SimpleAtod(node.Scalar(), &field) && std::isfinite(field);
  }
  template <typename Integer>
  static bool ReadScalar(const YAML::Node& node, Integer& field) {
    return absl::SimpleAtoi(node.Scalar(), &field);
  }

  template <typename Field>
  static absl::string_view RightFor(const Field&) {
    if (std::is_same_v<Field, std::string>)
      return "a name of printable ASCII is right";
    if (std::is_same_v<Field, bool>) return "true or false is right";
    if (std::is_same_v<Field, double>) return "a number is right";
    return "a whole number is right";
  }

  bool IsKey(absl::string_view key) const {
    return absl::c_any_of(
        keys_, [&](const ProfileKey& known) { return known.name == key; });
  }
  bool IsGroup(absl::string_view key) const {
    return absl::c_any_of(keys_, [&](const ProfileKey& known) {
      return absl::StartsWith(known.name, absl::StrCat(key, "."));
    });
  }

  absl::Status UnknownKey(const std::string& key, int64_t line) const {
    const auto append_name = [](std::string* out, const ProfileKey& known) {
      out->append(known.name);
    };
    return ErrorAt(file_, line,
                   absl::StrCat(Quoted(key),
                                " is no key of a profile; they "
                                "are ",
                                absl::StrJoin(keys_, ", ", append_name)));
  }
  absl::Status NoGroup(const std::string& key, int64_t line) const {
    std::vector<std::string> names;
    for (const ProfileKey& known : keys_) {
      if (absl::StartsWith(known.name, absl::StrCat(key, "."))) {
        names.push_back(known.name.substr(key.size() + 1));
      }
    }
    return ErrorAt(
        file_, line,
        absl::StrCat(key, " is no map; {", absl::StrJoin(names, ": .., "),
                     ": ..} is "
                     "right"));
  }

  // Of the group that a key belongs to, where it has one in the file.
  int64_t LineOfGroup(absl::string_view key) const {
    const std::vector<std::string> parts = absl::StrSplit(key, '.');
    const auto found = value_by_key_.find(parts[0]);
    return found == value_by_key_.end() ? 1 : found->second.line;
  }
  // Of the first key that a message of ValidateProfile names.
  int64_t LineOfProblem(absl::string_view message) const {
    size_t first = absl::string_view::npos;
    int64_t line = 1;
    for (const auto& [key, value] : value_by_key_) {
      const size_t at = message.find(key);
      // A key comes after its group in the map, and at the same place.
      if (at == absl::string_view::npos || at > first) continue;
      first = at;
      line = value.line;
    }
    return line;
  }

  const std::string& file_;
  Profile profile_;
  const std::vector<ProfileKey> keys_;
  ValueByKey value_by_key_;
};

bool IsPath(absl::string_view name_or_path) {
  return absl::StrContains(name_or_path, '/') ||
         absl::EndsWith(name_or_path, ".yaml") ||
         absl::EndsWith(name_or_path, ".yml");
}

// As JSON has it, which YAML reads: numbers in the fewest digits that give the
// same value again.
std::string FormatValue(const ProfileKey& key) {
  return std::visit(
      [](auto* field) -> std::string {
        if constexpr (std::is_same_v<decltype(field), double*>) {
          const bool whole =
              *field == std::floor(*field) && std::abs(*field) < 1e15;
          if (whole) return absl::StrCat(static_cast<int64_t>(*field));
        }
        return nlohmann::json(*field).dump();
      },
      key.field);
}

}  // namespace

absl::StatusOr<Profile> LoadProfile(const std::string& name_or_path) {
  if (IsPath(name_or_path)) {
    BMOE_ASSIGN_OR_RETURN(const std::string text,
                          ReadTextFile(name_or_path, kMostProfileBytes));
    return ParseProfile(text, name_or_path);
  }
  for (const ShippedProfile& profile : ShippedProfiles()) {
    if (profile.name != name_or_path) continue;
    return ParseProfile(profile.text, absl::StrCat(profile.name, ".yaml"));
  }
  return absl::NotFoundError(absl::StrCat(
      "there is no profile ", Quoted(name_or_path), "; name one of ",
      absl::StrJoin(ShippedProfileNames(), ", "), ", or a FILE.yaml"));
}

std::vector<std::string> ShippedProfileNames() {
  std::vector<std::string> names;
  for (const ShippedProfile& profile : ShippedProfiles()) {
    names.emplace_back(profile.name);
  }
  return names;
}

absl::StatusOr<Profile> ParseProfile(absl::string_view text,
                                     const std::string& file) {
  if (text.size() > static_cast<size_t>(kMostProfileBytes)) {
    return ErrorAt(
        file, 1,
        absl::StrCat("a profile has at most ", kMostProfileBytes, " bytes"));
  }
  try {
    return ProfileParser(file).Parse(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& e) {
    return ErrorAt(file, LineOf(e.mark), e.msg);
  }
}

std::string FormatProfile(const Profile& profile, absl::string_view origin) {
  std::string text;
  for (const absl::string_view line : absl::StrSplit(origin, '\n')) {
    absl::StrAppend(&text, line.empty() ? "#" : "# ", line, "\n");
  }
  Profile copy = profile;
  std::string group;
  for (const ProfileKey& key : KeysOf(copy)) {
    const std::vector<std::string> parts = absl::StrSplit(key.name, '.');
    const std::string parent = parts.size() > 1 ? parts[0] : "";
    if (!group.empty() && parent != group) text += "}\n";
    if (parent.empty()) {
      absl::StrAppend(&text, key.name, ": ", FormatValue(key), "\n");
    } else {
      absl::StrAppend(&text,
                      parent == group ? ", " : absl::StrCat(parent, ": {"),
                      parts[1], ": ", FormatValue(key));
    }
    group = parent;
  }
  return group.empty() ? text : absl::StrCat(text, "}\n");
}

absl::Status WriteProfile(const Profile& profile, absl::string_view origin,
                          const std::string& path) {
  return WriteTextFile(path, FormatProfile(profile, origin));
}

}  // namespace balancemoe
