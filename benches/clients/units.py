"""What the Python SDK's store costs, in units and requests: units.py native|flagstore OPTIONS FLAGS CHANGED BYTES

On an empty prefix it stores a data set, stores it again, stores it with some flags changed, gets a flag, upserts a newer
version, and one that is not newer. It prints for each of these {"read":units,"write":units,"requests":n}, as "unchanged",
"changed", "get", "applied" and "refused". BYTES is how long the JSON of a flag is at least.
"""

import json
import sys

from ldclient.feature_store import CacheConfig
from ldclient.versioned_data_kind import FEATURES, SEGMENTS


def main():
    which, options = sys.argv[1], json.loads(sys.argv[2])
    flags, changed, size = map(int, sys.argv[3:])
    store, spent = {"native": native, "flagstore": flagstore}[which](options)

    def cost(action):
        before = spent()
        action()
        return {name: total - before[name] for name, total in spent().items()}

    data = {f"flag-{number:06}": flag(f"flag-{number:06}", 1, size) for number in range(flags)}
    newer = {key: flag(key, 2, size) if place < changed else old for place, (key, old) in enumerate(data.items())}

    def init(items):
        store.init({SEGMENTS: {}, FEATURES: items})

    init(data)
    print(
        json.dumps(
            {
                "unchanged": cost(lambda: init(data)),
                "changed": cost(lambda: init(newer)),
                "get": cost(lambda: store.get(FEATURES, "flag-000000", lambda item: item)),
                "applied": cost(lambda: store.upsert(FEATURES, flag("flag-000000", 3, size))),
                "refused": cost(lambda: store.upsert(FEATURES, flag("flag-000000", 3, size))),
            }
        )
    )


def flag(key, version, size):
    made = {
        "key": key,
        "version": version,
        "on": True,
        "variations": [True, False],
        "fallthrough": {"variation": 0},
        "offVariation": 1,
        "salt": key,
        "description": "",
    }
    made["description"] = "x" * max(0, size - len(json.dumps(made)))
    return made


def native(options):
    """boto3 asked to report the capacity, which the integration itself does not ask for."""
    from ldclient.integrations import DynamoDB

    store = DynamoDB.new_feature_store("flags", prefix="native", dynamodb_opts=options, caching=CacheConfig.disabled())
    spent = {"read": 0, "write": 0, "requests": 0}

    def before(params, model, **_):
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def after(parsed, model, **_):
        spent["requests"] += 1
        kind = "write" if model.name in ("PutItem", "BatchWriteItem") else "read"
        consumed = parsed.get("ConsumedCapacity", [])
        for each in consumed if isinstance(consumed, list) else [consumed]:
            spent[kind] += each["CapacityUnits"]

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
        return {
            "read": statistics["read_units"],
            "write": statistics["write_units"],
            "requests": statistics["requests"],
        }

    return store, spent


main()
