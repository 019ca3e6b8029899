# Whether the NCCL transport can be built: BALANCEMOE_BUILDS_NCCL. It needs a CUDA
# toolkit with nvcc, and NCCL; without them everything else is built.

set(BALANCEMOE_BUILDS_NCCL OFF)
if(NOT BALANCEMOE_WITH_NCCL)
  message(STATUS "NCCL transport: not built (BALANCEMOE_WITH_NCCL is OFF)")
  return()
endif()

find_package(CUDAToolkit QUIET)
if(CUDAToolkit_FOUND)
  find_package(Nccl 2.28 MODULE QUIET)
  if(NOT CMAKE_CUDA_COMPILER)
    # Which need not be in the PATH.
    set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
  endif()
endif()

if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
  message(STATUS "NCCL transport: not built (no CUDA toolkit with nvcc)")
  unset(CMAKE_CUDA_COMPILER)
elseif(NOT Nccl_FOUND)
  message(STATUS "NCCL transport: not built (no NCCL >= 2.28)")
  unset(CMAKE_CUDA_COMPILER)
else()
  # A Hopper GPU or newer; set before the language is, which has a default.
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 90 CACHE STRING "GPUs to compile for")
  endif()
  enable_language(CUDA)
  # nvcc 13 with CMake 3.25 knows no newer one.
  set(CMAKE_CUDA_STANDARD 17)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(BALANCEMOE_BUILDS_NCCL ON)
  message(
    STATUS
      "NCCL transport: built (CUDA ${CUDAToolkit_VERSION}, NCCL ${Nccl_VERSION})"
  )
endif()
