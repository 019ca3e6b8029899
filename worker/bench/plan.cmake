# `balancemoe-bench plan`: neither protos nor Torch.
balancemoe_library(
  NAME bench_plan
  HEADERS
    drifting_loads.h
    plan_bench.h
    plan_options.h
    plan_report.h
    plan_steps.h
  SOURCES
    drifting_loads.cc
    plan_bench.cc
    plan_options.cc
    plan_report.cc
    plan_steps.cc
  PUBLIC_DEPS balancemoe::planning CLI11::CLI11 nlohmann_json::nlohmann_json
  PRIVATE_DEPS balancemoe::io balancemoe::terminal balancemoe::train_run
               benchmark::benchmark)

balancemoe_test(
  drifting_loads_test.cc
  plan_options_test.cc
  plan_report_test.cc
  plan_steps_test.cc
  NAME
  bench_plan_test
  DEPS
  balancemoe::bench_plan
  balancemoe::test_fixtures)
