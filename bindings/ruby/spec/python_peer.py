"""The Python SDK's own boto3 integration, told what to do by lines of JSON, each answered by one.

``[prefix, method, argument...]``. Started by mixed_table_spec.rb as ``python python_peer.py URL TABLE``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ldclient.feature_store import CacheConfig
from ldclient.integrations import DynamoDB
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

KINDS = {"features": FEATURES, "segments": SEGMENTS}


class Peer:
    def __init__(self, url: str, table: str, prefix: str) -> None:
        options = {
            "endpoint_url": url,
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }
        self._store = DynamoDB.new_feature_store(table, prefix, options, CacheConfig.disabled())
        self._segments = DynamoDB.new_big_segment_store(table, prefix, options)

    def init(self, data: dict[str, dict[str, Any]]) -> None:
        self._store.init({KINDS[kind]: items for kind, items in data.items()})

    def get(self, kind: str, key: str) -> Any:
        found = self._store.get(KINDS[kind], key)
        return found and found.to_json_dict()

    def all(self, kind: str) -> Any:
        return {key: item.to_json_dict() for key, item in self._store.all(KINDS[kind]).items()}

    def upsert(self, kind: str, item: dict[str, Any]) -> None:
        self._store.upsert(KINDS[kind], item)

    def delete(self, kind: str, key: str, version: int) -> None:
        self._store.delete(KINDS[kind], key, version)

    def initialized(self) -> bool:
        return self._store.initialized

    def big_segments(self, context_hash: str) -> Any:
        return [self._segments.get_metadata().last_up_to_date, self._segments.get_membership(context_hash)]


def main() -> None:
    url, table = sys.argv[1:]
    for line in sys.stdin:
        prefix, method, *arguments = json.loads(line)
        print(json.dumps(getattr(Peer(url, table, prefix), method)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
