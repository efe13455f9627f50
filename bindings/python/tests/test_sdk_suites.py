"""The SDK's own tests of persistent stores, all of them, with this package's stores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import sdk_suites
from endpoint import SUITE_TABLE, Endpoint
from ldclient.feature_store import CacheConfig
from ldclient.feature_store_helpers import CachingStoreWrapper
from ldclient.interfaces import BigSegmentStore, BigSegmentStoreMetadata
from ldclient.versioned_data_kind import VersionedDataKind

from flagstore.launchdarkly import DynamoDB

sdk_suites.make_importable()

if TYPE_CHECKING:
    BigSegmentStoreTestBase: Any = object
    BigSegmentStoreTester: Any = object
    PersistentFeatureStoreTestBase: Any = object
    PersistentFeatureStoreTester: Any = object
else:
    from ldclient.testing.integrations.big_segment_store_test_base import (
        BigSegmentStoreTestBase,
        BigSegmentStoreTester,
    )
    from ldclient.testing.integrations.persistent_feature_store_test_base import (
        PersistentFeatureStoreTestBase,
        PersistentFeatureStoreTester,
    )


class Table:
    """The suites' table: they start their own stores, so the endpoint reaches them by this class."""

    endpoint: Endpoint

    @classmethod
    def client(cls) -> Any:
        return boto3.client("dynamodb", **cls.endpoint.boto3_options)

    @classmethod
    def clear(cls) -> None:
        client = cls.client()
        for page in client.get_paginator("scan").paginate(TableName=SUITE_TABLE, ConsistentRead=True):
            for row in page["Items"]:
                client.delete_item(
                    TableName=SUITE_TABLE, Key={"namespace": row["namespace"], "key": row["key"]}
                )

    @classmethod
    def put(cls, prefix: str | None, namespace: str, key: str | None, **attributes: Any) -> None:
        full = f"{prefix}:{namespace}" if prefix else namespace
        row = {"namespace": {"S": full}, "key": {"S": full if key is None else key}, **attributes}
        cls.client().put_item(TableName=SUITE_TABLE, Item=row)


@pytest.fixture(scope="module", autouse=True)
def _endpoint(endpoint: Endpoint) -> None:
    Table.endpoint = endpoint


class FeatureStoreTester(PersistentFeatureStoreTester):
    def create_persistent_feature_store(
        self, prefix: str | None, caching: CacheConfig
    ) -> CachingStoreWrapper:
        return DynamoDB.new_feature_store(SUITE_TABLE, prefix, Table.endpoint.boto3_options, caching)

    def clear_data(self, prefix: str | None) -> None:
        Table.clear()

    def write_raw_item(
        self, prefix: str | None, kind: VersionedDataKind, key: str, item: dict[str, Any]
    ) -> None:
        version = {"N": str(item["version"])}
        Table.put(prefix, kind.namespace, key, version=version, item={"S": json.dumps(item)})


class TestFeatureStore(PersistentFeatureStoreTestBase):
    @property
    def tester_class(self) -> type:
        return FeatureStoreTester


class BigSegmentTester(BigSegmentStoreTester):
    def create_big_segment_store(self, prefix: str | None) -> BigSegmentStore:
        return DynamoDB.new_big_segment_store(SUITE_TABLE, prefix, Table.endpoint.boto3_options)

    def clear_data(self, prefix: str | None) -> None:
        Table.clear()

    def set_metadata(self, prefix: str | None, metadata: BigSegmentStoreMetadata) -> None:
        Table.put(prefix, "big_segments_metadata", None, synchronizedOn={"N": str(metadata.last_up_to_date)})

    def set_segments(self, prefix: str | None, key: str, includes: list[str], excludes: list[str]) -> None:
        sets = {"included": includes, "excluded": excludes}
        Table.put(
            prefix, "big_segments_user", key, **{name: {"SS": refs} for name, refs in sets.items() if refs}
        )


class TestBigSegmentStore(BigSegmentStoreTestBase):
    @property
    def tester_class(self) -> type:
        return BigSegmentTester
