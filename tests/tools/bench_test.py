#!/usr/bin/env python3
"""What tools/bench makes of what it measured: plots, the README's section, the look at the machine."""
import json
import os
import pathlib
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench" / "beside"))
sys.dont_write_bytecode = True

import cases  # noqa: E402
import machine  # noqa: E402
import readme  # noqa: E402
import svg  # noqa: E402
import sweeps  # noqa: E402


def spread(number):
    return {"median": number, "lowest": 0.9 * number, "highest": 1.1 * number}


def tool(speed, **more):
    return {"tokens_per_s": spread(speed), "trained_tokens_per_s": spread(speed / 2),
            "peak_memory_bytes": spread(2**30), "losses": [1.5, 1.25], **more}


def record(refusal=()):
    return {"cases": {"sft": {
        "title": "SFT", "date": "2026-01-01", "rounds": 3, "refusal": list(refusal),
        "machine": {"processor": "a processor", "threads": 2, "matrix_peak_flops": 1e12},
        "losses_differ": {"first_step": 0.001, "any_step": 0.02},
        "tools": {"hone": tool(1000, first_step_done_s=spread(2), mfu=spread(0.6)),
                  "peer": tool(250)}}}}


def shapes(text):
    root = xml.etree.ElementTree.fromstring(text)
    return [node.tag.rsplit("}", 1)[1] for node in root.iter()]


class Plots(unittest.TestCase):
    def test_are_well_formed_and_show_every_point(self):
        text = svg.lines("a < b", "x", "y", {"hone": [(128, 10, 9, 11), (8192, 1000, 900, 1100)]})
        self.assertEqual(shapes(text).count("circle"), 2)
        text = svg.bars("speed", "y", {"SFT": [("hone", 10, 9, 11), ("peer", 4, 3, 5)],
                                       "DPO": [("hone", 0.5, 0.4, 0.6)]})
        self.assertEqual(shapes(text).count("rect"), 1 + 2 + 3)  # ground, legend, bars

    def test_scales_reach_above_what_they_show(self):
        for top in (0.3, 1, 7, 999, 1e9):
            ticks = svg.ticks_up_to(top)
            self.assertGreaterEqual(ticks[-1], top)
            self.assertLessEqual(len(ticks), 8)


