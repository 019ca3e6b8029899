#include <cuda_runtime.h>

#include "worker/cuda/stream_kernels.h"

namespace balancemoe::worker {
namespace {

constexpr int kThreads = 256;
// A part of the GPU, because the rest computes meanwhile.
constexpr size_t kMostBlocks = 64;
constexpr size_t kWordBytes = sizeof(unsigned long long);

int BlocksFor(size_t items) {
  const size_t wanted = (items + kThreads - 1) / kThreads;
  return static_cast<int>(wanted < kMostBlocks ? wanted : kMostBlocks);
}

__device__ size_t FirstItem() {
  return static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ size_t ItemStride() {
  return static_cast<size_t>(gridDim.x) * blockDim.x;
}

__global__ void SumInRankOrder(float* sum, const float* parts, size_t count,
                               int ranks) {
  for (size_t i = FirstItem(); i < count; i += ItemStride()) {
    float value = parts[i];
    for (int rank = 1; rank < ranks; ++rank) {
      value = __fadd_rn(value, parts[rank * count + i]);
    }
    sum[i] = value;
  }
}

// Word `i` of `from`; the last may have fewer bytes, and is filled with zeros.
__device__ unsigned long long Word(const unsigned char* from, size_t bytes,
                                   size_t i) {
  const size_t begin = i * kWordBytes;
  const bool whole = begin + kWordBytes <= bytes;
  if (whole && reinterpret_cast<size_t>(from) % kWordBytes == 0) {
    return *reinterpret_cast<const unsigned long long*>(from + begin);
  }
  const size_t end = whole ? begin + kWordBytes : bytes;
  unsigned long long word = 0;
  for (size_t byte = end; byte > begin; --byte) {
    word = word << 8 | from[byte - 1];
  }
  return word;
}

// Spreads every bit of a word and of its place over 64 bits.
__device__ unsigned long long Mix(unsigned long long word, size_t place) {
  unsigned long long mixed = word ^ (place + 1) * 0x9e3779b97f4a7c15ull;
  mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93ull;
  mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93ull;
  return mixed ^ mixed >> 32;
}

// Adds up the mixed words. Integers can be added in any order, so the blocks
// need none.
__global__ void AddChecksum(const unsigned char* from, size_t bytes,
                            unsigned long long* checksum) {
  const size_t words = (bytes + kWordBytes - 1) / kWordBytes;
  unsigned long long sum = 0;
  for (size_t i = FirstItem(); i < words; i += ItemStride()) {
    sum += Mix(Word(from, bytes, i), i);
  }
  for (int lanes = warpSize / 2; lanes > 0; lanes /= 2) {
    sum += __shfl_down_sync(0xffffffffu, sum, lanes);
  }
  if (threadIdx.x % warpSize == 0) atomicAdd(checksum, sum);
}

__global__ void Compare(const uint64_t* one, const uint64_t* other,
                        uint64_t* equal) {
  *equal = *one == *other ? 1 : 0;
}

}  // namespace

int LoadStreamKernels() {
  for (const void* kernel : {reinterpret_cast<const void*>(&SumInRankOrder),
                             reinterpret_cast<const void*>(&AddChecksum),
                             reinterpret_cast<const void*>(&Compare)}) {
    cudaFuncAttributes attributes;
    const cudaError_t loaded = cudaFuncGetAttributes(&attributes, kernel);
    if (loaded != cudaSuccess) return loaded;
  }
  return cudaSuccess;
}

int LaunchSumInRankOrder(float* sum, const float* parts, size_t count,
                         int ranks, void* stream) {
  if (count == 0) return cudaSuccess;
  SumInRankOrder<<<BlocksFor(count), kThreads, 0,
                   static_cast<cudaStream_t>(stream)>>>(sum, parts, count,
                                                        ranks);
  return cudaGetLastError();
}

int LaunchChecksum(const void* from, size_t bytes, uint64_t* checksum,
                   void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  const cudaError_t cleared =
      cudaMemsetAsync(checksum, 0, sizeof(*checksum), on);
  if (cleared != cudaSuccess || bytes == 0) return cleared;
  const size_t words = (bytes + kWordBytes - 1) / kWordBytes;
  AddChecksum<<<BlocksFor(words), kThreads, 0, on>>>(
      static_cast<const unsigned char*>(from), bytes,
      reinterpret_cast<unsigned long long*>(checksum));
  return cudaGetLastError();
}

int LaunchCompare(const uint64_t* one, const uint64_t* other, uint64_t* equal,
                  void* stream) {
  Compare<<<1, 1, 0, static_cast<cudaStream_t>(stream)>>>(one, other, equal);
  return cudaGetLastError();
}

}  // namespace balancemoe::worker
