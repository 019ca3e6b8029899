# Httplib::httplib: cpp-httplib, which Debian builds as a shared library.
include(FindPackageHandleStandardArgs)
find_path(Httplib_INCLUDE_DIR httplib.h)
find_library(Httplib_LIBRARY cpp-httplib)
find_package_handle_standard_args(
  Httplib REQUIRED_VARS Httplib_LIBRARY Httplib_INCLUDE_DIR)
if(Httplib_FOUND AND NOT TARGET Httplib::httplib)
  add_library(Httplib::httplib UNKNOWN IMPORTED)
  # The packaged library is built with it, and its classes have other sizes
  # without: memory would be overwritten.
  set_target_properties(
    Httplib::httplib
    PROPERTIES IMPORTED_LOCATION ${Httplib_LIBRARY}
               INTERFACE_COMPILE_DEFINITIONS CPPHTTPLIB_OPENSSL_SUPPORT
               INTERFACE_INCLUDE_DIRECTORIES ${Httplib_INCLUDE_DIR}
               INTERFACE_LINK_LIBRARIES "OpenSSL::SSL;OpenSSL::Crypto")
endif()
