"""What the Python SDK's store costs, in write units and requests: units.py native|flagstore OPTIONS FLAGS CHANGED

On an empty prefix it stores a data set, stores it again, stores it with some flags changed, and upserts a version that
is not newer. It prints {"unchanged":units,"changed":units,"conflict":requests}.
"""

import json
import sys

from ldclient.feature_store import CacheConfig
from ldclient.versioned_data_kind import FEATURES, SEGMENTS


def main():
    which, options, flags, changed = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    store, spent = {"native": native, "flagstore": flagstore}[which](options)

    def cost(name, action):
        before = spent()[name]
        action()
        return spent()[name] - before

    data = {f"flag-{number:06}": flag(f"flag-{number:06}", 1) for number in range(flags)}
    newer = {key: flag(key, 2) if place < changed else old for place, (key, old) in enumerate(data.items())}

    def init(items):
        store.init({SEGMENTS: {}, FEATURES: items})

    init(data)
    print(
        json.dumps(
            {
                "unchanged": cost("units", lambda: init(data)),
                "changed": cost("units", lambda: init(newer)),
                "conflict": cost("requests", lambda: store.upsert(FEATURES, flag("flag-000000", 1))),
            }
        )
    )


def flag(key, version):
    """Small enough for a row of one unit."""
    return {
        "key": key,
        "version": version,
        "on": True,
        "variations": [True, False],
        "fallthrough": {"variation": 0},
        "offVariation": 1,
        "salt": key,
    }


def native(options):
    """boto3 asked to report the capacity, which the integration itself does not ask for."""
    from ldclient.integrations import DynamoDB

    store = DynamoDB.new_feature_store("flags", prefix="native", dynamodb_opts=options, caching=CacheConfig.disabled())
    spent = {"units": 0, "requests": 0}

    def before(params, model, **_):
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def after(parsed, model, **_):
        spent["requests"] += 1
        if model.name in ("PutItem", "BatchWriteItem"):
            consumed = parsed.get("ConsumedCapacity", [])
            for each in consumed if isinstance(consumed, list) else [consumed]:
                spent["units"] += each["CapacityUnits"]

    events = store._core._client.meta.events
    events.register("before-parameter-build.dynamodb", before)
    events.register("after-call.dynamodb", after)
    return store, lambda: dict(spent)


def flagstore(options):
    """The library counts for itself."""
    from flagstore.launchdarkly import DynamoDB

    store = DynamoDB.new_feature_store(
        "flags", prefix="flagstore", dynamodb_opts=options, caching=CacheConfig.disabled()
    )

    def spent():
        statistics = store._core._store.statistics()
        return {"units": statistics["write_units"], "requests": statistics["requests"]}

    return store, spent


main()