class Readme(unittest.TestCase):
    def rewrite(self, text, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "README.md"
            path.write_text(text, encoding="utf-8")
            readme.rewrite(path, *arguments)
            return path.read_text(encoding="utf-8")

    def test_rewrites_what_stands_between_the_markers_alone(self):
        text = f"before\n{readme.BEGIN}\nold\n{readme.END}\nbehind\n"
        new = self.rewrite(text, record(), {"rank": {"title": "ranks"}})
        self.assertTrue(new.startswith(f"before\n{readme.BEGIN}\n"))
        self.assertTrue(new.endswith(f"{readme.END}\nbehind\n"))
        self.assertNotIn("old", new)
        self.assertIn("| SFT | hone | 1,000 (900–1,100) | 500 |  | 1.00 GiB | 2.0 s | 60 % |", new)
        self.assertIn("|  | peer | 250 (225–275) | 125 | 4.00 |", new)
        self.assertIn("sweep_rank.svg", new)
        self.assertEqual(self.rewrite(new, record(), {"rank": {"title": "ranks"}}), new)

    def test_says_of_each_case_how_it_was_measured(self):
        two = record()
        two["cases"]["dpo"] = {**two["cases"]["sft"], "date": "2026-02-02", "rounds": 5}
        text = self.rewrite(f"{readme.BEGIN}\n{readme.END}\n", two, {})
        self.assertIn("*3 rounds, 2026-01-01, a processor, 2 threads", text)
        self.assertIn("*5 rounds, 2026-02-02, a processor, 2 threads", text)

    def test_says_where_the_machine_was_busy(self):
        text = f"{readme.BEGIN}\n{readme.END}\n"
        self.assertIn("busy machine: a load of 3", self.rewrite(text, record(["a load of 3"]), {}))

    def test_refuses_a_text_without_markers(self):
        for text in ("nothing\n", f"{readme.END}\n{readme.BEGIN}\n", 2 * f"{readme.BEGIN}\n"):
            with self.assertRaises(SystemExit):
                self.rewrite(text, record(), {})

    def test_has_one_place_in_the_readme(self):
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertEqual((text.count(readme.BEGIN), text.count(readme.END)), (1, 1))


class Machine(unittest.TestCase):
    def look(self, peak, known, own=0):
        with tempfile.TemporaryDirectory() as folder:
            hone = pathlib.Path(folder) / "hone"
            hone.write_text(f"#!/bin/sh\necho '{json.dumps({'matrix_peak_flops': peak})}'\n",
                            encoding="utf-8")
            hone.chmod(hone.stat().st_mode | stat.S_IXUSR)
            return machine.look(hone, "model", 2, known, own)

    def test_is_busy_where_a_product_is_slower_than_it_was(self):
        known = {}
        found, _ = self.look(1e12, known)
        self.assertEqual(found["matrix_peak_flops"], 1e12)
        _, reasons = self.look(0.5e12, known)
        self.assertTrue(any("500 GFLOP/s" in reason for reason in reasons))
        _, reasons = self.look(0.95e12, known)
        self.assertFalse(any("GFLOP/s" in reason for reason in reasons))

    def test_a_load_is_a_reason(self):
        before = os.getloadavg
        try:
            os.getloadavg = lambda: (3.0, 3.0, 3.0)
            _, reasons = self.look(1e12, {})
            self.assertTrue(any("load of 3.00" in reason for reason in reasons))
            self.assertEqual(self.look(1e12, {}, own=3)[1], [])
            os.getloadavg = lambda: (0.1, 0.1, 0.1)
            self.assertEqual(self.look(1e12, {})[1], [])
        finally:
            os.getloadavg = before


class Sweeps(unittest.TestCase):
    def test_models_have_the_weights_of_their_shape(self):
        for name, millions in (("135M", 134.5), ("360M", 361.8), ("1.7B", 1711.4)):
            count = 0
            for _, sizes in sweeps.tensors_of(sweeps.SHAPES[name]):
                count += sizes[0] * (sizes[1] if len(sizes) > 1 else 1)
            self.assertAlmostEqual(count / 1e6, millions, delta=0.1)

    def test_a_written_model_is_a_whole_safetensors_file(self):
        small = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=1,
                     num_attention_heads=2, num_key_value_heads=1)
        sweeps.SHAPES["small"] = small
        with tempfile.TemporaryDirectory() as folder:
            path = sweeps.write_model(pathlib.Path(folder) / "model", "small")
            data = (path / "model.safetensors").read_bytes()
            size = struct.unpack("<Q", data[:8])[0]
            header = json.loads(data[8:8 + size])
            self.assertEqual(len(data), 8 + size + max(one["data_offsets"][1]
                                                       for one in header.values()))
            norm = header["model.norm.weight"]["data_offsets"]
            self.assertEqual(data[8 + size + norm[0]:8 + size + norm[1]], b"\x80\x3f" * 8)
            self.assertEqual(json.loads((path / "config.json").read_text())["hidden_size"], 8)
        del sweeps.SHAPES["small"]


class Cases(unittest.TestCase):
    def test_hone_gets_the_peers_set_up(self):
        for case in cases.CASES.values():
            config = cases.config_of(case, "model", "bench", 9)
            self.assertEqual(config["train"]["max_steps"], 9)
            self.assertEqual(config["optim"]["learning_rate"], 1e-4)
            self.assertFalse(config["data"]["shuffle"])
            self.assertEqual(config["train"]["per_device_train_batch_size"], case.rows_per_step)

    def test_an_unknown_case_is_refused(self):
        asked = subprocess.run([ROOT / "tools" / "bench", "nothing"], capture_output=True, text=True,
                               check=False)
        self.assertNotEqual(asked.returncode, 0)
        self.assertIn("sft_lora_bf16", asked.stderr)


if __name__ == "__main__":
    unittest.main()
