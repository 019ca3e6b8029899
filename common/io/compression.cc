#include "common/io/compression.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/io/input_error.h"

namespace balancemoe {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 18;
// zlib: the largest window, with a gzip header.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kGzipMemoryLevel = 8;
constexpr int kZstdLevel = 9;

// What one call of a decoder did.
struct Step {
  size_t consumed = 0;
  size_t produced = 0;
  // A gzip member or zstd frame is complete; another may follow.
  bool ended = false;
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Decodes some of `in` into `out`. Errors: DataLoss, why.
  virtual absl::StatusOr<Step> Decode(absl::string_view in,
                                      std::vector<char>& out) = 0;
  virtual absl::string_view format() const = 0;
};

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() { BMOE_CHECK(inflateInit2(&stream_, kGzipWindowBits) == Z_OK); }
  ~GzipDecoder() override { inflateEnd(&stream_); }
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  absl::StatusOr<Step> Decode(absl::string_view in,
                              std::vector<char>& out) override {
    // zlib counts input in 32 bits.
    const size_t offered =
        std::min<size_t>(in.size(), std::numeric_limits<uInt>::max());
    stream_.next_in =
        reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));  // only read
    stream_.avail_in = static_cast<uInt>(offered);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return absl::DataLossError(stream_.msg != nullptr ? stream_.msg
                                                        : zError(result));
    }
    const Step step = {.consumed = offered - stream_.avail_in,
                       .produced = out.size() - stream_.avail_out,
                       .ended = result == Z_STREAM_END};
    if (step.ended) BMOE_CHECK(inflateReset(&stream_) == Z_OK);
    return step;
  }
  absl::string_view format() const override { return "gzip"; }

 private:
  z_stream stream_ = {};
};

class ZstdDecoder final : public Decoder {
 public:
  absl::StatusOr<Step> Decode(absl::string_view in,
                              std::vector<char>& out) override {
    ZSTD_inBuffer input = {in.data(), in.size(), 0};
    ZSTD_outBuffer output = {out.data(), out.size(), 0};
    const size_t result = ZSTD_decompressStream(stream_.get(), &output, &input);
    if (ZSTD_isError(result) != 0) {
      return absl::DataLossError(ZSTD_getErrorName(result));
    }
    return Step{
        .consumed = input.pos, .produced = output.pos, .ended = result == 0};
  }
  absl::string_view format() const override { return "zstd"; }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
};

absl::Status ErrorAfter(absl::string_view text, absl::string_view file,
                        absl::string_view problem) {
  return ErrorAt(file, absl::c_count(text, '\n') + 1, problem);
}

absl::StatusOr<std::string> DecodeAll(absl::string_view bytes,
                                      absl::string_view file,
                                      int64_t most_bytes, Decoder& decoder) {
  std::string text;
  std::vector<char> chunk(kChunkBytes);
  bool ended = false;
  while (!ended || !bytes.empty()) {
    const absl::StatusOr<Step> step = decoder.Decode(bytes, chunk);
    if (!step.ok()) {
      return ErrorAfter(text, file,
                        absl::StrCat("corrupt ", decoder.format(), " data (",
                                     step.status().message(),
                                     "); copy or make the file again"));
    }
    text.append(chunk.data(), step->produced);
    bytes.remove_prefix(step->consumed);
    ended = step->ended;
    if (text.size() > static_cast<size_t>(most_bytes)) {
      return ErrorAfter(text, file,
                        absl::StrCat("more than ", most_bytes,
                                     " bytes of text; split the file"));
    }
    if (!ended && step->consumed == 0 && step->produced == 0) {
      return ErrorAfter(
          text, file,
          absl::StrCat("the ", decoder.format(), " data end early, after ",
                       text.size(),
                       " bytes of text; copy or make the file again"));
    }
  }
  return text;
}

std::string Gzip(absl::string_view text) {
  z_stream stream = {};
  BMOE_CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                          kGzipWindowBits, kGzipMemoryLevel,
                          Z_DEFAULT_STRATEGY) == Z_OK);
  std::string bytes;
  std::vector<char> chunk(kChunkBytes);
  int result = Z_OK;
  while (result != Z_STREAM_END) {
    const size_t offered = std::min(text.size(), size_t{1} << 30);
    stream.next_in =
        reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // only read
    stream.avail_in = static_cast<uInt>(offered);
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    result = deflate(&stream, offered == text.size() ? Z_FINISH : Z_NO_FLUSH);
    BMOE_CHECK(result == Z_OK || result == Z_STREAM_END ||
               result == Z_BUF_ERROR);
    text.remove_prefix(offered - stream.avail_in);
    bytes.append(chunk.data(), chunk.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return bytes;
}

std::string Zstd(absl::string_view text) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  const size_t size = ZSTD_compress(bytes.data(), bytes.size(), text.data(),
                                    text.size(), kZstdLevel);
  BMOE_CHECK(ZSTD_isError(size) == 0);
  bytes.resize(size);
  return bytes;
}

}  // namespace

Compression CompressionOfBytes(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\x1f\x8b")) return Compression::kGzip;
  if (absl::StartsWith(bytes, "\x28\xb5\x2f\xfd")) return Compression::kZstd;
  return Compression::kNone;
}

Compression CompressionOfName(absl::string_view path) {
  if (absl::EndsWith(path, ".gz")) return Compression::kGzip;
  if (absl::EndsWith(path, ".zst")) return Compression::kZstd;
  return Compression::kNone;
}

absl::StatusOr<std::string> Decompress(std::string bytes,
                                       absl::string_view file,
                                       int64_t most_bytes) {
  switch (CompressionOfBytes(bytes)) {
    case Compression::kNone:
      return bytes;
    case Compression::kGzip: {
      GzipDecoder decoder;
      return DecodeAll(bytes, file, most_bytes, decoder);
    }
    case Compression::kZstd: {
      ZstdDecoder decoder;
      return DecodeAll(bytes, file, most_bytes, decoder);
    }
  }
  return bytes;
}

std::string Compress(absl::string_view text, Compression compression) {
  switch (compression) {
    case Compression::kNone:
      break;
    case Compression::kGzip:
      return Gzip(text);
    case Compression::kZstd:
      return Zstd(text);
  }
  return std::string(text);
}

}  // namespace balancemoe
