# Xxhash::headers: xxHash, used header-only.
include(FindPackageHandleStandardArgs)
find_path(Xxhash_INCLUDE_DIR xxhash.h)
find_package_handle_standard_args(Xxhash REQUIRED_VARS Xxhash_INCLUDE_DIR)
if(Xxhash_FOUND AND NOT TARGET Xxhash::headers)
  add_library(Xxhash::headers INTERFACE IMPORTED)
  target_include_directories(Xxhash::headers INTERFACE ${Xxhash_INCLUDE_DIR})
endif()
