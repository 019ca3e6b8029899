#include "coordinator/port_file.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace balancemoe::coordinator {

absl::Status WritePortFile(const std::string& path, const std::string& grpc,
                           const std::string& http) {
  const std::string temporary = path + ".new";
  std::ofstream file(temporary);
  file << nlohmann::json{{"grpc", grpc}, {"http", http}}.dump() << "\n";
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(temporary, path, error);
  if (file && !error) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("--port-file ", path, ": cannot be written",
                   error ? absl::StrCat(": ", error.message()) : ""));
}

}  // namespace balancemoe::coordinator
