"""tools/lint finds each thing that it forbids, and leaves alone what only looks like it."""

import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Lint(unittest.TestCase):
    def lint(self, name, content):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True)
            path.write_text(content)
            done = subprocess.run([ROOT / "tools/lint", "--root", folder], capture_output=True,
                                  text=True)
        self.assertEqual(done.returncode, 1 if done.stdout else 0, done.stderr)
        return done.stdout

    def test_process_ends_are_found_in_libraries(self):
        for call in ("abort()", "std::exit(1)", "::_exit(2)", "assert(x)", "std::abort ()"):
            out = self.lint("src/io/a.cpp", f"\nvoid f() {{ {call}; }}\n")
            self.assertIn("src/io/a.cpp:2:", out, call)

    def test_lookalikes_are_left_alone(self):
        out = self.lint("src/io/a.cpp", "static_assert(true);\nHONE_ASSERT(x);\nguard.exit();\n"
                        '// abort() here\n/* exit(1)\n */ auto s = "assert(x)";\nat_exit(f);\n')
        self.assertEqual(out, "")

    def test_line_numbers_hold_after_a_long_comment(self):
        self.assertIn("a.cpp:4:", self.lint("src/io/a.cpp", "/* 1\n2\n3 */\nint x = abort();\n"))

    def test_standard_output_belongs_to_the_command_line(self):
        line = "void f() { std::cout << 1; }\n"
        self.assertIn("a.cpp:1:", self.lint("trainers/sft/a.cpp", line))
        self.assertEqual(self.lint("src/cli/a.cpp", line), "")

    def test_long_files_are_found(self):
        self.assertIn("longer than 500", self.lint("src/io/a.cpp", "\n" * 501))
        self.assertEqual(self.lint("src/io/a.cpp", "\n" * 500), "")

    def test_open_ends_are_found_in_comments_too(self):
        self.assertIn("a.h:1:", self.lint("src/io/a.h", "// TO" + "DO: later\n"))
        self.assertIn("x.py:1:", self.lint("tools/x.py", "# FIX" + "ME\n"))

    def test_paths_of_one_machine_are_found(self):
        for path in ("/ho" + "me/ann/x", "/wo" + "rk/main", "/ro" + "ot/.cache"):
            self.assertIn("a.yaml:1:", self.lint("configs/a.yaml", f"base: {path}\n"), path)
        self.assertEqual(self.lint("configs/a.yaml", "base: runs/work/main\n"), "")


if __name__ == "__main__":
    unittest.main()
