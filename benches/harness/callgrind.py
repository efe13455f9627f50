"""Instructions that a C program executes per call, by valgrind's callgrind: a figure that repeats, unlike a time."""

import re
import shutil
import subprocess

from .tools import Missing


def instructions(tools, command, few, many):
    """Per call, as the difference between many calls and few, so that starting up is no part of it."""
    return (_total(tools, command, f"{many}\n") - _total(tools, command, f"{few}\n")) / (many - few)


def instructions_of(tools, command, order):
    """Of what a program does for one line of its input, the second time it is asked."""
    return _total(tools, command, f"{order}\n{order}\n") - _total(tools, command, f"{order}\n")


def _total(tools, command, orders):
    if shutil.which("valgrind") is None:
        raise Missing("needs valgrind")
    out = tools.build / "callgrind.out"
    # Fair turns: else threads that wait for each other starve under valgrind's single lock.
    valgrind = ["valgrind", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={out}"]
    done = subprocess.run(
        [*valgrind, *command],
        env=tools.environment(LD_LIBRARY_PATH=str(tools.symbols)),
        input=orders,
        text=True,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"callgrind failed: {done.stderr[-2000:]}")
    return int(found[1])
