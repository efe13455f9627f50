"""Instructions that a C program executes per call, by valgrind's callgrind: a figure that repeats, unlike a time."""

import re
import shutil
import subprocess

from .tools import Missing


def instructions(tools, command, few, many):
    """Per call, as the difference between many calls and few, so that starting up is no part of it."""
    return (_total(tools, command, many) - _total(tools, command, few)) / (many - few)


def _total(tools, command, calls):
    if shutil.which("valgrind") is None:
        raise Missing("needs valgrind")
    out = tools.build / "callgrind.out"
    # Fair turns: else threads that wait for each other starve under valgrind's single lock.
    valgrind = ["valgrind", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={out}"]
    done = subprocess.run(
        [*valgrind, *command],
        env=tools.environment(LD_LIBRARY_PATH=str(tools.symbols)),
        input=f"{calls}\n",
        text=True,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"callgrind failed: {done.stderr[-2000:]}")
    return int(found[1])
