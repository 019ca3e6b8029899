# Nccl::nccl: NVIDIA's NCCL, which has no CMake files. Looked for where the
# system's libraries are and beside the CUDA toolkit.
include(FindPackageHandleStandardArgs)
find_path(Nccl_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_library(Nccl_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR})
if(Nccl_INCLUDE_DIR)
  file(STRINGS ${Nccl_INCLUDE_DIR}/nccl.h _nccl_lines
       REGEX "^#define NCCL_(MAJOR|MINOR|PATCH) [0-9]+")
  # Three lines, in this order: major, minor, patch.
  list(TRANSFORM _nccl_lines REPLACE ".* ([0-9]+)$" "\\1")
  list(JOIN _nccl_lines "." Nccl_VERSION)
endif()
find_package_handle_standard_args(
  Nccl
  REQUIRED_VARS Nccl_LIBRARY Nccl_INCLUDE_DIR
  VERSION_VAR Nccl_VERSION)
if(Nccl_FOUND AND NOT TARGET Nccl::nccl)
  add_library(Nccl::nccl UNKNOWN IMPORTED)
  set_target_properties(
    Nccl::nccl
    PROPERTIES IMPORTED_LOCATION ${Nccl_LIBRARY}
               INTERFACE_INCLUDE_DIRECTORIES ${Nccl_INCLUDE_DIR}
               INTERFACE_LINK_LIBRARIES CUDA::cudart)
endif()
mark_as_advanced(Nccl_INCLUDE_DIR Nccl_LIBRARY)
