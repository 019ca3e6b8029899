#ifndef BALANCEMOE_WORKER_CHECKPOINT_SAFETENSORS_H_
#define BALANCEMOE_WORKER_CHECKPOINT_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace balancemoe::worker {

// A tensor of fp32 in row-major order, little-endian, whose memory is somebody
// else's.
struct TensorToSave {
  std::string name;
  std::vector<int64_t> shape;
  absl::Span<const std::byte> bytes;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// Writes a file in the safetensors format
// (https://github.com/huggingface/safetensors, README, "Format"): it is there
// as a whole or not at all. Each tensor's checksum goes into the metadata, as
// "xxh3.NAME". Names differ.
//
// Errors: those of ReplaceFile.
absl::Status WriteSafetensors(const std::string& path,
                              absl::Span<const TensorToSave> tensors,
                              SafetensorsMetadata metadata);

// What a safetensors file has, by its header; tensors are read one by one. May
// be used from several threads.
class SafetensorsFile {
 public:
  // Errors: NotFound when the file cannot be read; InvalidArgument, with file
  // and reason, when it is no safetensors file, or not complete, or has other
  // tensors than fp32.
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  const std::string& path() const { return path_; }

  // Ascending.
  std::vector<std::string> Names() const;

  // Fills `bytes` with the tensor `name`.
  //
  // Errors: InvalidArgument, with file and tensor, when it is not there, has
  // another shape, or its checksum is wrong; NotFound when the file cannot be
  // read.
  absl::Status Read(const std::string& name, const std::vector<int64_t>& shape,
                    absl::Span<std::byte> bytes) const;

 private:
  struct Tensor {
    std::vector<int64_t> shape;
    // From the beginning of the file.
    int64_t offset = 0;
    int64_t size = 0;
    // Hexadecimal; empty: not known.
    std::string checksum;
  };

  explicit SafetensorsFile(std::string path) : path_(std::move(path)) {}

  // `data_begin` is where tensors begin, `data_size` how many bytes they have.
  absl::Status ParseHeader(const std::string& header, int64_t data_begin,
                           int64_t data_size);
  absl::Status Wrong(const std::string& what) const;

  std::string path_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_CHECKPOINT_SAFETENSORS_H_
