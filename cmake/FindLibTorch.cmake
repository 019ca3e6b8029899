# LibTorch::cpu: the CPU half of any LibTorch >= 2.9 (libtorch_cpu.so, libc10.so).
#
# TorchConfig.cmake is not used: in a CUDA wheel it demands a toolkit, enables
# CUDA for the whole project and rewrites its flags. The CPU half loads with
# libcudart and libcupti alone; on a GPU libtorch_cuda.so is loaded at run time.
include(FindPackageHandleStandardArgs)

set(_libtorch_candidates ${LIBTORCH_ROOT} ${PROJECT_SOURCE_DIR}/.deps/torch/torch)
find_program(_libtorch_python NAMES python3 python)
if(_libtorch_python AND NOT LIBTORCH_ROOT)
  execute_process(
    COMMAND
      ${_libtorch_python} -c
      "import importlib.util as u; s = u.find_spec('torch'); print(list(s.submodule_search_locations)[0] if s else '')"
    OUTPUT_VARIABLE _libtorch_of_python
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(APPEND _libtorch_candidates ${_libtorch_of_python})
endif()

find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          HINTS ${_libtorch_candidates} PATH_SUFFIXES include NO_DEFAULT_PATH)
get_filename_component(LibTorch_ROOT_DIR "${LibTorch_INCLUDE_DIR}" DIRECTORY)
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS ${LibTorch_ROOT_DIR}/lib
             NO_DEFAULT_PATH)
find_library(LibTorch_C10_LIBRARY c10 HINTS ${LibTorch_ROOT_DIR}/lib
             NO_DEFAULT_PATH)
set(_version_header ${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h)
if(EXISTS ${_version_header})
  file(STRINGS ${_version_header} _lines
       REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
  # Three lines, in this order: major, minor, patch.
  list(TRANSFORM _lines REPLACE ".* ([0-9]+)$" "\\1")
  list(JOIN _lines "." LibTorch_VERSION)
endif()
find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE
    "run './run deps', or name one with -DLIBTORCH_ROOT=DIR (DIR/include, DIR/lib)")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  add_library(LibTorch::cpu INTERFACE IMPORTED)
  target_include_directories(
    LibTorch::cpu SYSTEM INTERFACE ${LibTorch_INCLUDE_DIR}
    ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include)
  # A CUDA build of libtorch_cpu.so needs these two at load time; they lie in the
  # toolkit, in wheels beside Torch, or nowhere for a CPU build.
  get_filename_component(_libtorch_site ${LibTorch_ROOT_DIR} DIRECTORY)
  file(GLOB _cuda_toolkits /usr/local/cuda/lib64 /usr/local/cuda/lib
       /usr/local/cuda*/lib64 /usr/local/cuda*/lib /usr/lib/x86_64-linux-gnu)
  file(GLOB _cuda_wheels ${_libtorch_site}/nvidia/*/lib)
  set(_libtorch_rpath ${LibTorch_ROOT_DIR}/lib)
  foreach(name libcudart.so.13 libcupti.so.13 libcudart.so.12 libcupti.so.12)
    string(MAKE_C_IDENTIFIER ${name} _id)
    find_file(LibTorch_${_id} ${name} HINTS ${_cuda_wheels} ${_cuda_toolkits}
              NO_DEFAULT_PATH)
    if(LibTorch_${_id})
      get_filename_component(_dir ${LibTorch_${_id}} DIRECTORY)
      list(APPEND _libtorch_rpath ${_dir})
      target_link_libraries(LibTorch::cpu INTERFACE ${LibTorch_${_id}})
    endif()
    mark_as_advanced(LibTorch_${_id})
  endforeach()
  list(REMOVE_DUPLICATES _libtorch_rpath)
  target_link_libraries(LibTorch::cpu INTERFACE ${LibTorch_CPU_LIBRARY}
                                                ${LibTorch_C10_LIBRARY})
  # RPATH, not RUNPATH: the libraries that Torch's own libraries load are found
  # through the program's path.
  list(TRANSFORM _libtorch_rpath PREPEND "LINKER:-rpath,")
  target_link_options(LibTorch::cpu INTERFACE LINKER:--disable-new-dtags
                      ${_libtorch_rpath})
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY)
