# The coordinator alone, seen by workers that speak the protocol by hand.
balancemoe_library(
  NAME coordinator_test_worker
  HEADERS coordinator_test_worker.h
  SOURCES coordinator_test_worker.cc
  PUBLIC_DEPS balancemoe::wire balancemoe::test_fixtures GTest::gtest)
balancemoe_test(
  coordinator_session_test.cc
  DEPS balancemoe::coordinator balancemoe::coordinator_test_worker
  LABEL integration)
