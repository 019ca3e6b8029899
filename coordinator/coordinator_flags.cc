#include "coordinator/coordinator_flags.h"

#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/planning/policy.h"
#include "common/status_macros.h"
#include "coordinator/config_file.h"
#include "coordinator/listen_address.h"
#include "coordinator/version.h"

namespace balancemoe::coordinator {
namespace {

// Flags about flags, which no file sets.
constexpr absl::string_view kConfig = "--config";
constexpr absl::string_view kPrintConfig = "--print-config";
constexpr absl::string_view kValidateConfig = "--validate-config";

// Values as flags spell them; those of CoordinatorOptions that CLI11 cannot
// parse.
struct FlagValues {
  CoordinatorOptions options;
  std::string policy = options.jobs.default_policy.name;
  int64_t report_deadline_ms = 50;
  int64_t heartbeat_interval_ms = 1000;
  int64_t lease_ms = 10'000;
  int64_t write_timeout_ms = 5000;
  int64_t job_linger_ms = 60'000;
  int64_t drain_delay_ms = 0;
  int64_t drain_grace_ms = 2000;

  std::string config;
  bool print_config = false;
  bool validate_config = false;
};

// An error of `status` as CLI11 reports it.
std::string Problem(const absl::Status& status) {
  return std::string(status.message());
}

std::string CheckAddress(const std::string& text) {
  return Problem(ParseListenAddress(text).status());
}

std::string CheckPolicy(const std::string& text) {
  return Problem(ParsePolicyChoice(text).status());
}

void AddNetworkFlags(CLI::App& app, FlagValues& values) {
  CoordinatorOptions& options = values.options;
  app.add_option("--listen", options.listen,
                 "gRPC address for workers, HOST:PORT; port 0 takes a free one")
      ->check(CheckAddress);
  app.add_option("--http-listen", options.http_listen,
                 "HTTP address for /metrics, /livez, /readyz, /statusz, "
                 "/configz, HOST:PORT; port 0 takes a free one")
      ->check(CheckAddress);
  app.add_flag("--allow-insecure", options.allow_insecure,
               "Listen for workers on an address that other machines reach, "
               "without encryption");
  app.add_option("--port-file", options.port_file,
                 "File that gets the addresses as JSON once all is ready");
  app.add_flag("--reflection,!--no-reflection", options.reflection,
               "Tell gRPC tools which methods there are");
}

void AddJobFlags(CLI::App& app, FlagValues& values) {
  JobOptions& jobs = values.options.jobs;
  app.add_option("--policy", values.policy,
                 "Policy of jobs that wish for none: NAME or NAME@MODE, of " +
                     absl::StrJoin(PolicyNames(), ", "))
      ->check(CheckPolicy);
  app.add_option("--report-deadline-ms", values.report_deadline_ms,
                 "Wait for the reports of all workers, milliseconds")
      ->check(CLI::Range(1, 60'000));
  app.add_option("--heartbeat-interval-ms", values.heartbeat_interval_ms,
                 "Between a worker's heartbeats, milliseconds")
      ->check(CLI::Range(10, 60'000));
  app.add_option("--lease-ms", values.lease_ms,
                 "Silence after which a worker is lost, milliseconds")
      ->check(CLI::Range(100, 3'600'000));
  app.add_option("--write-timeout-ms", values.write_timeout_ms,
                 "Time to read a message after which a worker's session ends, "
                 "milliseconds")
      ->check(CLI::Range(100, 3'600'000));
  app.add_option("--job-linger-ms", values.job_linger_ms,
                 "How long a job is remembered when all its workers are lost, "
                 "milliseconds")
      ->check(CLI::Range(0, 86'400'000));
  app.add_option("--max-jobs", jobs.limits.jobs, "Jobs at a time")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--max-workers", jobs.limits.workers, "Workers of one job")
      ->check(CLI::Range(1, 65'536));
  app.add_option("--max-layers", jobs.limits.layers, "MoE layers of one job")
      ->check(CLI::Range(1, 65'536));
  app.add_option("--max-experts", jobs.limits.experts, "Experts of one layer")
      ->check(CLI::Range(1, 65'536));
}

void AddDaemonFlags(CLI::App& app, FlagValues& values) {
  CoordinatorOptions& options = values.options;
  app.add_option("--state-dir", options.state_dir,
                 "Directory that keeps job epochs over restarts; without one "
                 "they start from the wall clock");
  app.add_option("--record-loads", options.record_loads,
                 "Directory that gets the expert loads of each job as a trace, "
                 "JOB-EPOCH.csv, for balancemoectl replay (default: none)");
  app.add_option("--drain-delay-ms", values.drain_delay_ms,
                 "After SIGTERM, between failing the readiness probe and "
                 "telling workers, milliseconds")
      ->check(CLI::Range(0, 600'000));
  app.add_option("--drain-grace-ms", values.drain_grace_ms,
                 "How long sessions may take to end after that, milliseconds")
      ->check(CLI::Range(0, 600'000));
  app.add_option("--log-format", options.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
}

std::unique_ptr<CLI::App> MakeApp(FlagValues& values) {
  auto app = std::make_unique<CLI::App>(
      "Gathers the expert loads of training jobs and plans which experts are "
      "lent between their workers.\nEvery flag is also an environment variable "
      "(--max-jobs: BALANCEMOE_MAX_JOBS) and a key of the YAML file (max-jobs: "
      "16).\nA flag wins over the environment, that over the file.",
      "balancemoe-coordinator");
  app->option_defaults()->always_capture_default()->multi_option_policy(
      CLI::MultiOptionPolicy::TakeLast);
  AddNetworkFlags(*app, values);
  AddJobFlags(*app, values);
  AddDaemonFlags(*app, values);
  app->add_option(std::string(kConfig), values.config, "YAML file of flags");
  app->add_flag(std::string(kPrintConfig), values.print_config,
                "Print the settings that result, as YAML, and exit");
  app->add_flag(std::string(kValidateConfig), values.validate_config,
                "Check flags, environment and file, and exit");
  app->set_version_flag("--version", Version());
  return app;
}

bool IsSetting(const CLI::Option& option) {
  const std::string name = absl::StrCat("--", option.get_single_name());
  return name != "--help" && name != "--version" && name != kConfig &&
         name != kPrintConfig && name != kValidateConfig;
}

void ReadEnvironment(CLI::App& app) {
  for (CLI::Option* const option : app.get_options()) {
    const std::string& name = option->get_single_name();
    if (name == "help" || name == "version") continue;
    option->envname("BALANCEMOE_" + absl::AsciiStrToUpper(absl::StrReplaceAll(
                                        name, {{"-", "_"}})));
  }
}

// Parses one argument into `values`.
absl::Status SetFromFile(const ConfigEntry& entry, FlagValues& values) {
  const std::unique_ptr<CLI::App> app = MakeApp(values);
  const CLI::Option* const option = app->get_option_no_throw("--" + entry.key);
  if (option == nullptr || !IsSetting(*option) ||
      option->get_single_name() != entry.key) {
    return absl::InvalidArgumentError(
        absl::StrCat(entry.where, ": unknown key ", entry.key,
                     "; see balancemoe-coordinator --help"));
  }
  // CLI11 takes no empty value, but it may be what there is without one.
  if (entry.value.empty() && option->get_default_str().empty() &&
      option->get_expected_max() > 0) {
    return absl::OkStatus();
  }
  std::vector<std::string> arguments = {
      absl::StrCat("--", entry.key, "=", entry.value)};
  try {
    app->parse(arguments);
  } catch (const CLI::Error& e) {
    return absl::InvalidArgumentError(
        absl::StrCat(entry.where, ": ", e.what()));
  }
  return absl::OkStatus();
}

// The value in force. CLI11 knows no defaults of flags without a value.
std::string ValueOf(const CLI::Option& option,
                    const CoordinatorOptions& options) {
  const std::string& name = option.get_single_name();
  if (name == "allow-insecure")
    return options.allow_insecure ? "true" : "false";
  if (name == "reflection") return options.reflection ? "true" : "false";
  return option.count() > 0 ? option.as<std::string>()
                            : option.get_default_str();
}

std::string AsYaml(const CLI::App& app, const FlagValues& values) {
  YAML::Emitter yaml;
  yaml << YAML::BeginMap;
  for (const CLI::Option* const option : app.get_options()) {
    if (!IsSetting(*option)) continue;
    yaml << YAML::Key << option->get_single_name() << YAML::Value
         << ValueOf(*option, values.options);
  }
  yaml << YAML::EndMap;
  return absl::StrCat(yaml.c_str(), "\n");
}

CoordinatorOptions ToOptions(const FlagValues& values, std::string as_yaml) {
  CoordinatorOptions options = values.options;
  options.jobs.default_policy = *ParsePolicyChoice(values.policy);
  options.jobs.gather.report_deadline =
      absl::Milliseconds(values.report_deadline_ms);
  options.jobs.heartbeat_interval =
      absl::Milliseconds(values.heartbeat_interval_ms);
  options.jobs.lease = absl::Milliseconds(values.lease_ms);
  options.jobs.write_timeout = absl::Milliseconds(values.write_timeout_ms);
  options.jobs.job_linger = absl::Milliseconds(values.job_linger_ms);
  options.drain_delay = absl::Milliseconds(values.drain_delay_ms);
  options.drain_grace = absl::Milliseconds(values.drain_grace_ms);
  options.as_yaml = std::move(as_yaml);
  return options;
}

// CLI11 takes arguments from the end.
std::vector<std::string> Reversed(const std::vector<std::string>& arguments) {
  return {arguments.rbegin(), arguments.rend()};
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(
    const std::vector<std::string>& arguments) {
  FlagValues first;
  const std::unique_ptr<CLI::App> first_app = MakeApp(first);
  ReadEnvironment(*first_app);
  try {
    first_app->parse(Reversed(arguments));
  } catch (const CLI::CallForHelp&) {
    return CommandLine{.action = CommandLine::Action::kPrint,
                       .text = first_app->help(),
                       .options = {}};
  } catch (const CLI::CallForVersion&) {
    return CommandLine{.action = CommandLine::Action::kPrint,
                       .text = absl::StrCat(Version(), "\n"),
                       .options = {}};
  } catch (const CLI::Error& e) {
    return absl::InvalidArgumentError(e.what());
  }

  // Once more, now on top of the file's values.
  FlagValues values;
  if (!first.config.empty()) {
    BMOE_ASSIGN_OR_RETURN(const std::vector<ConfigEntry> entries,
                          ReadConfigFile(first.config));
    for (const ConfigEntry& entry : entries) {
      BMOE_RETURN_IF_ERROR(SetFromFile(entry, values));
    }
  }
  const std::unique_ptr<CLI::App> app = MakeApp(values);
  ReadEnvironment(*app);
  app->parse(Reversed(arguments));

  CommandLine command;
  command.options = ToOptions(values, AsYaml(*app, values));
  BMOE_RETURN_IF_ERROR(ValidateOptions(command.options));
  if (values.print_config || values.validate_config) {
    command.action = CommandLine::Action::kPrint;
    command.text = values.print_config ? command.options.as_yaml
                                       : "the configuration is valid\n";
  }
  return command;
}

}  // namespace balancemoe::coordinator
