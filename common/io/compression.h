#ifndef BALANCEMOE_COMMON_IO_COMPRESSION_H_
#define BALANCEMOE_COMMON_IO_COMPRESSION_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace balancemoe {

enum class Compression { kNone, kGzip, kZstd };

// What the first bytes of a file say: a wrong name does not matter.
Compression CompressionOfBytes(absl::string_view bytes);
// What the end of a file's name asks for: .gz, .zst or none.
Compression CompressionOfName(absl::string_view path);

// The text in `bytes`, whatever their compression; `file` names them in
// messages. Several gzip members or zstd frames in a row are one text.
//
// Errors, InvalidArgument as "FILE:LINE: what is wrong", LINE being the line of
// text that the bytes reach: compressed data that end early or are corrupt, or
// more than `most_bytes` of text.
absl::StatusOr<std::string> Decompress(std::string bytes,
                                       absl::string_view file,
                                       int64_t most_bytes);

// Deterministic: equal texts give equal bytes.
std::string Compress(absl::string_view text, Compression compression);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_COMPRESSION_H_
