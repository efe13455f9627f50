"""c/blocks.h for Python: makes calls in blocks, as many as each line of standard input says."""

import json
import resource
import sys
import time


def serve(calls):
    """``calls(n)`` makes n calls."""
    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line)
        cpu, wall = _cpu(), time.perf_counter()
        calls(count)
        wall, cpu = time.perf_counter() - wall, _cpu() - cpu
        print(json.dumps({"calls": count, "wall": wall, "cpu": cpu}), flush=True)


def _cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
