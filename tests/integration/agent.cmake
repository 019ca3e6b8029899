# Agents against coordinators that follow a script, and against the real one.
balancemoe_library(
  NAME agent_test_support
  HEADERS agent_job.h agent_scripted_coordinator.h
  SOURCES agent_job.cc agent_scripted_coordinator.cc
  PUBLIC_DEPS balancemoe::agent balancemoe::transport_loopback balancemoe::wire)

balancemoe_test(
  agent_agreement_test.cc
  LABEL
  integration
  DEPS
  balancemoe::agent_test_support
  balancemoe::test_fixtures)
balancemoe_test(
  agent_session_test.cc
  LABEL
  integration
  DEPS
  balancemoe::agent_test_support
  balancemoe::test_fixtures)

if(BALANCEMOE_WITH_GLOO)
  add_executable(attach_example ${PROJECT_SOURCE_DIR}/docs/examples/attach.cc)
  target_link_libraries(attach_example PRIVATE balancemoe::agent
                                               balancemoe::transport_gloo)
endif()
