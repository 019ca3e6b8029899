# Every third-party library, found once, as imported targets. Headers of imported
# targets are system headers, so warnings stay ours.

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Zstd MODULE REQUIRED)
find_package(Xxhash MODULE REQUIRED)
if(BALANCEMOE_FUZZ)
  return()
endif()

# Module mode: Debian's Protocol Buffers ship no CMake package.
find_package(Protobuf MODULE REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Httplib MODULE REQUIRED)

if(BALANCEMOE_WITH_GLOO)
  find_package(Gloo MODULE REQUIRED)
endif()
include(cmake/Nccl.cmake)
if(BALANCEMOE_WITH_TORCH)
  find_package(LibTorch 2.9 MODULE REQUIRED)
endif()
if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
  find_package(GTest CONFIG REQUIRED)
endif()
