"""The store on PyPy: its tests, run by the PyPy of this machine. The LaunchDarkly SDK asks for a newer Python than that."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from endpoint import REPOSITORY

PROJECT = REPOSITORY / "bindings/python"
REQUIREMENTS = PROJECT / "requirements-pypy.txt"
TESTS = ("store", "concurrency", "errors", "library", "process", "blocking")
# PyPy's ctypes is written in Python: a handler that raises in the middle of it leaves it in pieces now and then (a function
# that returns an int for bytes, memory for its collector), whoever calls through it.
NOT_ITS_OWN = (
    "tests/test_blocking.py::test_an_interrupted_call_leaves_nothing_behind",
    # Of the items that the compiled module keeps, with tracemalloc and a collector that is told when.
    "tests/test_store.py::test_items_that_were_read_are_kept_within_bounds",
    "tests/test_store.py::test_reading_makes_room_for_a_finaliser_that_reads_and_closes",
)
# Those of CPython's scenarios that show what the interpreter does: exits, nesting, threads in the middle of calls.
FORKS = (
    "test_fork[the_child_exits_without_closing]",
    "test_fork[three_deep]",
    "test_fork[while_eight_threads_are_in_calls]",
    "test_multiprocessing[forked_processes]",
)


@pytest.fixture(scope="module")
def python() -> Path:
    """A PyPy with the packages that the tests need, made once for a state of their list."""
    pypy = shutil.which("pypy3")
    if pypy is None:
        pytest.skip("pypy3 is not installed")
    state = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = Path(os.environ.get("FLAGSTORE_BUILD") or REPOSITORY / "build") / f"pypy-{state}"
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = subprocess.run([pypy, "-m", "venv", str(folder)], capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"pypy3 makes no environment, which takes pypy3-venv: {made.stdout + made.stderr}")
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
        (folder / "complete").touch()
    return python


def run(python: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [
            str(python),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::Warning:boto3",
            *arguments,
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "skipped" not in ran.stdout, ran.stdout
    return ran.stdout


def passed(output: str) -> int:
    found = re.search(r"(\d+) passed", output)
    return int(found[1]) if found else 0


def test_the_store_works_on_pypy(python: Path) -> None:
    files = (f"tests/test_{name}.py" for name in TESTS)
    without = (f"--deselect={test}" for test in NOT_ITS_OWN)
    assert passed(run(python, *without, *files)) >= 150


def test_forks_work_on_pypy(python: Path) -> None:
    assert passed(run(python, *(f"tests/test_fork.py::{name}" for name in FORKS))) == len(FORKS)
