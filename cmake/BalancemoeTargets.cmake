# The four functions that make every target of this project.
#
#   balancemoe_library(NAME n [HEADERS ..] [SOURCES ..] [PUBLIC_DEPS ..]
#                      [PRIVATE_DEPS ..] [TORCH] [INSTALL])
#   balancemoe_program(NAME n SOURCES .. DEPS .. [TORCH])
#   balancemoe_test(SOURCE.cc.. [NAME n] DEPS .. [LABEL unit|integration|gpu]
#                   [TIMEOUT seconds] [TORCH] [ENVIRONMENT VAR=value..])
#   balancemoe_proto(NAME n PROTOS ..)
#
# TORCH shares the one precompiled header of Torch (PrecompiledHeaders.cmake); such
# a target must not see generated protos (Torch ships old Protocol Buffers
# headers). INSTALL exports the library and its headers as balancemoe::n.

include(GNUInstallDirs)

# `kind`: common, test or torch, whose precompiled header it uses.
function(_balancemoe_common_settings target kind)
  # nvcc, which compiles CUDA, knows none of these.
  set(options -Wall -Wextra -Wshadow -Wnon-virtual-dtor
              $<$<BOOL:${BALANCEMOE_WARNINGS_AS_ERRORS}>:-Werror>)
  if(TARGET balancemoe_${kind}_pch)
    # The precompiled header is made for libraries with threads; a program, which
    # CMake would compile with -fPIE, could not use it.
    list(APPEND options -fPIC -pthread)
    target_precompile_headers(${target} REUSE_FROM balancemoe_${kind}_pch)
  endif()
  target_compile_options(${target}
                         PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${options}>")
endfunction()

# common, or torch when `torch` says so.
function(_balancemoe_kind torch kind)
  if(torch)
    set(${kind} torch PARENT_SCOPE)
  else()
    set(${kind} common PARENT_SCOPE)
  endif()
endfunction()

function(balancemoe_library)
  cmake_parse_arguments(ARG "TORCH;INSTALL" "NAME"
                        "HEADERS;SOURCES;PUBLIC_DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(${ARG_NAME} STATIC ${ARG_SOURCES})
    _balancemoe_kind(${ARG_TORCH} kind)
    _balancemoe_common_settings(${ARG_NAME} ${kind})
    set(scope PUBLIC)
  else()
    add_library(${ARG_NAME} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(balancemoe::${ARG_NAME} ALIAS ${ARG_NAME})
  target_compile_features(${ARG_NAME} ${scope} cxx_std_20)
  target_sources(
    ${ARG_NAME}
    ${scope}
    FILE_SET
    HEADERS
    BASE_DIRS
    ${PROJECT_SOURCE_DIR}
    FILES
    ${ARG_HEADERS})
  target_link_libraries(${ARG_NAME} ${scope} ${ARG_PUBLIC_DEPS})
  if(ARG_PRIVATE_DEPS)
    target_link_libraries(${ARG_NAME} PRIVATE ${ARG_PRIVATE_DEPS})
  endif()
  if(ARG_INSTALL)
    install(
      TARGETS ${ARG_NAME}
      EXPORT balancemoe-targets
      FILE_SET HEADERS
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/balancemoe)
  endif()
endfunction()

function(balancemoe_program)
  cmake_parse_arguments(ARG "TORCH" "NAME" "SOURCES;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  _balancemoe_kind(${ARG_TORCH} kind)
  _balancemoe_common_settings(${ARG_NAME} ${kind})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS})
  install(TARGETS ${ARG_NAME})
endfunction()

function(balancemoe_test)
  cmake_parse_arguments(ARG "TORCH" "NAME;LABEL;TIMEOUT" "DEPS;ENVIRONMENT"
                        ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  set(sources ${ARG_UNPARSED_ARGUMENTS})
  if(NOT ARG_NAME)
    list(GET sources 0 first)
    get_filename_component(ARG_NAME ${first} NAME_WE)
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${ARG_NAME} ${sources})
  set_target_properties(
    ${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  if(ARG_TORCH)
    _balancemoe_common_settings(${ARG_NAME} torch)
  else()
    _balancemoe_common_settings(${ARG_NAME} test)
    target_compile_options(${ARG_NAME} PRIVATE ${BALANCEMOE_TEST_OPTIONS})
  endif()
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} GTest::gmock
                                            GTest::gtest_main)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(
    ${ARG_NAME}
    PROPERTIES
      LABELS ${ARG_LABEL}
      TIMEOUT ${ARG_TIMEOUT}
      ENVIRONMENT
      "BALANCEMOE_SOURCE_DIR=${PROJECT_SOURCE_DIR};BALANCEMOE_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};${ARG_ENVIRONMENT}"
  )
  if(ARG_LABEL STREQUAL gpu)
    # What such a test says before it skips everything.
    set_tests_properties(${ARG_NAME} PROPERTIES SKIP_REGULAR_EXPRESSION
                                                "needs a GPU: ")
  endif()
endfunction()

function(balancemoe_proto)
  cmake_parse_arguments(ARG "" "NAME" "PROTOS" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR})
  find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
  set(sources "")
  foreach(proto ${ARG_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(generated ${out}/${stem}.pb.h ${out}/${stem}.pb.cc
                  ${out}/${stem}.grpc.pb.h ${out}/${stem}.grpc.pb.cc)
    add_custom_command(
      OUTPUT ${generated}
      COMMAND
        protobuf::protoc --proto_path=${CMAKE_CURRENT_SOURCE_DIR}
        --cpp_out=${out} --grpc_out=${out}
        --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN}
        ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
      COMMENT "Generating ${stem}.pb.{h,cc}")
    list(APPEND sources ${generated})
  endforeach()
  add_library(${ARG_NAME} STATIC ${sources})
  add_library(balancemoe::${ARG_NAME} ALIAS ${ARG_NAME})
  target_include_directories(${ARG_NAME} SYSTEM
                             PUBLIC $<BUILD_INTERFACE:${out}>)
  target_link_libraries(${ARG_NAME} PUBLIC gRPC::grpc++ protobuf::libprotobuf)
  # The archive alone: installed headers name no proto, but the agent links it.
  install(TARGETS ${ARG_NAME} EXPORT balancemoe-targets)
endfunction()
