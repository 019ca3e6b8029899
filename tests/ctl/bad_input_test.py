#!/usr/bin/env python3
"""Every bad input of balancemoectl replay ends with exit code 2 and says what
is wrong where, and what would be right. usage: bad_input_test.py BIN_DIR"""

import gzip

import ctl_test_case as ctl

COUNT_RIGHT = "a whole number from 0 to 1099511627776 is right"
PROFILES = "a100-nvlink-ib, cpu-loopback, h200-nvlink, v100-pcie-100g"


class BadTraceTest(ctl.CtlTest):

    def assert_trace_refused(self, content, message):
        """`message` goes on after "FILE:"."""
        trace = self.write("t.csv", content)
        self.assert_refused(["replay", "--trace", trace, "--workers", 2,
                             "--policy", "static"], f"{trace}:{message}")

    def test_ragged_rows(self):
        self.assert_trace_refused("iteration,layer,e0,e1\n1,0,5,6\n2,0,5\n",
                                  "3: 3 columns; the header has 4")

    def test_negative_count(self):
        self.assert_trace_refused(
            "iteration,layer,e0,e1\n1,0,5,-6\n",
            f"2: e1 is '-6', which is negative; {COUNT_RIGHT}")

    def test_huge_count(self):
        for count in ["1099511627777", "9" * 30]:
            self.assert_trace_refused(
                f"iteration,layer,e0,e1\n1,0,{count},6\n",
                f"2: e0 is '{count}', which is too large; {COUNT_RIGHT}")

    def test_count_that_is_no_whole_number(self):
        for count in ["5.5", "nan", "five", "0x5"]:
            self.assert_trace_refused(
                f"iteration,layer,e0,e1\n1,0,{count},6\n",
                f"2: e0 is '{count}', which is no whole number; {COUNT_RIGHT}")

    def test_rank_out_of_range(self):
        self.assert_trace_refused(
            "iteration,layer,rank,e0,e1\n"
            "1,0,0,5,6\n1,0,1,5,6\n2,0,0,5,6\n2,0,7,5,6\n3,0,0,5,6\n3,0,1,5,6\n",
            "5: rank 7 of iteration 2, layer 0 is out of range; this trace has "
            "ranks 0 to 1")

    def test_missing_rank(self):
        self.assert_trace_refused(
            "iteration,layer,rank,e0,e1\n"
            "1,0,0,5,6\n1,0,1,5,6\n2,0,1,5,6\n3,0,0,5,6\n3,0,1,5,6\n",
            "4: iteration 2, layer 0 has no row of rank 0; this trace has "
            "ranks 0 to 1")

    def test_same_iteration_and_layer_twice(self):
        self.assert_trace_refused(
            "iteration,layer,e0,e1\n1,0,5,6\n2,0,5,6\n1,0,5,6\n",
            "4: iteration 1, layer 0 comes again, after line 2; each may come "
            "once")

    def test_no_rows(self):
        self.assert_trace_refused(
            "iteration,layer,e0,e1\n",
            "1: no rows; a trace has one or more with counts")

    def test_other_header(self):
        self.assert_trace_refused(
            "step,layer,e0\n1,0,5\n",
            "1: the header has 'step' out of place; a trace begins with "
            "iteration,layer[,rank],e0,e1,... and `balancemoectl trace "
            "convert` reads other tables")

    def test_empty_file(self):
        self.assert_trace_refused("", "1: the file is empty")
        self.assert_trace_refused(gzip.compress(b""), "1: the file is empty")

    def test_truncated_gzip(self):
        whole = gzip.compress(b"iteration,layer,e0,e1\n1,0,5,6\n", mtime=0)

        self.assert_trace_refused(
            whole[:-4],
            "3: the gzip data end early, after 30 bytes of text; copy or make "
            "the file again")

    def test_corrupt_gzip(self):
        whole = bytearray(gzip.compress(b"iteration,layer,e0,e1\n1,0,5,6\n"))
        whole[-8] ^= 1

        self.assert_trace_refused(
            bytes(whole),
            "1: corrupt gzip data (incorrect data check); copy or make the "
            "file again")


