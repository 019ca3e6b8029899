#include "worker/agent/agent_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<AgentOptions> OptionsFrom(
    const std::map<std::string, std::string>& environment) {
  return AgentOptionsFrom([&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(AgentOptionsFromTest, ReadsWhatTorchrunSets) {
  const auto options = OptionsFrom({{"BALANCEMOE_COORDINATOR", "head:7070"},
                                    {"BALANCEMOE_JOB_ID", "gpt"},
                                    {"RANK", "3"},
                                    {"WORLD_SIZE", "8"},
                                    {"TORCHELASTIC_RUN_ID", "run-17"},
                                    {"BALANCEMOE_POLICY", "static"},
                                    {"BALANCEMOE_PLAN_DEADLINE_MS", "20"}});

  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->coordinator, "head:7070");
  EXPECT_EQ(options->job_id, "gpt");
  EXPECT_EQ(options->rank, WorkerRank(3));
  EXPECT_EQ(options->world_size, 8);
  EXPECT_EQ(options->run_id, "run-17");
  EXPECT_EQ(options->policy, "static");
  EXPECT_EQ(options->plan_deadline, absl::Milliseconds(20));
}

TEST(AgentOptionsFromTest, ReadsWhatSlurmSets) {
  const auto options = OptionsFrom({{"SLURM_PROCID", "1"},
                                    {"SLURM_NTASKS", "2"},
                                    {"SLURM_JOB_NAME", "gpt"},
                                    {"SLURM_JOB_ID", "42"},
                                    {"SLURM_STEP_ID", "0"}});

  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->coordinator, "127.0.0.1:7070");
  EXPECT_EQ(options->job_id, "gpt");
  EXPECT_EQ(options->rank, WorkerRank(1));
  EXPECT_EQ(options->run_id, "42.0");
}

TEST(AgentOptionsFromTest, RunIdNoneOfTorchrunIsNone) {
  const auto options = OptionsFrom({{"RANK", "0"},
                                    {"WORLD_SIZE", "1"},
                                    {"TORCHELASTIC_RUN_ID", "none"},
                                    {"MASTER_ADDR", "head"},
                                    {"MASTER_PORT", "29500"}});

  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->run_id, "head:29500");
}

TEST(AgentOptionsFromTest, NamesTheVariableThatIsWrong) {
  EXPECT_THAT(OptionsFrom({{"WORLD_SIZE", "2"}}),
              IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr("RANK")));
  EXPECT_THAT(OptionsFrom({{"WORLD_SIZE", "two"}, {"RANK", "0"}}),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("WORLD_SIZE=two")));
  EXPECT_THAT(OptionsFrom({{"WORLD_SIZE", "2"}, {"RANK", "0"}}),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("TORCHELASTIC_RUN_ID")));
}

AgentOptions ValidOptions() {
  AgentOptions options;
  options.coordinator = "127.0.0.1:7070";
  options.job_id = "gpt";
  options.run_id = "run-1";
  options.world_size = 2;
  options.layers = 2;
  options.experts_per_layer = 8;
  options.expert_bytes = 1024;
  options.transport = [](const GroupOptions&, Rendezvous&)
      -> absl::StatusOr<std::unique_ptr<Transport>> { return nullptr; };
  return options;
}

struct WrongOption {
  std::string name;
  std::function<void(AgentOptions&)> spoil;
};

class ValidateAgentOptionsTest : public ::testing::TestWithParam<WrongOption> {
};

TEST_P(ValidateAgentOptionsTest, NamesTheOption) {
  AgentOptions options = ValidOptions();
  ASSERT_THAT(ValidateAgentOptions(options), IsOk());
  GetParam().spoil(options);

  EXPECT_THAT(ValidateAgentOptions(options),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr(GetParam().name + " is ")));
}

INSTANTIATE_TEST_SUITE_P(
    AllOptions, ValidateAgentOptionsTest,
    ::testing::Values(
        WrongOption{"coordinator", [](auto& o) { o.coordinator = ""; }},
        WrongOption{"job_id", [](auto& o) { o.job_id = ""; }},
        WrongOption{"run_id", [](auto& o) { o.run_id = ""; }},
        WrongOption{"world_size", [](auto& o) { o.world_size = 0; }},
        WrongOption{"rank", [](auto& o) { o.rank = WorkerRank(2); }},
        WrongOption{"layers", [](auto& o) { o.layers = 0; }},
        WrongOption{"experts_per_layer",
                    [](auto& o) { o.experts_per_layer = 0; }},
        WrongOption{"expert_bytes", [](auto& o) { o.expert_bytes = 0; }},
        WrongOption{"spare_slots", [](auto& o) { o.spare_slots = -1; }},
        WrongOption{"transport", [](auto& o) { o.transport = nullptr; }},
        WrongOption{"plan_deadline",
                    [](auto& o) { o.plan_deadline = absl::ZeroDuration(); }},
        WrongOption{"attach_timeout",
                    [](auto& o) { o.attach_timeout = -absl::Seconds(1); }}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe::worker
