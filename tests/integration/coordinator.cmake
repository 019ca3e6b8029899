# The coordinator alone, seen by workers that speak the protocol by hand.
balancemoe_library(
  NAME coordinator_test_worker
  HEADERS coordinator_test_worker.h
  SOURCES coordinator_test_worker.cc
  PUBLIC_DEPS balancemoe::wire balancemoe::test_fixtures GTest::gtest)
balancemoe_test(
  coordinator_session_test.cc
  DEPS balancemoe::coordinator balancemoe::coordinator_test_worker
       Httplib::httplib
  LABEL integration)
balancemoe_test(
  coordinator_bad_input_test.cc
  DEPS balancemoe::coordinator balancemoe::coordinator_test_worker
       Httplib::httplib
  LABEL integration)
balancemoe_library(
  NAME coordinator_process
  HEADERS coordinator_process.h
  SOURCES coordinator_process.cc
  PUBLIC_DEPS balancemoe::common nlohmann_json::nlohmann_json)
add_dependencies(coordinator_process balancemoe-coordinator)
balancemoe_test(
  coordinator_process_test.cc
  DEPS balancemoe::coordinator_process balancemoe::coordinator_test_worker
       balancemoe::train_run Httplib::httplib
  LABEL integration)
