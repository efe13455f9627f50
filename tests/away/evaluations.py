"""One process that evaluates all of tests/data/evaluations.json with the official SDK, each data set under a prefix of its
own. Its argument says whether it is the one that writes them; its last line says how many were right."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

from flagstore import Store
from flagstore.launchdarkly import new_feature_store
from ldclient import Config, Context, LDClient
from ldclient.feature_store import CacheConfig

DATA = Path(__file__).resolve().parent.parent / "data" / "evaluations.json"


def main(load: dict) -> None:
    logging.getLogger("ldclient").setLevel(logging.CRITICAL)
    logging.getLogger("flagstore").setLevel(logging.CRITICAL)
    begun = time.monotonic()
    right, total, wrong = 0, 0, []
    for number, data_set in enumerate(json.loads(DATA.read_text())["suites"][: load["limit"]]):
        options = load["options"] | {"prefix": f"newborn-{number}"}
        table, prefix = options.pop("table"), options.pop("prefix")
        if load["write"]:
            with Store(table, prefix=prefix, **options) as store:
                store.init_json(json.dumps({"flags": data_set["flags"], "segments": data_set["segments"]}))
        store = new_feature_store(table, prefix, caching=CacheConfig.disabled(), options=options)
        with LDClient(Config("sdk-key", feature_store=store, use_ldd=True, send_events=False)) as client:
            for evaluation in data_set["evaluations"]:
                got, expected = answer(client, evaluation), as_text({"variationIndex": None, **evaluation["expect"]})
                total += 1
                right += got == expected
                if got != expected:
                    wrong.append(f"{data_set['name']}: {evaluation['flagKey']}: {got} is not {expected}")
    print(json.dumps({"right": right, "total": total, "wrong": wrong[:5], "seconds": time.monotonic() - begun}))


def answer(client: LDClient, evaluation: dict) -> str:
    context = Context.from_dict(as_context(evaluation["context"]))
    detail = client.variation_detail(evaluation["flagKey"], context, evaluation.get("default"))
    return as_text({"value": detail.value, "variationIndex": detail.variation_index, "reason": detail.reason})


def as_context(given: dict) -> dict:
    """Users of the time before contexts have no kind, and their own attributes apart; the SDK takes contexts only."""
    if "kind" in given:
        return given
    known = {name: value for name, value in given.items() if name != "custom"}
    return {"kind": "user", **given.get("custom", {}), **known}


def as_text(value: object) -> str:
    """As JSON, since to Python True and 1 are the same."""
    return json.dumps(value, sort_keys=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
