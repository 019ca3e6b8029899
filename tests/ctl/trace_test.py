#!/usr/bin/env python3
"""balancemoectl trace describe and convert. usage: trace_test.py BIN_DIR"""

import gzip
import json

import ctl_test_case as ctl


class TraceTest(ctl.CtlTest):

    def test_describe_says_what_is_in_a_trace(self):
        trace = self.write("t.csv", ctl.trace_text(ranks=2))

        summary = self.run_json("trace", "describe", trace, "--workers", 4)

        self.assertEqual(
            [summary[key] for key in
             ["trace", "iterations", "layers", "experts", "ranks", "workers"]],
            [str(trace), 3, 2, 8, 2, 4])
        self.assertGreater(summary["imbalance"]["mean"], 1)

    def test_describe_is_readable_too(self):
        trace = self.write("t.csv", ctl.trace_text())

        result = self.run_ctl("trace", "describe", trace)

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("iterations     3, from 0 to 2\n", result.stdout)

    def test_convert_makes_a_trace_of_json_lines(self):
        lines = [{"step": 4, "layer": 1, "load": [5, 0, 7]},
                 {"step": 5, "layer": 1, "load": [1, 2, 3]}]
        table = self.write("t.jsonl",
                           "".join(json.dumps(line) + "\n" for line in lines))
        trace = self.directory / "t.csv.gz"

        result = self.run_ctl("trace", "convert", table, trace, "--iteration",
                              "step", "--counts", "load")

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(gzip.decompress(trace.read_bytes()).decode(),
                         "iteration,layer,e0,e1,e2\n4,1,5,0,7\n5,1,1,2,3\n")

    def test_convert_wants_one_way_to_find_the_counts(self):
        table = self.write("t.csv", "iteration,layer,e0\n1,0,5\n")

        self.assert_refused(
            ["trace", "convert", table, self.directory / "out.csv"],
            "--expert-prefix, --counts, --expert: name the columns of the "
            "counts by exactly one of --expert-prefix, --counts, or --expert "
            "with --count")


if __name__ == "__main__":
    ctl.main()
