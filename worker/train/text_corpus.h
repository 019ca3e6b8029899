#ifndef BALANCEMOE_WORKER_TRAIN_TEXT_CORPUS_H_
#define BALANCEMOE_WORKER_TRAIN_TEXT_CORPUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace balancemoe::worker {

// The text to learn from, byte by byte. Immutable.
class TextCorpus {
 public:
  // Joins `files` in the given order; without any, the licence texts that
  // Debian's base-files puts on every system, sorted by name.
  //
  // Errors: InvalidArgument, naming --text, for a file that cannot be read, and
  // for fewer than `seq` + 1 bytes in all.
  static absl::StatusOr<TextCorpus> Load(const std::vector<std::string>& files,
                                         int64_t seq);

  // `bytes` holds at least `seq` + 1.
  TextCorpus(std::string bytes, int64_t seq)
      : bytes_(std::move(bytes)), seq_(seq) {}

  // Sequence `index` of the batch that all workers together see in `step`: seq
  // + 1 bytes, the last `seq` of which are to be foretold from those before.
  absl::string_view Sequence(uint64_t seed, int64_t step, int64_t index) const;

  size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
  int64_t seq_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_TEXT_CORPUS_H_
