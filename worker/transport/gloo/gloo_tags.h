#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TAGS_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TAGS_H_

#include <cstddef>
#include <cstdint>

namespace balancemoe::worker {

// Tags of Gloo's messages. Gloo's own collectives use 0x01 to 0x08 in bits
// 40-47; ours start at 0x40. Numbers count the messages from one rank to
// another.

inline uint64_t HeadTag(uint32_t number) {
  return uint64_t{0x40} << 40 | number;
}

// Holds the length, so that a body never meets a receive for another length:
// one that is too long would end the process. Lengths are below 2^40.
inline uint64_t BodyTag(uint32_t number, size_t bytes) {
  return uint64_t{number & 0xffff} << 48 | uint64_t{0x41} << 40 | bytes;
}

inline uint64_t NoteTag(uint32_t number) {
  return uint64_t{0x42} << 40 | number;
}

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TAGS_H_
