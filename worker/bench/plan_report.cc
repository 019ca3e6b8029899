#include "worker/bench/plan_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/terminal/text_table.h"

namespace balancemoe::worker {
namespace {

nlohmann::ordered_json Json(const Quantiles& quantiles) {
  return {{"p50", quantiles.p50}, {"p99", quantiles.p99}};
}

nlohmann::ordered_json Row(const PolicyChoice& choice,
                           const PlanFigures& figures) {
  return {{"policy", choice.ToString()},
          {"workers", figures.size.workers},
          {"experts", figures.size.experts},
          {"solve_us", Json(figures.solve_us)},
          {"from_scratch_us", Json(figures.from_scratch_us)},
          {"split_us", Json(figures.split_us)}};
}

}  // namespace

nlohmann::ordered_json BuildPlanReport(
    const PolicyChoice& choice, const std::vector<PlanFigures>& figures) {
  if (figures.size() == 1) return Row(choice, figures.front());
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const PlanFigures& of_size : figures) {
    rows.push_back(Row(choice, of_size));
  }
  return {{"rows", std::move(rows)}};
}

std::string PlanTable(const PolicyChoice& choice,
                      const std::vector<PlanFigures>& figures) {
  std::vector<TextColumn> columns = {{"workers"}, {"experts"}};
  for (const char* const title : {"solve", "from scratch", "split"}) {
    columns.push_back({title, "p50 us"});
    columns.push_back({"", "p99 us"});
  }
  std::vector<std::vector<std::string>> rows;
  for (const PlanFigures& of_size : figures) {
    rows.push_back({absl::StrCat(of_size.size.workers),
                    absl::StrCat(of_size.size.experts)});
    for (const Quantiles& quantiles :
         {of_size.solve_us, of_size.from_scratch_us, of_size.split_us}) {
      rows.back().push_back(absl::StrFormat("%.1f", quantiles.p50));
      rows.back().push_back(absl::StrFormat("%.1f", quantiles.p99));
    }
  }
  return absl::StrCat(choice.ToString(), "\n\n",
                      FormatTextTable(columns, rows));
}

}  // namespace balancemoe::worker
