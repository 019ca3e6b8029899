# Agents against coordinators that follow a script, and against the real one.
balancemoe_library(
  NAME agent_job
  HEADERS agent_job.h
  SOURCES agent_job.cc
  PUBLIC_DEPS balancemoe::agent balancemoe::transport_loopback)
balancemoe_library(
  NAME agent_scripted_coordinator
  HEADERS agent_scripted_coordinator.h
  SOURCES agent_scripted_coordinator.cc
  PUBLIC_DEPS balancemoe::wire)

foreach(name agreement session step_plan)
  balancemoe_test(
    agent_${name}_test.cc
    LABEL
    integration
    DEPS
    balancemoe::agent_job
    balancemoe::agent_scripted_coordinator
    balancemoe::test_fixtures)
endforeach()

if(BALANCEMOE_WITH_GLOO)
  balancemoe_test(
    agent_coordinator_test.cc
    LABEL
    integration
    TIMEOUT
    180
    DEPS
    balancemoe::agent_job
    balancemoe::coordinator_process
    balancemoe::test_fixtures
    balancemoe::transport_gloo
    balancemoe::wire)

  add_executable(attach_example ${PROJECT_SOURCE_DIR}/docs/examples/attach.cc)
  target_link_libraries(attach_example PRIVATE balancemoe::agent
                                               balancemoe::transport_gloo)
  balancemoe_test(
    agent_example_test.cc
    LABEL
    integration
    DEPS
    balancemoe::coordinator_process
    balancemoe::agent
    ENVIRONMENT
    "ATTACH_EXAMPLE=$<TARGET_FILE:attach_example>")
  add_dependencies(agent_example_test attach_example)
endif()
