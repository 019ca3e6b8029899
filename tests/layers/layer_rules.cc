#include "tests/layers/layer_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace balancemoe {
namespace {

namespace fs = std::filesystem;

constexpr std::array<absl::string_view, 4> kRoots = {"common", "coordinator",
                                                     "tests", "worker"};
constexpr absl::string_view kTable = "docs/layers.txt";
constexpr absl::string_view kAny = "any";
// "worker/..." in a list: everything under worker.
constexpr absl::string_view kAllBelow = "/...";

// System headers with a suffix; those of C++ have none.
constexpr std::array<absl::string_view, 23> kPosixHeaders = {
    "dirent.h",    "dlfcn.h",  "errno.h",  "execinfo.h", "fcntl.h",
    "immintrin.h", "limits.h", "malloc.h", "netdb.h",    "poll.h",
    "pthread.h",   "pwd.h",    "sched.h",  "signal.h",   "spawn.h",
    "stdint.h",    "stdio.h",  "stdlib.h", "string.h",   "syslog.h",
    "termios.h",   "time.h",   "unistd.h"};
constexpr std::array<absl::string_view, 5> kPosixDirectories = {
    "arpa", "linux", "net", "netinet", "sys"};

std::string DirectoryOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? ""
                                          : std::string(path.substr(0, slash));
}

absl::string_view FirstPart(absl::string_view path) {
  return path.substr(0, path.find('/'));
}

bool IsSystem(absl::string_view header) {
  if (absl::StrContains(header, '/')) {
    return absl::c_linear_search(kPosixDirectories, FirstPart(header));
  }
  return !absl::StrContains(header, '.') ||
         absl::c_linear_search(kPosixHeaders, header);
}

bool IsOurs(absl::string_view header) {
  // Generated from our protos.
  constexpr absl::string_view kGenerated = "balancemoe";
  return FirstPart(header) == kGenerated ||
         absl::c_linear_search(kRoots, FirstPart(header));
}

bool IsTest(absl::string_view path) {
  return absl::EndsWith(path, "_test.cc") ||
         absl::StrContains(path, "/testing/");
}

std::vector<std::string> SplitList(absl::string_view column) {
  if (column == "-") return {};
  return absl::StrSplit(column, ' ', absl::SkipEmpty());
}

std::vector<std::string> ReadLines(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Files under our directories, relative to `root`, sorted.
std::vector<std::string> FilesOf(const fs::path& root) {
  std::vector<std::string> files;
  for (const absl::string_view directory : kRoots) {
    const fs::path start = root / std::string(directory);
    if (!fs::exists(start)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(start)) {
      if (!entry.is_regular_file()) continue;
      files.push_back(entry.path().lexically_relative(root).string());
    }
  }
  absl::c_sort(files);
  return files;
}

bool IsSource(absl::string_view path) {
  return absl::EndsWith(path, ".h") || absl::EndsWith(path, ".cc") ||
         absl::EndsWith(path, ".cu");
}

}  // namespace

absl::StatusOr<LayerRules> LayerRules::Parse(absl::string_view text,
                                             absl::string_view file) {
  LayerRules rules;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> columns;
    for (const absl::string_view part :
         absl::StrSplit(line, "  ", absl::SkipWhitespace())) {
      columns.emplace_back(absl::StripAsciiWhitespace(part));
    }
    if (columns.size() != 3) {
      return absl::InvalidArgumentError(absl::StrCat(
          file, ":", number, ": ", columns.size(),
          " columns; a line has a directory, our directories and third-party "
          "headers, two spaces apart"));
    }
    const bool is_new = rules.layer_by_directory_
                            .emplace(columns[0], Layer{SplitList(columns[1]),
                                                       SplitList(columns[2])})
                            .second;
    if (!is_new) {
      return absl::InvalidArgumentError(absl::StrCat(
          file, ":", number, ": ", columns[0], " has a line already"));
    }
  }
  return rules;
}

std::string LayerRules::LineFor(absl::string_view directory) const {
  std::string name(directory);
  while (!name.empty() && !layer_by_directory_.contains(name)) {
    name = DirectoryOf(name);
  }
  return name;
}

std::vector<std::string> LayerRules::Directories() const {
  std::vector<std::string> directories;
  for (const auto& [directory, layer] : layer_by_directory_) {
    directories.push_back(directory);
  }
  return directories;
}

