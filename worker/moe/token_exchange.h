#ifndef BALANCEMOE_WORKER_MOE_TOKEN_EXCHANGE_H_
#define BALANCEMOE_WORKER_MOE_TOKEN_EXCHANGE_H_

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/moe/token_layout.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Time spent in exchanges.
struct ExchangeTimes {
  absl::Duration all_to_all;
  // Of which waiting for slower peers; zero unless told apart.
  absl::Duration peer_wait;
};

// Moves rows of [*, H] between the workers that hold tokens and those that
// compute them. Collective: all workers call the same in the same order.
class TokenExchange {
 public:
  struct Options {
    int64_t hidden = 0;
    // Meets the peers before each exchange, to tell waiting from moving.
    bool split_peer_wait = false;
    // Where the rows are.
    torch::Device device = torch::kCPU;
    // Puts rows in place by one kernel, as a GPU likes it, instead of a copy
    // per segment. Rows that the host cannot touch need it.
    bool by_index = false;
  };

  // `transport` and `clock` must outlive the exchange.
  TokenExchange(const Options& options, TokenLayout layout,
                Transport& transport, const Clock& clock);

  // `rows`, [T * K, H] in send order, to the batches of the experts computed
  // here, each in memory of its own, so that all batches are equally aligned;
  // by index one after the other in the same memory.
  //
  // Errors: those of Transport::AllToAllV.
  absl::StatusOr<std::vector<torch::Tensor>> ToExperts(
      const torch::Tensor& rows, ExchangeTimes& times) const;

  // The reverse: one tensor per batch, contiguous, to [T * K, H] in send order.
  absl::StatusOr<torch::Tensor> FromExperts(at::TensorList batches,
                                            ExchangeTimes& times) const;

  const TokenLayout& layout() const { return layout_; }

 private:
  std::vector<torch::Tensor> ToBatches(const torch::Tensor& buffer) const;
  torch::Tensor ToBuffer(at::TensorList batches) const;
  torch::Tensor Rows(int64_t rows) const;
  absl::Status Exchange(const torch::Tensor& send,
                        const std::vector<size_t>& send_bytes,
                        const torch::Tensor& receive,
                        const std::vector<size_t>& receive_bytes,
                        ExchangeTimes& times) const;

  const Options options_;
  const TokenLayout layout_;
  Transport& transport_;
  const Clock& clock_;
  // [W] each.
  std::vector<size_t> send_bytes_;
  std::vector<size_t> receive_bytes_;
  // By index: the buffer's row of each row of all batches, and the reverse.
  torch::Tensor buffer_row_of_;
  torch::Tensor batch_row_of_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TOKEN_EXCHANGE_H_
