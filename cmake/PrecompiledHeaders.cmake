# Headers that most files parse, compiled once. A file still names what it uses:
# without BALANCEMOE_PRECOMPILED_HEADERS, as in the presets clang, asan and tsan,
# one that does not fails to compile.
#
# The compiler takes one only with the options that it was made with, so -pthread
# stands here and in BalancemoeTargets.cmake, and tests, which have other options,
# have one of their own.

set(_common_headers
    <algorithm>
    <array>
    <cmath>
    <cstddef>
    <cstdint>
    <functional>
    <limits>
    <map>
    <memory>
    <optional>
    <string>
    <utility>
    <vector>
    <absl/status/status.h>
    <absl/status/statusor.h>
    <absl/strings/str_cat.h>
    <absl/strings/str_format.h>
    <absl/strings/string_view.h>
    <absl/time/time.h>
    <absl/types/span.h>)

function(_balancemoe_precompiled_header name)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS" ${ARGN})
  # A precompiled header needs a file to be compiled with.
  set(source ${PROJECT_BINARY_DIR}/${name}.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "")
  add_library(${name} STATIC ${source})
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_compile_options(${name} PRIVATE -pthread)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

if(BALANCEMOE_PRECOMPILED_HEADERS)
  _balancemoe_precompiled_header(
    balancemoe_common_pch
    HEADERS ${_common_headers}
    DEPS absl::statusor absl::strings absl::str_format absl::time absl::span)
  if(BUILD_TESTING)
    _balancemoe_precompiled_header(
      balancemoe_test_pch
      HEADERS <gmock/gmock.h> <gtest/gtest.h> ${_common_headers}
      DEPS GTest::gmock absl::statusor absl::strings absl::str_format absl::time
           absl::span)
    target_compile_options(balancemoe_test_pch PRIVATE ${BALANCEMOE_TEST_OPTIONS})
  endif()
endif()
if(BALANCEMOE_WITH_TORCH)
  # Hundreds of megabytes on disk, and saves two thirds of each compilation. Not
  # <torch/torch.h>, half of which nobody here uses.
  _balancemoe_precompiled_header(
    balancemoe_torch_pch
    HEADERS <torch/csrc/autograd/custom_function.h> <torch/nn/module.h>
            <torch/types.h> <torch/utils.h>
    DEPS LibTorch::cpu)
endif()