std::string LayerRules::Check(absl::string_view path,
                              absl::string_view line) const {
  line = absl::StripLeadingAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, "#")) return "";
  line = absl::StripLeadingAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, "include")) return "";
  line = absl::StripLeadingAsciiWhitespace(line);
  const size_t end =
      line.empty() ? 0 : line.find(line[0] == '<' ? '>' : '"', 1);
  if (line.empty() || (line[0] != '<' && line[0] != '"') ||
      end == absl::string_view::npos) {
    return absl::StrCat("#include ", line,
                        ": a plain file name can be checked");
  }
  const bool angled = line[0] == '<';
  const absl::string_view header = line.substr(1, end - 1);
  if (angled && IsSystem(header)) return "";
  return IsOurs(header) ? CheckOurs(path, header)
                        : CheckThirdParty(path, header);
}

std::string LayerRules::CheckOurs(absl::string_view path,
                                  absl::string_view header) const {
  const std::string own = LineFor(DirectoryOf(path));
  std::vector<std::string> allowed = layer_by_directory_.at(own).ours;
  if (IsTest(path)) {
    for (const absl::string_view name :
         {absl::string_view("common"), FirstPart(path),
          absl::string_view("tests/fixtures")}) {
      allowed.push_back(absl::StrCat(name, kAllBelow));
    }
  }
  // The generated headers of protos lie in no directory of their own.
  std::string other = LineFor(DirectoryOf(header));
  if (other.empty()) other = std::string(FirstPart(header));
  if (other == own) return "";
  for (absl::string_view name : allowed) {
    if (name == kAny || name == other) return "";
    if (absl::ConsumeSuffix(&name, kAllBelow) &&
        absl::StartsWith(absl::StrCat(header), absl::StrCat(name, "/"))) {
      return "";
    }
  }
  return absl::StrCat(own, " must not include \"", header,
                      "\"; of ours it may ", "include ", own,
                      allowed.empty() ? "" : ", ", absl::StrJoin(allowed, ", "),
                      " (", kTable, ")");
}

std::string LayerRules::CheckThirdParty(absl::string_view path,
                                        absl::string_view header) const {
  const std::string own = LineFor(DirectoryOf(path));
  std::vector<std::string> allowed = layer_by_directory_.at(own).third_party;
  if (IsTest(path)) allowed.insert(allowed.end(), {"gtest", "gmock"});
  for (const std::string& name : allowed) {
    if (name == kAny || name == FirstPart(header)) return "";
  }
  return absl::StrCat(
      own, " must not include <", header, ">; of others it may include ",
      allowed.empty() ? "nothing" : absl::StrJoin(allowed, ", "), " (", kTable,
      ")");
}

std::vector<std::string> CheckLayers(const fs::path& root,
                                     const LayerRules& rules) {
  std::vector<std::string> wrong;
  for (const std::string& directory : rules.Directories()) {
    if (fs::is_directory(root / directory)) continue;
    wrong.push_back(
        absl::StrCat(kTable, ": there is no directory ", directory));
  }
  std::set<std::string> unlisted;
  for (const std::string& path : FilesOf(root)) {
    if (!IsSource(path)) continue;
    if (rules.LineFor(DirectoryOf(path)).empty()) {
      if (!unlisted.insert(DirectoryOf(path)).second) continue;
      wrong.push_back(absl::StrCat(path, ": ", kTable, " has no line for ",
                                   DirectoryOf(path)));
      continue;
    }
    size_t number = 0;
    for (const std::string& line : ReadLines(root / path)) {
      ++number;
      const std::string what = rules.Check(path, line);
      if (!what.empty()) {
        wrong.push_back(absl::StrCat(path, ":", number, ": ", what));
      }
    }
  }
  return wrong;
}

std::vector<std::string> CheckFileLengths(const fs::path& root) {
  constexpr size_t kSourceLines = 400;
  constexpr size_t kCmakeLines = 80;
  std::vector<std::string> files = FilesOf(root);
  files.push_back("CMakeLists.txt");
  std::vector<std::string> wrong;
  for (const std::string& path : files) {
    const bool is_cmake = fs::path(path).filename() == "CMakeLists.txt";
    if (!is_cmake && !IsSource(path)) continue;
    const size_t limit = is_cmake ? kCmakeLines : kSourceLines;
    const size_t lines = ReadLines(root / path).size();
    if (lines <= limit) continue;
    wrong.push_back(absl::StrCat(path, ": ", lines, " lines; at most ", limit,
                                 ", so split it"));
  }
  return wrong;
}

}  // namespace balancemoe
