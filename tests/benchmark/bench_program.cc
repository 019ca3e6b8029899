#include "tests/benchmark/bench_program.h"

#include <stdlib.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/check.h"

namespace balancemoe {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

BenchResult RunBench(const std::string& arguments) {
  const char* const programs = getenv("BALANCEMOE_BIN_DIR");
  BMOE_CHECK(programs != nullptr);
  std::string directory =
      std::filesystem::temp_directory_path() / "balancemoe-bench-XXXXXX";
  BMOE_CHECK(mkdtemp(directory.data()) != nullptr);
  const std::string out = directory + "/out";
  const std::string err = directory + "/err";
  const int status = system((std::string(programs) + "/balancemoe-bench " +
                             arguments + " >" + out + " 2>" + err)
                                .c_str());
  BMOE_CHECK(WIFEXITED(status));
  const BenchResult result = {.exit_code = WEXITSTATUS(status),
                              .standard_output = ReadFile(out),
                              .standard_error = ReadFile(err)};
  std::filesystem::remove_all(directory);
  return result;
}

}  // namespace balancemoe
