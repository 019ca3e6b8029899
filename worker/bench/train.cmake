# `balancemoe-bench train` and `gpu`. Files that see protos are in a target of their own,
# apart from those that see Torch.
balancemoe_library(
  NAME bench_policy_switch
  HEADERS policy_switch.h
  SOURCES policy_switch.cc
  PUBLIC_DEPS absl::status
  PRIVATE_DEPS balancemoe::proto absl::strings)

balancemoe_library(
  NAME bench_train_blocks
  HEADERS train_blocks.h
  SOURCES train_blocks.cc
  PUBLIC_DEPS balancemoe::train_run)

balancemoe_test(train_blocks_test.cc DEPS balancemoe::bench_train_blocks
                balancemoe::test_fixtures)

if(BALANCEMOE_WITH_GLOO AND BALANCEMOE_WITH_TORCH)
  balancemoe_library(
    NAME bench_train
    HEADERS gpu_bench.h gpu_kernels.h train_bench.h
    SOURCES gpu_bench.cc gpu_kernels.cc train_bench.cc train_bench_job.cc
    PUBLIC_DEPS CLI11::CLI11
    PRIVATE_DEPS balancemoe::bench_policy_switch balancemoe::bench_train_blocks
                 balancemoe::worker_program
    TORCH)
  # These see no Torch.
  set_source_files_properties(
    gpu_bench.cc train_bench.cc PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
else()
  balancemoe_library(
    NAME bench_train
    HEADERS gpu_bench.h train_bench.h
    SOURCES bench_absent.cc
    PUBLIC_DEPS CLI11::CLI11
    PRIVATE_DEPS absl::strings)
endif()
