# find_package(balancemoe) for users' own jobs: balancemoe::agent, balancemoe::moe
# and what they stand on.

include(CMakePackageConfigHelpers)

set(_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/balancemoe)

install(
  EXPORT balancemoe-targets
  NAMESPACE balancemoe::
  DESTINATION ${_package_dir})

configure_package_config_file(
  cmake/balancemoe-config.cmake.in
  ${PROJECT_BINARY_DIR}/balancemoe-config.cmake
  INSTALL_DESTINATION ${_package_dir})
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/balancemoe-config-version.cmake
  COMPATIBILITY SameMinorVersion)

install(
  FILES ${PROJECT_BINARY_DIR}/balancemoe-config.cmake
        ${PROJECT_BINARY_DIR}/balancemoe-config-version.cmake
        cmake/FindGloo.cmake
        cmake/FindLibTorch.cmake
        cmake/FindNccl.cmake
  DESTINATION ${_package_dir})
