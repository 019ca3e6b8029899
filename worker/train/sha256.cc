#include "worker/train/sha256.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "common/check.h"

namespace balancemoe::worker {

Sha256Digest Sha256(absl::Span<const std::byte> bytes) {
  Sha256Digest digest;
  BMOE_CHECK(EVP_Digest(bytes.data(), bytes.size(),
                        reinterpret_cast<unsigned char*>(digest.data()),
                        /*size=*/nullptr, EVP_sha256(),
                        /*engine=*/nullptr) == 1);
  return digest;
}

std::string ToHex(const Sha256Digest& digest) {
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace balancemoe::worker
