# Flags, signals and logs: what only the program needs.
balancemoe_library(
  NAME coordinator_daemon
  HEADERS config_file.h coordinator_flags.h logging.h port_file.h signal_loop.h
  SOURCES config_file.cc coordinator_flags.cc logging.cc port_file.cc
          signal_loop.cc
  PUBLIC_DEPS balancemoe::coordinator
  PRIVATE_DEPS CLI11::CLI11 yaml-cpp spdlog::spdlog
               nlohmann_json::nlohmann_json)

balancemoe_program(NAME balancemoe-coordinator SOURCES main.cc DEPS
                   balancemoe::coordinator_daemon spdlog::spdlog)
