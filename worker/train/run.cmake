# What a run is asked to do and what it reports; no Torch.
balancemoe_library(
  NAME train_run
  HEADERS
    child_process.h
    cost_model_file.h
    demo_report.h
    embedded_coordinator.h
    energy_meter.h
    local_workers.h
    loss_agreement.h
    measured_profile.h
    pacing.h
    process_usage.h
    progress_bar.h
    quota_routing.h
    recorded_routes.h
    seeded_random.h
    sha256.h
    step_record.h
    text_corpus.h
    train_inputs.h
    train_options.h
    train_report.h
    worker_place.h
  SOURCES
    child_process.cc
    cost_model_file.cc
    demo_report.cc
    embedded_coordinator.cc
    energy_meter.cc
    local_workers.cc
    loss_agreement.cc
    measured_profile.cc
    pacing.cc
    process_usage.cc
    progress_bar.cc
    quota_routing.cc
    recorded_routes.cc
    seeded_random.cc
    sha256.cc
    text_corpus.cc
    train_inputs.cc
    train_options.cc
    train_report.cc
    worker_place.cc
  PUBLIC_DEPS balancemoe::io balancemoe::planning
              balancemoe::replay balancemoe::terminal absl::str_format
              CLI11::CLI11 nlohmann_json::nlohmann_json
  PRIVATE_DEPS OpenSSL::Crypto yaml-cpp)

if(NOT BALANCEMOE_WITH_TORCH)
  return()
endif()

foreach(name cost_model_file demo_report local_workers loss_agreement measured_profile pacing quota_routing recorded_routes text_corpus train_options train_report)
  balancemoe_test(${name}_test.cc DEPS balancemoe::train_run
                  balancemoe::test_fixtures)
endforeach()
