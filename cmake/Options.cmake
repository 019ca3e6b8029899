# What a person may choose when configuring, and the settings that follow.

option(BALANCEMOE_WARNINGS_AS_ERRORS "Stop at the first warning" OFF)
option(BALANCEMOE_PRECOMPILED_HEADERS
       "Compile the headers that most files include once" ON)
option(BALANCEMOE_WITH_GLOO "Build the Gloo transport (CPU processes)" ON)
option(BALANCEMOE_WITH_NCCL
       "Build the NCCL transport (GPUs) where CUDA and NCCL are found" ON)
option(BALANCEMOE_WITH_TORCH
       "Build everything that needs LibTorch: MoeLayer, train, bench train" ON)
option(BALANCEMOE_FUZZ
       "Build the fuzzed readers and what they need, nothing else; with clang" OFF)
set(LIBTORCH_ROOT "" CACHE PATH
    "LibTorch to build with; empty: .deps/torch, then the active Python's")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

# Tests spend their time in the libraries, and half of a cold build is theirs.
set(BALANCEMOE_TEST_OPTIONS $<$<CONFIG:Release>:-O1>)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The precompiled Torch header is used by files that ccache would otherwise
  # refuse to cache, because it cannot see into it. Paths below the source
  # directory count as relative, so that another clone finds what this one
  # compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${CCACHE_PROGRAM})
endif()
