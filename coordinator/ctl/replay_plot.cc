#include "coordinator/ctl/replay_plot.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/io/input_error.h"

namespace balancemoe::coordinator {
namespace {

// Okabe and Ito's colours, which colour-blind people can tell apart, without
// the yellow that is hard to see on white. The first policy is most often the
// one to compare with: grey.
constexpr std::array<absl::string_view, 8> kColours = {
    "7f7f7f", "0072b2", "e69f00", "009e73",
    "cc79a7", "d55e00", "56b4e9", "000000"};
// More points than pixels make a file large and a line no clearer.
constexpr size_t kMostPoints = 1000;
constexpr size_t kPointsWithMarks = 40;

// One line of the upper panel.
struct Line {
  std::vector<double> iterations;
  std::vector<double> imbalances;
};

// In gnuplot's single quotes nothing but the quote itself is special.
std::string GnuplotString(absl::string_view text) {
  std::string printable;
  for (const char c : text) printable += absl::ascii_iscntrl(c) ? '?' : c;
  return absl::StrCat("'", absl::StrReplaceAll(printable, {{"'", "''"}}), "'");
}

std::string FileName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

absl::string_view ColourOf(size_t policy) {
  return kColours[policy % kColours.size()];
}

// A policy whose colour was given before is dashed.
std::string DashOf(size_t policy) {
  return absl::StrCat("dt ", 1 + policy / kColours.size());
}

// Neighbouring iterations that share a point.
size_t IterationsPerPoint(const ReplayReport& report) {
  size_t most = 1;
  for (const PolicyReplay& policy : report.policies) {
    most = std::max(most, policy.points.size());
  }
  return (most + kMostPoints - 1) / kMostPoints;
}

Line LineOf(const PolicyReplay& policy, size_t iterations_per_point) {
  Line line;
  for (size_t begin = 0; begin < policy.points.size();
       begin += iterations_per_point) {
    const size_t end =
        std::min(begin + iterations_per_point, policy.points.size());
    double iterations = 0;
    double imbalances = 0;
    for (size_t i = begin; i < end; ++i) {
      iterations += static_cast<double>(policy.points[i].iteration.value());
      imbalances += policy.points[i].imbalance;
    }
    const auto count = static_cast<double>(end - begin);
    line.iterations.push_back(iterations / count);
    line.imbalances.push_back(imbalances / count);
  }
  return line;
}

struct Range {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();

