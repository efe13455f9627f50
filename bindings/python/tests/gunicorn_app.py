"""What gunicorn loads in ``test_gunicorn.py``: an application that opens its store and client at import, and uses them at
once, as one does with ``--preload``. Answers tell what was evaluated, why, by whom, and what the process holds."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable
from typing import Any, Callable
from urllib.parse import parse_qs

from ldclient import Config, Context, LDClient
from ldclient.feature_store import CacheConfig

from flagstore.launchdarkly import DynamoDB

settings = json.loads(os.environ["FLAGSTORE_TEST_APP"])
logging.basicConfig(format="[%(process)d] %(name)s: %(message)s")
store = DynamoDB.new_feature_store(
    "flags",
    settings["prefix"],
    settings["dynamodb_opts"],
    CacheConfig.disabled(),
    options={"timeout_ms": 1_000},
)
client = LDClient(Config("sdk-key", feature_store=store, use_ldd=True, send_events=False))


def evaluate(key: str) -> Any:
    return client.variation_detail(key, Context.create("user"), "default")


def evaluate_for_ever() -> None:
    while True:
        evaluate("flag-0")


assert evaluate("flag-0").value == "value of flag-0"
if settings["master_evaluates"]:
    threading.Thread(target=evaluate_for_ever, daemon=True).start()


def application(environment: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    keys = parse_qs(environment["QUERY_STRING"])["flag"]
    details = {key: evaluate(key) for key in keys}
    with open("/proc/self/statm") as memory:
        resident = int(memory.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    answer = {
        "values": {key: detail.value for key, detail in details.items()},
        "reasons": {key: detail.reason for key, detail in details.items()},
        "pid": os.getpid(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "resident": resident,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
