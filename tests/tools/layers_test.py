"""tools/check-layers finds what goes against the table, in trees made for it."""

import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = "base:\nio: base\nmodel: base io\ndatasets: base\ntrainers: src datasets\ncli: src trainers\n"


class Layers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("tools/layers.txt", TABLE)
        for name in ("base/error.h", "io/json.h", "model/spec.h", "cli/verbs.h"):
            self.write(f"src/{name}", "#pragma once\n")

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def check(self):
        done = subprocess.run([ROOT / "tools/check-layers", "--root", self.root],
                              capture_output=True, text=True)
        return done.returncode, done.stdout

    def expect_problem(self, *parts):
        status, out = self.check()
        self.assertEqual(status, 1, out)
        for part in parts:
            self.assertIn(part, out)

    def test_allowed_includes_pass(self):
        self.write("src/model/load.cpp", '#include <vector>\n#include "gguf.h"\n'
                   '#include "base/error.h"\n#include "io/json.h"\n#include "model/spec.h"\n')
        self.write("trainers/sft/sft.cpp", '#include "model/spec.h"\n#include "trainers/sft/sft.h"\n')
        self.write("trainers/sft/sft.h", "#pragma once\n")
        self.write("src/cli/main.cpp", '#include "trainers/sft/sft.h"\n')
        self.assertEqual(self.check(), (0, ""))

    def test_include_against_the_table_is_found_with_its_line(self):
        self.write("src/io/gguf.cpp", '#include "base/error.h"\n\n#  include "model/spec.h"\n')
        self.expect_problem("src/io/gguf.cpp:3: folder io may not use model (it may use: base)")

    def test_angle_brackets_do_not_hide_an_include(self):
        self.write("src/base/log.cpp", "#include <io/json.h>\n")
        self.expect_problem("src/base/log.cpp:1: folder base may not use io",
                            "(it may use: nothing of ours)")

    def test_folders_below_a_folder_count_as_it(self):
        self.write("src/io/deep/down.cpp", '#include "model/spec.h"\n')
        self.expect_problem("src/io/deep/down.cpp:1: folder io may not use model")

    def test_datasets_may_not_use_trainers(self):
        self.write("datasets/rows.cpp", '#include "trainers/sft/sft.h"\n')
        self.expect_problem("datasets/rows.cpp:1: folder datasets may not use trainers")

    def test_trainers_never_include_each_other(self):
        self.write("trainers/dpo/dpo.cpp", '#include "trainers/sft/sft.h"\n')
        self.expect_problem("trainers/dpo/dpo.cpp:1: trainer dpo may not use trainer sft")

    def test_only_cli_sees_trainers_and_none_sees_cli(self):
        self.write("src/model/bad.cpp", '#include "trainers/sft/sft.h"\n')
        self.write("trainers/sft/sft.cpp", '#include "cli/verbs.h"\n')
        self.expect_problem("src/model/bad.cpp:1: folder model may not use trainers",
                            "trainers/sft/sft.cpp:1: folder trainers may not use cli")

    def test_path_tricks_are_found(self):
        self.write("src/base/a.cpp", '#include "../io/json.h"\n#include "src/io/json.h"\n'
                   '#include "error.h"\n')
        self.expect_problem("src/base/a.cpp:1:", "src/base/a.cpp:2:", "src/base/a.cpp:3:")

    def test_folder_without_a_row_is_found(self):
        self.write("src/misc/x.cpp", "\n")
        self.write("src/io/y.cpp", '#include "misc/x.h"\n')
        self.expect_problem("src/misc/x.cpp:1: folder 'misc' is not in the table",
                            "src/io/y.cpp:1: 'misc' is not in the table of folders")

    def test_cycle_in_the_table_is_found(self):
        self.write("tools/layers.txt", TABLE.replace("io: base", "io: base model"))
        self.expect_problem("the table has a cycle: io -> model -> io")

    def test_unknown_folder_in_the_table_is_found(self):
        self.write("tools/layers.txt", TABLE.replace("io: base", "io: basis"))
        self.expect_problem("layers.txt:2: io names an unknown folder 'basis'")


class Table(unittest.TestCase):
    def test_has_a_row_for_every_folder_of_the_repository(self):
        rows = {line.split(":")[0] for line in (ROOT / "tools/layers.txt").read_text().splitlines()
                if line and not line.startswith("#")}
        folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
        self.assertLessEqual(folders | {"datasets", "trainers"}, rows)


if __name__ == "__main__":
    unittest.main()
