"""The LaunchDarkly Python SDK's own DynamoDB integration, as a peer on the same table: reads one JSON command a line,
[prefix, method, argument...], and answers each with one line. Ends with its standard input."""

import json
import sys

from ldclient.feature_store import CacheConfig
from ldclient.integrations import DynamoDB
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

KINDS = {kind.namespace: kind for kind in (FEATURES, SEGMENTS)}


def main():
    table, options = sys.argv[1], json.loads(sys.argv[2])
    for line in sys.stdin:
        prefix, method, *arguments = json.loads(line)
        store = DynamoDB.new_feature_store(table, prefix, options, CacheConfig.disabled())
        print(json.dumps(answer(store, method, arguments)), flush=True)


def answer(store, method, arguments):
    if method == "initialized":
        return store.initialized
    if method == "init":
        return store.init({KINDS[namespace]: items for namespace, items in arguments[0].items()})
    kind, *others = arguments
    found = getattr(store, method)(KINDS[kind], *others)
    if method == "all":
        return {key: item.to_json_dict() for key, item in found.items()}
    return found.to_json_dict() if method == "get" and found else None


main()
