"""The SDK's own boto3 integration and this package share a table, each reading what the other wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from endpoint import TABLE, Endpoint
from ldclient import integrations as sdk
from ldclient.feature_store import CacheConfig
from ldclient.feature_store_helpers import CachingStoreWrapper
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

from flagstore import Store
from flagstore.launchdarkly import DynamoDB


def flag(key: str, version: int, **more: Any) -> dict[str, Any]:
    plain = {"on": True, "fallthrough": {"variation": 0}, "variations": ["ä", "b"], "salt": "s"}
    return {"key": key, "version": version, **plain, **more}


SEGMENT = {"key": "segment", "version": 2, "included": ["user"], "excluded": [], "salt": "", "rules": []}
DATA: dict[Any, dict[str, Any]] = {
    SEGMENTS: {"segment": SEGMENT},
    FEATURES: {"one": flag("one", 1), "two": flag("two", 2)},
}


@pytest.fixture(params=["the SDK's writes, ours reads", "ours writes, the SDK's reads"])
def pair(
    request: pytest.FixtureRequest, each_endpoint: Endpoint, prefix: str
) -> Iterator[tuple[CachingStoreWrapper, CachingStoreWrapper]]:
    """A store that writes and one that reads, one of either kind, on the same rows and without a cache."""
    arguments = (TABLE, prefix, each_endpoint.boto3_options, CacheConfig.disabled())
    theirs = sdk.DynamoDB.new_feature_store(*arguments)
    ours = DynamoDB.new_feature_store(*arguments)
    yield (theirs, ours) if request.param.startswith("the SDK's") else (ours, theirs)
    ours.close()


Pair = tuple[CachingStoreWrapper, CachingStoreWrapper]


def test_what_one_initialises_the_other_reads(pair: Pair) -> None:
    writer, reader = pair
    assert not reader.initialized
    writer.init(DATA)
    assert reader.initialized
    for kind, items in DATA.items():
        assert reader.all(kind) == {key: kind.decode(item) for key, item in items.items()}
        for key, item in items.items():
            assert reader.get(kind, key) == kind.decode(item)


def test_what_one_updates_the_other_reads(pair: Pair) -> None:
    writer, reader = pair
    reader.init(DATA)
    writer.upsert(FEATURES, flag("one", 5, name="new"))
    writer.upsert(FEATURES, flag("three", 1))
    assert reader.get(FEATURES, "one") == FEATURES.decode(flag("one", 5, name="new"))
    assert set(reader.all(FEATURES)) == {"one", "two", "three"}


def test_what_one_deletes_the_other_misses(pair: Pair) -> None:
    writer, reader = pair
    reader.init(DATA)
    writer.delete(FEATURES, "one", 9)
    writer.delete(SEGMENTS, "segment", 9)
    assert reader.get(FEATURES, "one") is None
    assert reader.get(SEGMENTS, "segment") is None
    # The SDK keys by the sort key since 9.17, so the deleted flag is its own entry, and filtered.
    assert set(reader.all(FEATURES)) == {"two"}
    assert reader.all(SEGMENTS) == {}


def test_neither_overwrites_what_is_newer(pair: Pair) -> None:
    writer, reader = pair
    reader.init(DATA)
    reader.upsert(FEATURES, flag("one", 7))
    writer.upsert(FEATURES, flag("one", 6))
    assert reader.get(FEATURES, "one")["version"] == 7
    reader.delete(FEATURES, "two", 7)
    writer.upsert(FEATURES, flag("two", 6))
    assert writer.get(FEATURES, "two") is None
    assert reader.get(FEATURES, "two") is None
    writer.upsert(FEATURES, flag("two", 8))
    assert reader.get(FEATURES, "two")["version"] == 8


def test_an_init_replaces_what_the_other_wrote(pair: Pair) -> None:
    writer, reader = pair
    reader.init(DATA)
    reader.delete(FEATURES, "two", 3)
    writer.init({SEGMENTS: {}, FEATURES: {"one": flag("one", 2)}})
    assert reader.all(SEGMENTS) == {}
    assert reader.all(FEATURES) == {"one": FEATURES.decode(flag("one", 2))}
    assert reader.get(FEATURES, "two") is None


def test_an_init_with_what_the_sdk_wrote_costs_no_writes(each_endpoint: Endpoint, prefix: str) -> None:
    sdk.DynamoDB.new_feature_store(TABLE, prefix, each_endpoint.boto3_options).init(DATA)
    with Store(TABLE, prefix=prefix, **each_endpoint.options) as store:
        compact = {kind.namespace: items for kind, items in DATA.items()}
        report = store.init_json(json.dumps(compact, separators=(",", ":"), ensure_ascii=False))
        assert (report.written, report.unchanged, report.deleted) == (0, 3, 0)
        assert store.statistics()["write_units"] == 0


def test_both_big_segment_stores_read_the_same(each_endpoint: Endpoint, prefix: str) -> None:
    client: Any = boto3.client("dynamodb", **each_endpoint.boto3_options)
    ours = DynamoDB.new_big_segment_store(TABLE, prefix, each_endpoint.boto3_options)
    theirs = sdk.DynamoDB.new_big_segment_store(TABLE, prefix, each_endpoint.boto3_options)
    assert ours.get_metadata().last_up_to_date is None
    assert ours.get_membership("hash") == theirs.get_membership("hash") is None

    metadata = f"{prefix}:big_segments_metadata"
    row = {"namespace": {"S": metadata}, "key": {"S": metadata}, "synchronizedOn": {"N": "1700000000123"}}
    client.put_item(TableName=TABLE, Item=row)
    user = {"namespace": {"S": f"{prefix}:big_segments_user"}, "key": {"S": "hash"}}
    client.put_item(
        TableName=TABLE, Item={**user, "included": {"SS": ["a.g1"]}, "excluded": {"SS": ["a.g1", "b.g1"]}}
    )
    assert ours.get_metadata().last_up_to_date == theirs.get_metadata().last_up_to_date == 1700000000123
    assert ours.get_membership("hash") == theirs.get_membership("hash") == {"a.g1": True, "b.g1": False}
    ours.stop()
