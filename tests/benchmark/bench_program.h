#ifndef BALANCEMOE_TESTS_BENCHMARK_BENCH_PROGRAM_H_
#define BALANCEMOE_TESTS_BENCHMARK_BENCH_PROGRAM_H_

#include <string>

namespace balancemoe {

struct BenchResult {
  int exit_code = 0;
  std::string standard_output;
  std::string standard_error;
};

// Runs balancemoe-bench with `arguments`, words that a shell does not change,
// and waits for its end.
BenchResult RunBench(const std::string& arguments);

}  // namespace balancemoe

#endif  // BALANCEMOE_TESTS_BENCHMARK_BENCH_PROGRAM_H_
