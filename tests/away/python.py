"""The load of one process: the official Python SDK evaluates flags on many threads, and each evaluation is noted.

::

    python python.py '{"threads":16, "flags":20, "notes":"/tmp/notes", "options":{…}}'

Runs until its standard input ends. Each thread writes a file of its own into `notes`: a line for each evaluation, with the
time in milliseconds since 1970, the microseconds that it took, and the value.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import threading
import time
from pathlib import Path

from flagstore.launchdarkly import new_feature_store
from ldclient import Config, Context, LDClient
from ldclient.feature_store import CacheConfig

PAUSE = 0.005


def main(load: dict) -> None:
    logging.getLogger("ldclient").setLevel(logging.CRITICAL)
    options = dict(load["options"])
    store = new_feature_store(
        options.pop("table"), options.pop("prefix"), caching=CacheConfig.disabled(), options=options
    )
    over = threading.Event()
    with LDClient(Config("sdk-key", feature_store=store, use_ldd=True, send_events=False)) as client:
        threads = [
            threading.Thread(target=evaluate, args=(client, load, number, over)) for number in range(load["threads"])
        ]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        over.set()
        for thread in threads:
            thread.join()


def evaluate(client: LDClient, load: dict, number: int, over: threading.Event) -> None:
    context = Context.create("somebody")
    dice = random.Random(number)
    with (Path(load["notes"]) / f"{number}.txt").open("w") as notes:
        while not over.is_set():
            key = f"flag{dice.randrange(load['flags'])}"
            begun = time.perf_counter_ns()
            value = client.variation(key, context, "DEFAULT")
            took = (time.perf_counter_ns() - begun) // 1000
            notes.write(f"{time.time_ns() // 1_000_000} {took} {value}\n")
            time.sleep(PAUSE)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
