#include "worker/moe/token_exchange.h"

#include <cstring>
#include <numeric>
#include <utility>

#include "absl/types/span.h"
#include "common/status_macros.h"
#include "worker/expert/compute_device.h"

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

// The rows of the buffer in the order of the batches.
torch::Tensor BatchOrder(const TokenLayout& layout) {
  std::vector<int64_t> first_row(layout.rows_of_batch.size());
  std::exclusive_scan(layout.rows_of_batch.begin(), layout.rows_of_batch.end(),
                      first_row.begin(), int64_t{0});
  torch::Tensor order = torch::empty({Sum(layout.rows_of_batch)}, torch::kLong);
  for (const TokenLayout::Segment& segment : layout.segments) {
    int64_t* const at = order.mutable_data_ptr<int64_t>() +
                        first_row[segment.batch] + segment.batch_row;
    std::iota(at, at + segment.rows, segment.buffer_row);
  }
  return order;
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
  if (!options_.by_index) return;
  const torch::Tensor order = BatchOrder(layout_);
  buffer_row_of_ = order.to(options_.device);
  batch_row_of_ = order.argsort().to(options_.device);
}

torch::Tensor TokenExchange::Rows(int64_t rows) const {
  return torch::empty({rows, options_.hidden},
                      torch::TensorOptions(options_.device));
}

absl::StatusOr<std::vector<torch::Tensor>> TokenExchange::ToExperts(
    const torch::Tensor& rows, ExchangeTimes& times) const {
  const torch::Tensor buffer = Rows(Sum(layout_.receive_rows));
  BMOE_RETURN_IF_ERROR(
      Exchange(rows, send_bytes_, buffer, receive_bytes_, times));
  return ToBatches(buffer);
}

std::vector<torch::Tensor> TokenExchange::ToBatches(
    const torch::Tensor& buffer) const {
  if (options_.by_index) {
    // Unsafe is what shares memory without being a view: autograd takes each
    // as an output of its own, and nobody writes to them.
    return at::unsafe_split_with_sizes(buffer.index_select(0, buffer_row_of_),
                                       layout_.rows_of_batch);
  }
  std::vector<torch::Tensor> batches;
  batches.reserve(layout_.rows_of_batch.size());
  for (const int64_t batch_rows : layout_.rows_of_batch) {
    batches.push_back(Rows(batch_rows));
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
  const torch::Tensor buffer = ToBuffer(batches);
  torch::Tensor rows = Rows(Sum(layout_.send_rows));
  BMOE_RETURN_IF_ERROR(
      Exchange(buffer, receive_bytes_, rows, send_bytes_, times));
  return rows;
}

torch::Tensor TokenExchange::ToBuffer(at::TensorList batches) const {
  if (options_.by_index && !batches.empty()) {
    return torch::cat(batches).index_select(0, batch_row_of_);
  }
  torch::Tensor buffer = Rows(Sum(layout_.receive_rows));
  for (const TokenLayout::Segment& segment : layout_.segments) {
    std::memcpy(
        buffer.mutable_data_ptr<float>() + segment.buffer_row * options_.hidden,
        batches[segment.batch].const_data_ptr<float>() +
            segment.batch_row * options_.hidden,
        static_cast<size_t>(segment.rows * options_.hidden) * sizeof(float));
  }
  return buffer;
}

absl::Status TokenExchange::Exchange(const torch::Tensor& send,
                                     const std::vector<size_t>& send_bytes,
                                     const torch::Tensor& receive,
                                     const std::vector<size_t>& receive_bytes,
                                     ExchangeTimes& times) const {
  AwaitCompute(options_.device);
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
