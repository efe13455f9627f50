"""One act of the Python SDK's own DynamoDB integration, the peer with which the .NET tests share a table.

native_store.py URL TABLE PREFIX init < DATA
native_store.py URL TABLE PREFIX upsert KIND < ITEM
native_store.py URL TABLE PREFIX delete KIND KEY VERSION
native_store.py URL TABLE PREFIX read

DATA, and what read prints, is {"initialized": …, "features": {key: item}, "segments": {key: item}}.
"""

from __future__ import annotations

import json
import sys

from ldclient.feature_store import CacheConfig
from ldclient.integrations import DynamoDB
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

KINDS = {kind.namespace: kind for kind in (FEATURES, SEGMENTS)}


def main(url: str, table: str, prefix: str, act: str, *words: str) -> None:
    options = {
        "endpoint_url": url,
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    store = DynamoDB.new_feature_store(table, prefix, options, CacheConfig.disabled())
    if act == "init":
        data = json.load(sys.stdin)
        store.init({kind: data[name] for name, kind in KINDS.items()})
    elif act == "upsert":
        store.upsert(KINDS[words[0]], json.load(sys.stdin))
    elif act == "delete":
        store.delete(KINDS[words[0]], words[1], int(words[2]))
    else:
        items = {
            name: {key: kind.encode(item) for key, item in store.all(kind).items()} for name, kind in KINDS.items()
        }
        print(json.dumps({"initialized": store.initialized, **items}))


main(*sys.argv[1:])
