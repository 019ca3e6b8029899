# Installs the build into an empty folder, builds tests/package against what is
# there and nothing else, and runs it.
#
# cmake -DBUILD_DIR=.. -DSOURCE_DIR=.. -DWORK_DIR=.. -DGENERATOR=.. -P this

function(step what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}")
  endif()
  message(STATUS "${what}: done")
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
step("install" ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix)
step("configure the consumer" ${CMAKE_COMMAND} -S ${SOURCE_DIR}/tests/package
     -B ${WORK_DIR}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Release
     -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix
     -DATTACH_SOURCE=${SOURCE_DIR}/docs/examples/attach.cc)
step("build the consumer" ${CMAKE_COMMAND} --build ${WORK_DIR}/build)
if(EXISTS ${WORK_DIR}/build/moe_consumer)
  step("run the consumer" ${WORK_DIR}/build/moe_consumer)
endif()
