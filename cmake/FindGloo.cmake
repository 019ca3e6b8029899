# Gloo::gloo: Debian's Gloo.
#
# libtorch_cpu.so exports a newer copy of Gloo. Whichever library comes first in
# the link order serves every call, and the headers fit only libgloo, so it is
# named by a link option, which comes before all libraries.
include(FindPackageHandleStandardArgs)
find_path(Gloo_INCLUDE_DIR gloo/context.h)
find_library(Gloo_LIBRARY gloo)
find_package_handle_standard_args(Gloo REQUIRED_VARS Gloo_LIBRARY
                                                     Gloo_INCLUDE_DIR)
if(Gloo_FOUND AND NOT TARGET Gloo::gloo)
  add_library(Gloo::gloo INTERFACE IMPORTED)
  target_include_directories(Gloo::gloo SYSTEM INTERFACE ${Gloo_INCLUDE_DIR})
  target_link_options(Gloo::gloo INTERFACE
                      LINKER:--push-state,--no-as-needed ${Gloo_LIBRARY}
                      LINKER:--pop-state)
  target_link_libraries(Gloo::gloo INTERFACE Threads::Threads)
endif()
