#include "worker/train/text_corpus.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/train/seeded_random.h"

namespace balancemoe::worker {
namespace {

constexpr char kLicences[] = "/usr/share/common-licenses";

// Symbolic links stand for newest versions; each text counts once.
absl::StatusOr<std::vector<std::string>> LicenceTexts() {
  std::error_code error;
  std::set<std::string> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(kLicences, error)) {
    std::error_code unresolvable;
    const auto target = std::filesystem::canonical(entry.path(), unresolvable);
    if (!unresolvable && std::filesystem::is_regular_file(target)) {
      files.insert(target.string());
    }
  }
  if (files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--text: no licence texts in ", kLicences, " here; name a text file"));
  }
  return std::vector<std::string>(files.begin(), files.end());
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file),
                    std::istreambuf_iterator<char>()};
  if (bytes.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--text: ", path, " cannot be read, or is empty"));
  }
  return bytes;
}

}  // namespace

absl::StatusOr<TextCorpus> TextCorpus::Load(
    const std::vector<std::string>& files, int64_t seq) {
  std::vector<std::string> paths = files;
  if (paths.empty()) {
    BMOE_ASSIGN_OR_RETURN(paths, LicenceTexts());
  }
  std::string bytes;
  for (const std::string& path : paths) {
    BMOE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    bytes += text;
  }
  if (bytes.size() < static_cast<size_t>(seq) + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--text: ", bytes.size(), " bytes are too few for --seq ",
                     seq, "; at least ", seq + 1));
  }
  return TextCorpus(std::move(bytes), seq);
}

absl::string_view TextCorpus::Sequence(uint64_t seed, int64_t step,
                                       int64_t index) const {
  const size_t length = static_cast<size_t>(seq_) + 1;
  const size_t places = bytes_.size() - length + 1;
  const size_t start = SeededNumber(seed, static_cast<uint64_t>(step),
                                    static_cast<uint64_t>(index)) %
                       places;
  return absl::string_view(bytes_).substr(start, length);
}

}  // namespace balancemoe::worker
