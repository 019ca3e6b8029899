#!/usr/bin/env python3
"""balancemoectl replay from flags to files. usage: replay_test.py BIN_DIR"""

import collections
import csv
import gzip
import shutil
import unittest

import ctl_test_case as ctl

# As documented, with the keys of each object in their order.
REPORT_KEYS = ["trace", "iterations", "layers", "experts", "workers", "mode",
               "profile", "lower_bound_us", "balanced_us", "policies"]
POLICY_KEYS = ["policy", "mode", "imbalance", "moves_per_decision",
               "lends_per_decision", "renewals_per_decision",
               "bytes_per_decision", "layer_time_us", "exposed_transfer_us",
               "speedup_over_static", "peak_tokens_per_worker",
               "peak_memory_bytes", "energy_j_per_iteration", "solve_us"]
INNER_KEYS = {
    "imbalance": ["mean", "p50", "p95", "max", "token_weighted_mean"],
    "layer_time_us": ["mean", "p95"],
    "exposed_transfer_us": ["mean"],
    "peak_tokens_per_worker": ["mean", "max"],
    "peak_memory_bytes": ["mean", "max"],
    "solve_us": ["p50", "p99"],
}
POLICIES = ["static", "pairwise"]


def without_solve_us(report):
    for policy in report["policies"]:
        del policy["solve_us"]
    return report


class ReplayTest(ctl.CtlTest):

    def setUp(self):
        super().setUp()
        self.text = ctl.trace_text()
        self.trace = self.write("t.csv", self.text)

    def flags(self, *more):
        return ["replay", "--trace", self.trace, "--workers", 4, "--policy",
                ",".join(POLICIES), *more]

    def test_json_has_the_documented_keys(self):
        report = self.run_json(*self.flags())

        self.assertEqual(list(report), REPORT_KEYS)
        self.assertEqual(list(report["lower_bound_us"]), ["mean"])
        self.assertEqual(list(report["balanced_us"]), ["mean"])
        for policy in report["policies"]:
            self.assertEqual(list(policy), POLICY_KEYS)
            for key, inner in INNER_KEYS.items():
                self.assertEqual(list(policy[key]), inner)

    def test_json_says_what_was_replayed(self):
        report = self.run_json(*self.flags())

        self.assertEqual(
            [report[key] for key in REPORT_KEYS[1:7]],
            [3, 2, 8, 4, "native", "h200-nvlink"])
        self.assertEqual([p["policy"] for p in report["policies"]], POLICIES)
        self.assertEqual(report["policies"][0]["speedup_over_static"], 1)

    def test_compression_of_the_trace_does_not_matter(self):
        packed = self.write("packed.csv", gzip.compress(self.text.encode()))
        flags = self.flags()
        plain_report = without_solve_us(self.run_json(*flags))
        flags[2] = packed
        packed_report = without_solve_us(self.run_json(*flags))

        self.assertEqual(packed_report.pop("trace"), str(packed))
        plain_report.pop("trace")
        self.assertEqual(packed_report, plain_report)

    def test_same_input_gives_same_output(self):
        runs = [without_solve_us(self.run_json(*self.flags()))
                for _ in range(2)]

        self.assertEqual(runs[0], runs[1])

    def test_dumped_assignments_conserve_tokens_and_show_the_imbalance(self):
        dump = self.directory / "dump.csv.gz"
        report = self.run_json(*self.flags("--dump-assignments", dump))
        routed = {}
        for row in csv.DictReader(self.text.splitlines()):
            for expert in range(8):
                place = (row["iteration"], row["layer"], str(expert))
                routed[place] = int(row[f"e{expert}"])

        computed = collections.Counter()
        load = collections.defaultdict(lambda: [0] * 4)
        with gzip.open(dump, "rt") as file:
            reader = csv.DictReader(file)
            self.assertEqual(reader.fieldnames,
                             ["policy", "iteration", "layer", "expert",
                              "worker", "tokens"])
            for row in reader:
                tokens = int(row["tokens"])
                self.assertGreater(tokens, 0)
                place = (row["policy"], row["iteration"], row["layer"])
                computed[(*place, row["expert"])] += tokens
                load[place][int(row["worker"])] += tokens

        for policy in report["policies"]:
            name = policy["policy"]
            for place, tokens in routed.items():
                self.assertEqual(computed[(name, *place)], tokens,
                                 (name, place))
            imbalances = [max(workers) * 4 / sum(workers)
                          for place, workers in load.items()
                          if place[0] == name]
            self.assertAlmostEqual(sum(imbalances) / len(imbalances),
                                   policy["imbalance"]["mean"])

    def test_iterations_and_layers_select(self):
        report = self.run_json(*self.flags("--iterations", "1:3", "--layers",
                                           "2"))

        self.assertEqual((report["iterations"], report["layers"]), (2, 1))

    def test_source_ranks_join_to_workers(self):
        trace = self.write("ranks.csv", ctl.trace_text(ranks=8))

        report = self.run_json("replay", "--trace", trace, "--workers", 4,
                               "--policy", "static")

        self.assertEqual(report["workers"], 4)

    def test_table_has_a_row_per_policy_and_units(self):
        result = self.run_ctl(*self.flags())

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        for policy in POLICIES:
            self.assertRegex(result.stdout, rf"(?m)^{policy} +\w+ +\d")
        for word in ["lower bound", "balanced", "J/iteration", "GiB"]:
            self.assertIn(word, result.stdout)

    def test_profile_may_be_a_file(self):
        profile = self.write("mine.yaml", """\
name: mine
hidden: 64
ffn: 256
dtype_bytes: 2
optimizer_bytes_per_parameter: 12
tflops: 1
expert_launch_us: 5
intra_node: {latency_us: 5, gb_per_s: 10}
inter_node: {latency_us: 5, gb_per_s: 10}
plan_latency_us: 100
watts: {busy: 100, idle: 10}
""")

        report = self.run_json(*self.flags("--profile", profile))

        self.assertEqual(report["profile"], "mine")

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_plot_is_drawn(self):
        for name, start in [("p.svg", b"<?xml"), ("p.png", b"\x89PNG")]:
            plot = self.directory / name
            self.run_json(*self.flags("--plot", plot))

            self.assertTrue(plot.read_bytes().startswith(start))


if __name__ == "__main__":
    ctl.main()
