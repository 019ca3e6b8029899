#include "worker/checkpoint/safetensors.h"

#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/checksum.h"
#include "common/durable_file.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

static_assert(std::endian::native == std::endian::little);

using Json = nlohmann::ordered_json;

constexpr absl::string_view kMetadata = "__metadata__";
constexpr absl::string_view kChecksum = "xxh3.";
// The format's own bound.
constexpr uint64_t kMostHeaderBytes = 100'000'000;

std::string ChecksumText(absl::Span<const std::byte> bytes) {
  return absl::StrCat(absl::Hex(Checksum(bytes), absl::kZeroPad16));
}

absl::string_view AsText(absl::Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Null unless `json` is a list of whole numbers that are not negative.
std::optional<std::vector<int64_t>> Numbers(const Json& json) {
  if (!json.is_array()) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const Json& number : json) {
    if (!number.is_number_unsigned()) return std::nullopt;
    const auto value = number.get<uint64_t>();
    if (value > std::numeric_limits<int64_t>::max()) return std::nullopt;
    numbers.push_back(static_cast<int64_t>(value));
  }
  return numbers;
}

// Null where that is more than a file can have.
std::optional<int64_t> BytesOf(const std::vector<int64_t>& shape) {
  int64_t bytes = sizeof(float);
  for (const int64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return bytes;
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path,
                              absl::Span<const TensorToSave> tensors,
                              SafetensorsMetadata metadata) {
  Json header;
  std::vector<absl::string_view> parts(2);
  uint64_t end = 0;
  for (const TensorToSave& tensor : tensors) {
    const uint64_t begin = end;
    end += tensor.bytes.size();
    header[tensor.name] = {{"dtype", "F32"},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, end}}};
    metadata[absl::StrCat(kChecksum, tensor.name)] = ChecksumText(tensor.bytes);
    parts.push_back(AsText(tensor.bytes));
  }
  header[std::string(kMetadata)] = metadata;
  std::string text = header.dump();
  // Tensors begin at a multiple of 8.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t size = text.size();
  parts[0] = {reinterpret_cast<const char*>(&size), sizeof(size)};
  parts[1] = text;
  return ReplaceFile(path, parts);
}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  SafetensorsFile opened(path);
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const int64_t file_size = file.tellg();
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  uint64_t header_size = 0;
  const int64_t rest = file_size - static_cast<int64_t>(sizeof(header_size));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(&header_size), sizeof(header_size));
  if (!file || header_size > kMostHeaderBytes ||
      static_cast<int64_t>(header_size) > rest) {
    return opened.Wrong("is no complete safetensors file");
  }
  std::string header(header_size, '\0');
  file.read(header.data(), static_cast<std::streamsize>(header_size));
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  const auto data_size = rest - static_cast<int64_t>(header_size);
  BMOE_RETURN_IF_ERROR(
      opened.ParseHeader(header, file_size - data_size, data_size));
  return opened;
}

absl::Status SafetensorsFile::ParseHeader(const std::string& header,
                                          int64_t data_begin,
                                          int64_t data_size) {
  const Json json = Json::parse(header, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Wrong("its header is no JSON object");
  for (const auto& [name, entry] : json.items()) {
    if (name == kMetadata) continue;
    if (!entry.is_object() || entry.value("dtype", Json()) != "F32") {
      return Wrong(absl::StrCat("tensor ", name, " is not of type F32"));
    }
    const auto shape = Numbers(entry.value("shape", Json()));
    const auto offsets = Numbers(entry.value("data_offsets", Json()));
    if (!shape.has_value() || !offsets.has_value() || offsets->size() != 2) {
      return Wrong(absl::StrCat("tensor ", name, " has no shape or offsets"));
    }
    const int64_t begin = (*offsets)[0];
    const int64_t end = (*offsets)[1];
    if (begin > end || end > data_size || BytesOf(*shape) != end - begin) {
      return Wrong(absl::StrCat("tensor ", name, " of shape ",
                                ShapeText(*shape), " lies at bytes ", begin,
                                " to ", end, " of ", data_size));
    }
    tensors_[name] = {*shape, data_begin + begin, end - begin, ""};
  }
  const Json metadata = json.value(std::string(kMetadata), Json::object());
  for (auto& [name, tensor] : tensors_) {
    const auto found = metadata.find(absl::StrCat(kChecksum, name));
    if (found == metadata.end() || !found->is_string()) continue;
    tensor.checksum = found->get<std::string>();
  }
  return absl::OkStatus();
}

std::vector<std::string> SafetensorsFile::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

absl::Status SafetensorsFile::Read(const std::string& name,
                                   const std::vector<int64_t>& shape,
                                   absl::Span<std::byte> bytes) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    return Wrong(absl::StrCat("has no tensor ", name));
  }
  const Tensor& tensor = found->second;
  if (tensor.shape != shape ||
      tensor.size != static_cast<int64_t>(bytes.size())) {
    return Wrong(absl::StrCat("tensor ", name, " has shape ",
                              ShapeText(tensor.shape), ", not ",
                              ShapeText(shape)));
  }
  std::ifstream file(path_, std::ios::binary);
  file.seekg(tensor.offset);
  file.read(reinterpret_cast<char*>(bytes.data()), tensor.size);
  if (!file) {
    return absl::NotFoundError(absl::StrCat(path_, ": cannot be read"));
  }
  if (!tensor.checksum.empty() && tensor.checksum != ChecksumText(bytes)) {
    return Wrong(absl::StrCat("tensor ", name, " is damaged: its checksum is ",
                              ChecksumText(bytes), ", not ", tensor.checksum));
  }
  return absl::OkStatus();
}

absl::Status SafetensorsFile::Wrong(const std::string& what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
}

}  // namespace balancemoe::worker
