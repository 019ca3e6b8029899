#include "worker/moe/token_exchange.h"

#include <cstring>
#include <numeric>
#include <utility>

#include "absl/types/span.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

absl::Span<std::byte> BytesOf(const torch::Tensor& tensor) {
  return absl::MakeSpan(static_cast<std::byte*>(tensor.data_ptr()),
                        tensor.nbytes());
}

std::vector<size_t> ToBytes(const std::vector<int64_t>& rows,
                            int64_t row_bytes) {
  std::vector<size_t> bytes;
  bytes.reserve(rows.size());
  for (const int64_t count : rows) {
    bytes.push_back(static_cast<size_t>(count * row_bytes));
  }
  return bytes;
}

int64_t Sum(const std::vector<int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

}  // namespace

TokenExchange::TokenExchange(const Options& options, TokenLayout layout,
                             Transport& transport, const Clock& clock)
    : options_(options),
      layout_(std::move(layout)),
      transport_(transport),
      clock_(clock) {
  const int64_t row_bytes =
      options_.hidden * static_cast<int64_t>(sizeof(float));
  send_bytes_ = ToBytes(layout_.send_rows, row_bytes);
  receive_bytes_ = ToBytes(layout_.receive_rows, row_bytes);
}

absl::StatusOr<std::vector<torch::Tensor>> TokenExchange::ToExperts(
    const torch::Tensor& rows, ExchangeTimes& times) const {
  const torch::Tensor buffer =
      torch::empty({Sum(layout_.receive_rows), options_.hidden});
  BMOE_RETURN_IF_ERROR(
      Exchange(rows, send_bytes_, buffer, receive_bytes_, times));
  std::vector<torch::Tensor> batches;
  batches.reserve(layout_.rows_of_batch.size());
  for (const int64_t batch_rows : layout_.rows_of_batch) {
    batches.push_back(torch::empty({batch_rows, options_.hidden}));
  }
  for (const TokenLayout::Segment& segment : layout_.segments) {
    std::memcpy(
        batches[segment.batch].mutable_data_ptr<float>() +
            segment.batch_row * options_.hidden,
        buffer.const_data_ptr<float>() + segment.buffer_row * options_.hidden,
        static_cast<size_t>(segment.rows * options_.hidden) * sizeof(float));
  }
  return batches;
}

absl::StatusOr<torch::Tensor> TokenExchange::FromExperts(
    at::TensorList batches, ExchangeTimes& times) const {
  const torch::Tensor buffer =
      torch::empty({Sum(layout_.receive_rows), options_.hidden});
  for (const TokenLayout::Segment& segment : layout_.segments) {
    std::memcpy(
        buffer.mutable_data_ptr<float>() + segment.buffer_row * options_.hidden,
        batches[segment.batch].const_data_ptr<float>() +
            segment.batch_row * options_.hidden,
        static_cast<size_t>(segment.rows * options_.hidden) * sizeof(float));
  }
  torch::Tensor rows = torch::empty({Sum(layout_.send_rows), options_.hidden});
  BMOE_RETURN_IF_ERROR(
      Exchange(buffer, receive_bytes_, rows, send_bytes_, times));
  return rows;
}

absl::Status TokenExchange::Exchange(const torch::Tensor& send,
                                     const std::vector<size_t>& send_bytes,
                                     const torch::Tensor& receive,
                                     const std::vector<size_t>& receive_bytes,
                                     ExchangeTimes& times) const {
  const absl::Time start = clock_.Now();
  if (options_.split_peer_wait) {
    BMOE_RETURN_IF_ERROR(transport_.Barrier());
    times.peer_wait += clock_.Now() - start;
  }
  const absl::Status status =
      transport_.AllToAllV(BytesOf(send), send_bytes, BytesOf(receive),
                           receive_bytes, ComputeStream{});
  times.all_to_all += clock_.Now() - start;
  return status;
}

}  // namespace balancemoe::worker