class BadFlagTest(ctl.CtlTest):

    def setUp(self):
        super().setUp()
        self.trace = self.write("t.csv", ctl.trace_text(iterations=2))

    def flags(self, *more, workers=4, policy="static"):
        return ["replay", "--trace", self.trace, "--workers", workers,
                "--policy", policy, *more]

    def test_unreadable_trace(self):
        missing = self.directory / "missing.csv"

        self.assert_refused(
            ["replay", "--trace", missing, "--workers", 4, "--policy", "static"],
            f"--trace: {missing} cannot be read: No such file or directory; "
            "name a file that can")

    def test_experts_that_workers_do_not_divide(self):
        self.assert_refused(
            self.flags(workers=3),
            f"--workers: 3 does not divide the 8 experts of {self.trace}; one "
            "of 1, 2, 4, 8 does")

    def test_more_workers_than_experts(self):
        self.assert_refused(
            self.flags(workers=16),
            f"--workers: 16 workers are more than the 8 experts of "
            f"{self.trace}; at most that many")

    def test_iterations_that_hold_none(self):
        self.assert_refused(
            self.flags("--iterations", "1:1"),
            "--iterations: 1:1 holds no iteration; A:B starts with A and ends "
            "before B, so A is smaller than B")
        self.assert_refused(
            self.flags("--iterations", "7:9"),
            f"--iterations: no iteration of {self.trace} is in 7:9; they reach "
            "from 0 to 1")
        self.assert_refused(
            self.flags("--iterations", ""),
            "--iterations: '' is not A:B, two whole numbers")

    def test_unknown_layer(self):
        self.assert_refused(
            self.flags("--layers", "0,1"),
            f"--layers: 1 is no layer of {self.trace}; 0,2 are")

    def test_unknown_profile(self):
        self.assert_refused(
            self.flags("--profile", "h100"),
            f"--profile: there is no profile 'h100'; name one of {PROFILES}, "
            "or a FILE.yaml")

    def test_unknown_profile_key(self):
        profile = self.write("p.yaml", "name: p\nteraflops: 5\n")

        result = self.run_ctl(*self.flags("--profile", profile))

        self.assertEqual(result.returncode, 2)
        self.assertIn(f"balancemoectl: {profile}:2: 'teraflops' is no key of a "
                      "profile; they are name, hidden, ffn, gated, ",
                      result.stderr)

    def test_profile_value_that_makes_no_sense(self):
        text = (ctl.pathlib.Path(__file__).parents[2] /
                "common/io/profiles/cpu-loopback.yaml").read_text()
        profile = self.write("p.yaml", text.replace("tflops: 0.04",
                                                    "tflops: -1"))
        line = text[:text.index("tflops: 0.04")].count("\n") + 1

        result = self.run_ctl(*self.flags("--profile", profile))

        self.assertEqual(result.returncode, 2)
        self.assertIn(f"balancemoectl: {profile}:{line}: ", result.stderr)
        self.assertIn("tflops", result.stderr)

    def test_unknown_policy(self):
        result = self.run_ctl(*self.flags(policy="static,magic"))

        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertRegex(result.stderr, "^balancemoectl: --policy: .*magic")

    def test_unknown_mode(self):
        result = self.run_ctl(*self.flags("--mode", "sideways"))

        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertRegex(result.stderr, "^balancemoectl: --mode: .*sideways")

    def test_plot_of_another_format(self):
        self.assert_refused(
            self.flags("--plot", "a.pdf"),
            "--plot: 'a.pdf' ends in neither .svg nor .png")

    def test_missing_flags(self):
        self.assert_refused(["replay", "--workers", 4, "--policy", "static"],
                            "--trace is required")


if __name__ == "__main__":
    ctl.main()