  void Add(const std::vector<double>& values) {
    for (const double value : values) {
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  // gnuplot cannot draw an axis of no length.
  std::string Axis() const {
    return least < most ? absl::StrFormat("[%.9g:%.9g]", least, most)
                        : absl::StrFormat("[%.9g:%.9g]", least - 1, least + 1);
  }
};

// Microseconds, or milliseconds where the numbers would get long.
struct TimeUnit {
  absl::string_view name = "us";
  double per_us = 1;

  explicit TimeUnit(double longest_us) {
    if (longest_us < 1000) return;
    name = "ms";
    per_us = 1e-3;
  }
  std::string Format(double us) const {
    // Three digits.
    const double value = us * per_us;
    const int decimals = value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0;
    return absl::StrFormat("%.*f %s", decimals, value, name);
  }
};

std::string Terminal(const std::string& path) {
  return absl::EndsWith(path, ".png")
             ? "pngcairo size 1200,800 font 'DejaVu Sans,11'"
             : "svg size 1200,800 dynamic font 'Arial,13'";
}

// Points of a PNG are larger than those of an SVG.
absl::string_view TitleSize(const std::string& path) {
  return absl::EndsWith(path, ".png") ? "15" : "18";
}

void AppendFrame(const ReplayReport& report, const std::string& path,
                 std::string& script) {
  absl::StrAppend(
      &script, "set terminal ", Terminal(path), " background '#ffffff'\n",
      "set output ", GnuplotString(path), "\n",
      "set encoding utf8\n"
      "set multiplot\n"
      "set border 3 lc rgb '#444444'\n"
      "set tics nomirror out scale 0.6 textcolor rgb '#333333'\n"
      "set grid ytics lc rgb '#e3e3e3' lt 1 lw 1\n"
      "set lmargin at screen 0.08\n"
      "set rmargin at screen 0.83\n"
      "set label 1 ",
      GnuplotString(absl::StrCat("Replay of ", FileName(report.trace))),
      " at screen 0.08,0.965 left font ',", TitleSize(path), "' noenhanced\n",
      "set label 2 ",
      GnuplotString(absl::StrCat(
          report.iterations,
          report.iterations == 1 ? " iteration, " : " iterations, ",
          report.layers, report.layers == 1 ? " layer, " : " layers, ",
          report.experts, " experts on ", report.workers, " workers; profile ",
          report.profile, ", mode ", report.mode)),
      " at screen 0.08,0.933 left noenhanced textcolor rgb '#555555'\n");
}

std::string ImbalanceBlock(size_t policy) {
  return absl::StrCat("$imbalance", policy);
}

// The lines' points as data blocks, and the axes that they need.
void AppendLines(const std::vector<Line>& lines, std::string& script) {
  Range iterations;
  Range imbalances = {.least = 1, .most = 1.1};
  for (size_t policy = 0; policy < lines.size(); ++policy) {
    const Line& line = lines[policy];
    absl::StrAppend(&script, ImbalanceBlock(policy), " << END\n");
    for (size_t i = 0; i < line.iterations.size(); ++i) {
      absl::StrAppendFormat(&script, "%.12g %.6g\n", line.iterations[i],
                            line.imbalances[i]);
    }
    script += "END\n";
    iterations.Add(line.iterations);
    imbalances.Add(line.imbalances);
  }
  absl::StrAppend(&script, "set xrange ", iterations.Axis(), "\n");
  absl::StrAppendFormat(&script, "set yrange [1:%.6g]\n",
                        1 + (imbalances.most - 1) * 1.05);
  if (imbalances.most > 10 * imbalances.least) {
    script += "set logscale y\nset ytics add (1, 2, 3, 5, 10, 20, 30, 50)\n";
  }
}

void AppendUpperPanel(const ReplayReport& report, std::string& script) {
  const size_t iterations_per_point = IterationsPerPoint(report);
  std::vector<Line> lines;
  for (const PolicyReplay& policy : report.policies) {
    lines.push_back(LineOf(policy, iterations_per_point));
  }
  AppendLines(lines, script);
  absl::StrAppend(
      &script,
      "set tmargin at screen 0.885\n"
      "set bmargin at screen 0.52\n"
      "set xlabel 'iteration",
      iterations_per_point > 1
          ? absl::StrCat(" (means over ", iterations_per_point, ")")
          : "",
      "'\nset ylabel 'imbalance (busiest worker / mean)'\n"
      "set key at screen 0.84,0.885 left top Left reverse samplen 1.5 "
      "spacing 1.25 noenhanced\n");
  std::vector<std::string> plots;
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool marks = lines[i].iterations.size() <= kPointsWithMarks;
    plots.push_back(absl::StrCat(ImbalanceBlock(i), " using 1:2 with ",
                                 marks ? "linespoints pt 7 ps 0.6 " : "lines ",
                                 "lw 2 ", DashOf(i), " lc rgb '#", ColourOf(i),
                                 "' title ",
                                 GnuplotString(report.policies[i].policy)));
  }
  absl::StrAppend(&script, "plot ", absl::StrJoin(plots, ", "), "\n");
}

// A line across the lower panel, its name in the margin.
void AppendMark(int tag, absl::string_view name, double time_us,
                const TimeUnit& unit, absl::string_view look,
                std::string& script) {
  const double at = time_us * unit.per_us;
  absl::StrAppendFormat(
      &script,
      "set arrow %d from graph 0, first %.9g to graph 1, first %.9g nohead "
      "front lw 1.5 lc rgb '#111111' %s\n",
      tag, at, at, look);
  // Both names have their place even where the lines lie close together.
  absl::StrAppendFormat(
      &script,
      "set label %d \"%s\\n%s\" at graph 1.015, first %.9g left offset 0,%s "
      "front\n",
      tag + 2, name, unit.Format(time_us), at, tag == 1 ? "-0.35" : "1.2");
}

// Whether the policies' names do not fit side by side under their bars.
bool NamesAreCrowded(const ReplayReport& report) {
  constexpr size_t kLettersAcross = 105;
  size_t longest = 0;
  for (const PolicyReplay& policy : report.policies) {
    longest = std::max(longest, policy.policy.size() + 1);
  }
  return longest * report.policies.size() > kLettersAcross;
}

double LongestUs(const ReplayReport& report) {
  double longest_us =
      std::max({report.lower_bound_mean_us, report.balanced_mean_us, 1.0});
  for (const PolicyReplay& policy : report.policies) {
    longest_us = std::max(longest_us, policy.layer_time_mean_us);
  }
  return longest_us;
}

// The bars' heights and labels as a data block.
void AppendBars(const ReplayReport& report, const TimeUnit& unit,
                std::string& script) {
  script += "$times << END\n";
  for (size_t i = 0; i < report.policies.size(); ++i) {
    const PolicyReplay& policy = report.policies[i];
    const std::string ratio =
        report.lower_bound_mean_us > 0
            ? absl::StrFormat("%.2fx", policy.layer_time_mean_us /
                                           report.lower_bound_mean_us)
            : "";
    absl::StrAppendFormat(&script, "%d %.9g \"%s\" 0x%s \"%s\\n%s\"\n", i,
                          policy.layer_time_mean_us * unit.per_us,
                          policy.policy, ColourOf(i),
                          unit.Format(policy.layer_time_mean_us), ratio);
  }
  script += "END\n";
}

void AppendLowerPanel(const ReplayReport& report, std::string& script) {
  const double longest_us = LongestUs(report);
  const TimeUnit unit(longest_us);
  AppendBars(report, unit, script);
  const auto policies = static_cast<double>(report.policies.size());
  // Few bars get no wider than four would be.
  const double margin = std::max(0.0, (4 - policies) / 2);
  const bool crowded = NamesAreCrowded(report);
  absl::StrAppendFormat(
      &script,
      "unset label 1\nunset label 2\nunset key\nunset logscale\n"
      "unset xlabel\nset ytics autofreq\n"
      "set tmargin at screen 0.43\n"
      "set bmargin at screen %s\n"
      "set ylabel 'predicted time of a layer (%s)'\n"
      "set xrange [%.1f:%.1f]\n"
      "set yrange [0:%.9g]\n"
      "set boxwidth 0.62\n"
      "set style fill solid 0.9 noborder\n"
      "set xtics scale 0 noenhanced %s\n",
      crowded ? "0.13" : "0.07", unit.name, -0.6 - margin,
      policies - 0.4 + margin, longest_us * unit.per_us * 1.25,
      crowded ? "rotate by -25" : "");
  AppendMark(1, "lower bound", report.lower_bound_mean_us, unit, "dt 1",
             script);
  AppendMark(2, "balanced", report.balanced_mean_us, unit, "dt 2", script);
  script +=
      "plot $times using 1:2:4:xtic(3) with boxes lc rgb variable notitle, "
      "$times using 1:2:5 with labels offset 0,1.5 notitle\n"
      "unset multiplot\n"
      "set output\n";
}

}  // namespace

absl::Status ValidatePlotPath(absl::string_view path) {
  if (absl::EndsWith(path, ".svg") || absl::EndsWith(path, ".png")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(path), " ends in neither .svg nor .png"));
}

std::string ReplayPlotScript(const ReplayReport& report,
                             const std::string& path) {
  std::string script;
  AppendFrame(report, path, script);
  AppendUpperPanel(report, script);
  AppendLowerPanel(report, script);
  return script;
}

}  // namespace balancemoe::coordinator
