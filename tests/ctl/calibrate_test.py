#!/usr/bin/env python3
"""balancemoectl calibrate. usage: calibrate_test.py BIN_DIR"""

import ctl_test_case as ctl


class CalibrateTest(ctl.CtlTest):

    def test_measured_profile_is_one_that_replay_takes(self):
        profile = self.directory / "here.yaml"

        measured = self.run_ctl(
            "calibrate", "--hidden", 64, "--ffn", 128, "--workers", 2,
            "--name", "here", "--out", profile)

        self.assertEqual(measured.returncode, 0, measured.stderr)
        replay = self.run_json(
            "replay", "--trace", self.write("t.csv", ctl.trace_text()),
            "--workers", 4, "--policy", "static", "--profile", profile)
        self.assertEqual(replay["profile"], "here")
        self.assertGreater(replay["lower_bound_us"]["mean"], 0)

    def test_profile_says_what_it_was_measured_with(self):
        measured = self.run_ctl("calibrate", "--hidden", 64, "--ffn", 128,
                                "--transport", "loopback")

        self.assertEqual(measured.returncode, 0, measured.stderr)
        self.assertIn("--device cpu --transport loopback --dtype fp32",
                      measured.stdout)

    def test_what_goes_with_a_gpu_only_is_named(self):
        for flags, error in (
            (("--dtype", "bf16"), "--dtype: bf16 goes with --device cuda"),
            (("--device", "cuda"), "--device: cuda goes with --transport nccl"),
        ):
            with self.subTest(flags):
                result = self.run_ctl("calibrate", *flags)

                self.assertEqual(result.returncode, 2)
                self.assertIn(error, result.stderr)

    def test_profile_that_cannot_be_written_is_named(self):
        result = self.run_ctl("calibrate", "--hidden", 64, "--ffn", 128,
                              "--out", "/no/such/directory/here.yaml")

        self.assertNotEqual(result.returncode, 0)
        self.assertIn("/no/such/directory/here.yaml", result.stderr)


if __name__ == "__main__":
    ctl.main()
