"""The SDK adapter beyond the SDK's own suites: options that cross, rows that others wrote, items that are too large."""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import logging
import queue
import time
from collections.abc import Iterator
from typing import Any, Callable

import boto3
import pytest
from botocore.config import Config as BotoConfig
from conftest import Rows
from endpoint import SECRET, TABLE, Endpoint, Faults
from ldclient import Config, Context, LDClient
from ldclient import integrations as sdk
from ldclient.config import BigSegmentsConfig
from ldclient.feature_store import CacheConfig
from ldclient.feature_store_helpers import CachingStoreWrapper
from ldclient.integrations.test_data import TestData
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

from flagstore import ConfigurationError, Item, OptionError, Store, UnavailableError
from flagstore import launchdarkly as adapter
from flagstore._boto3_options import translated
from flagstore.launchdarkly import DynamoDB

OpenFeatureStore = Callable[..., CachingStoreWrapper]


@pytest.fixture
def open_feature_store(endpoint: Endpoint, prefix: str) -> Iterator[OpenFeatureStore]:
    """Opens feature stores for the SDK, without a cache unless given one."""
    opened = []

    def open_one(caching: CacheConfig = CacheConfig.disabled(), **arguments: Any) -> CachingStoreWrapper:  # noqa: B008
        store = DynamoDB.new_feature_store(TABLE, prefix, endpoint.boto3_options, caching, **arguments)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def feature_store(open_feature_store: OpenFeatureStore) -> CachingStoreWrapper:
    return open_feature_store()


def flag(key: str, version: int, **more: Any) -> dict[str, Any]:
    plain = {"on": False, "offVariation": 0, "variations": ["a", "b"], "salt": "", "rules": []}
    return {"key": key, "version": version, **plain, **more}


# The call shape


@pytest.mark.parametrize("name", ["new_feature_store", "new_big_segment_store", "async_feature_store"])
def test_the_calls_are_those_of_the_sdk(name: str) -> None:
    theirs = inspect.signature(getattr(sdk.DynamoDB, name)).parameters
    ours = inspect.signature(getattr(DynamoDB, name)).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    for parameter in theirs:
        assert ours[parameter].kind == theirs[parameter].kind
        assert type(ours[parameter].default) is type(theirs[parameter].default)
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    assert all(ours[name].kind in by_name for name in list(ours)[len(theirs) :])
    assert getattr(adapter, name) is getattr(DynamoDB, name)


def test_the_sdk_calls_it_dynamodb_and_watches_it(feature_store: CachingStoreWrapper) -> None:
    assert feature_store.describe_configuration(Config("sdk-key")) == "DynamoDB"
    assert feature_store.is_monitoring_enabled() is True
    assert feature_store.is_available() is True


def test_a_table_that_is_not_there_is_not_available(endpoint: Endpoint) -> None:
    store = DynamoDB.new_feature_store("no-such-table", None, endpoint.boto3_options)
    assert store.is_available() is False
    with pytest.raises(ConfigurationError, match="no-such-table"):
        store.get(FEATURES, "flag")
    store.close()


# Options of boto3


@pytest.mark.parametrize(
    ("boto3_options", "options"),
    [
        ({}, {}),
        ({"region_name": None, "verify": None, "config": None}, {}),
        ({"region_name": "eu-west-1"}, {"region": "eu-west-1"}),
        ({"endpoint_url": "http://localhost:8000"}, {"endpoint": "http://localhost:8000"}),
        (
            {"aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c"},
            {"access_key_id": "a", "secret_access_key": "b", "session_token": "c"},
        ),
        ({"use_ssl": True, "verify": True, "api_version": "2012-08-10"}, {}),
        ({"use_ssl": False, "endpoint_url": "http://localhost:8000"}, {"endpoint": "http://localhost:8000"}),
        ({"verify": "/etc/authorities.pem"}, {"ca_bundle": "/etc/authorities.pem"}),
        ({"config": BotoConfig()}, {}),
        (
            {"config": BotoConfig(connect_timeout=0.25, read_timeout=3)},
            {"connect_timeout_ms": 250, "attempt_timeout_ms": 3000},
        ),
        (
            {"config": BotoConfig(read_timeout=20)},
            {"attempt_timeout_ms": 20_000, "timeout_ms": 20_000},
        ),
        ({"config": BotoConfig(retries={"max_attempts": 2})}, {"timeout_ms": 6_000}),
        ({"config": BotoConfig(retries={"total_max_attempts": 2})}, {"timeout_ms": 4_000}),
        (
            {"config": BotoConfig(retries={"total_max_attempts": 1}, read_timeout=0.5)},
            {"attempt_timeout_ms": 500, "timeout_ms": 500},
        ),
        ({"config": BotoConfig(retries={"mode": "standard"})}, {}),
        ({"config": BotoConfig(max_pool_connections=50)}, {"max_connections": 50}),
        ({"config": BotoConfig(proxies={"https": "http://proxy:3128"})}, {"proxy": "http://proxy:3128"}),
        (
            {"config": BotoConfig(proxies={"http": "proxy:3128"}), "endpoint_url": "http://a"},
            {"endpoint": "http://a", "proxy": "http://proxy:3128"},
        ),
        ({"config": BotoConfig(proxies={"http": "proxy:3128"})}, {"proxy": "none"}),
        ({"config": BotoConfig(tcp_keepalive=True, user_agent_extra="app/1"), "aws_account_id": "123"}, {}),
        ({"config": BotoConfig(region_name="a"), "region_name": "b"}, {"region": "b"}),
        ({"config": BotoConfig(region_name="a")}, {"region": "a"}),
        (
            {"config": BotoConfig(use_fips_endpoint=True, use_dualstack_endpoint=True)},
            {"use_fips": True, "use_dual_stack": True},
        ),
    ],
    ids=str,
)
def test_options_that_cross(boto3_options: dict[str, Any], options: dict[str, Any]) -> None:
    assert translated(boto3_options) == options
    Store(TABLE, **options).close()


@pytest.mark.parametrize(
    ("boto3_options", "named", "instead"),
    [
        ({"verify": False}, "verify", "CA bundle"),
        ({"use_ssl": False}, "use_ssl", "endpoint_url"),
        ({"api_version": "2011-12-05"}, "api_version", "leave it out"),
        ({"regoin_name": "eu-west-1"}, "regoin_name", "leave it out"),
        ({"session": object()}, "session", "options of boto3.client"),
        ({"existing_client": object()}, "existing_client", "options of boto3.client"),
        ({"config": {"read_timeout": 3}}, "config", "botocore.config.Config"),
        ({"region": "eu-west-1"}, "region", "boto3's, which calls it region_name"),
        ({"access_key_id": SECRET}, "access_key_id", "boto3's, which calls it aws_access_key_id"),
        ({"timeout_ms": 100}, "timeout_ms", "options={'timeout_ms': ...}"),
        ({"config": BotoConfig(max_pool_connections=0)}, "config.max_pool_connections", "above 0"),
        ({"config": BotoConfig(proxies=["proxy"])}, "config.proxies", "takes a dict"),
        ({"config": BotoConfig(signature_version="v2")}, "config.signature_version", "leave it out"),
        ({"config": BotoConfig(read_timeout=-1)}, "config.read_timeout", "seconds"),
        ({"region_name": 5}, "region", "string"),
        ({"aws_access_key_id": SECRET}, "secret_access_key", "together"),
    ],
    ids=str,
)
def test_options_that_do_not_cross_are_refused_by_name(
    boto3_options: dict[str, Any], named: str, instead: str
) -> None:
    for new in (DynamoDB.new_feature_store, DynamoDB.new_big_segment_store):
        with pytest.raises(OptionError, match=f'"{named}"') as raised:
            new(TABLE, dynamodb_opts=boto3_options)
        assert instead in str(raised.value)
        assert isinstance(raised.value, ValueError)
        assert SECRET not in str(raised.value)


def test_an_existing_client_is_refused_with_the_remedy(endpoint: Endpoint) -> None:
    client = boto3.client("dynamodb", **endpoint.boto3_options)
    for new in (DynamoDB.new_feature_store, DynamoDB.new_big_segment_store):
        with pytest.raises(OptionError, match=r"not DynamoDB: .* give the options of boto3\.client"):
            new(TABLE, dynamodb_opts=client)


def test_options_of_the_store_win(endpoint: Endpoint, prefix: str) -> None:
    wrong = {**endpoint.boto3_options, "endpoint_url": "http://127.0.0.1:1"}
    store = DynamoDB.new_feature_store(TABLE, prefix, wrong, options={"endpoint": endpoint.url})
    assert store.is_available()
    store.close()
    store = DynamoDB.new_feature_store(TABLE, "a", endpoint.boto3_options, options={"prefix": prefix})
    with Store(TABLE, prefix=prefix, **endpoint.options) as own:
        own.init({})
    assert store.initialized
    store.close()
    with pytest.raises(OptionError, match="tabel"):
        DynamoDB.new_feature_store(TABLE, options={"tabel": 1})


# What other SDKs wrote


@pytest.mark.parametrize(
    "text",
    [
        "null",
        '{"key":"gone","version":5,"deleted":true}',
        '{"version":5,"deleted":true}',
        '{"key":"$deleted","version":5,"deleted":true,"on":false,"variations":[],"rules":[]}',
    ],
    ids=["null", "keyed", "keyless", "full"],
)
@pytest.mark.parametrize("kind", [FEATURES, SEGMENTS], ids=["flag", "segment"])
def test_a_tombstone_of_any_sdk_is_a_deleted_item(
    feature_store: CachingStoreWrapper, rows: Rows, kind: Any, text: str
) -> None:
    feature_store.init({kind: {"here": flag("here", 1)}})
    rows.put(kind.namespace, "gone", version={"N": "5"}, item={"S": text})
    assert feature_store.get(kind, "gone") is None
    assert list(feature_store.all(kind)) == ["here"]
    core = feature_store._core
    tombstone = {"key": "gone", "version": 5, "deleted": True}
    assert core.get_internal(kind, "gone") == kind.decode(tombstone)
    assert core.get_all_internal(kind)["gone"] == kind.decode(tombstone)
    assert core.upsert_internal(kind, flag("gone", 4)) == kind.decode(tombstone)


def test_a_deletion_is_written_in_the_form_that_every_sdk_reads(
    feature_store: CachingStoreWrapper, rows: Rows
) -> None:
    feature_store.delete(FEATURES, "flag", 3)
    row = rows.get("features", "flag")
    assert row is not None
    written = json.loads(row["item"]["S"])
    assert (written["key"], written["version"], written["deleted"]) == ("$deleted", 3, True)
    assert written["variations"] == []


def test_items_are_written_as_the_sdk_writes_them(feature_store: CachingStoreWrapper, rows: Rows) -> None:
    item = flag("flag", 1, name="Grüße", unknown={"kept": None})
    feature_store.init({SEGMENTS: {}, FEATURES: {"flag": item}})
    assert rows.get("features", "flag") == {"version": {"N": "1"}, "item": {"S": json.dumps(item)}}


# The doctor


def test_the_doctor_takes_what_the_feature_store_takes(endpoint: Endpoint, prefix: str) -> None:
    options: Any = {
        "prefix": prefix,
        "caching": CacheConfig.disabled(),
        "log_events": True,
        "cache_ttl_ms": 1000,
    }
    DynamoDB.new_feature_store(TABLE, dynamodb_opts=endpoint.boto3_options, **options).init({FEATURES: {}})
    report = DynamoDB.doctor(TABLE, dynamodb_opts=endpoint.boto3_options, **options)
    assert (report.problems, report.warnings) == (0, 0), report
    assert SECRET not in repr(report)
    missing = DynamoDB.doctor("no-such-table", dynamodb_opts=endpoint.boto3_options, **options)
    assert [one.check for one in missing.findings if one.level == "problem"] == ["table"]
    with pytest.raises(OptionError, match="region_name"):
        DynamoDB.doctor(TABLE, dynamodb_opts={"region": "us-east-1"})


# Items over 400 KB


@pytest.fixture
def huge() -> dict[str, Any]:
    return flag("huge", 2, padding="x" * 400_000)


def test_a_huge_flag_does_not_fail_an_init(
    feature_store: CachingStoreWrapper, huge: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "ldclient"):
        feature_store.init({FEATURES: {"huge": huge, "small": flag("small", 1)}})
    assert feature_store.initialized
    assert list(feature_store.all(FEATURES)) == ["small"]
    assert '"huge"' in caplog.text
    assert "xxxx" not in caplog.text


@pytest.mark.parametrize(
    "caching", [CacheConfig.disabled(), CacheConfig.default()], ids=["uncached", "cached"]
)
def test_a_huge_update_leaves_what_all_processes_read(
    open_feature_store: OpenFeatureStore,
    caching: CacheConfig,
    huge: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_feature_store(caching)
    with caplog.at_level(logging.ERROR, "ldclient"):
        store.upsert(FEATURES, huge)
        assert store.get(FEATURES, "huge") is None
        store.upsert(FEATURES, flag("huge", 1))
        store.upsert(FEATURES, huge)
        assert store.get(FEATURES, "huge") == FEATURES.decode(flag("huge", 1))
    assert '"huge"' in caplog.text


# The SDK around it


def test_errors_reach_the_sdk(endpoint: Endpoint) -> None:
    unreachable = {**endpoint.boto3_options, "endpoint_url": "http://127.0.0.1:1"}
    store = DynamoDB.new_feature_store(TABLE, "x", unreachable, options={"timeout_ms": 200})
    assert store.is_available() is False
    for call in (
        lambda: store.get(FEATURES, "flag"),
        lambda: store.all(FEATURES),
        lambda: store.upsert(FEATURES, flag("flag", 1)),
        lambda: store.initialized,
    ):
        with pytest.raises(UnavailableError):
            call()
    store.close()


def test_the_client_reads_what_another_process_wrote(
    feature_store: CachingStoreWrapper, open_feature_store: OpenFeatureStore
) -> None:
    open_feature_store().init({FEATURES: {"flag": flag("flag", 1)}, SEGMENTS: {}})
    config = Config("sdk-key", feature_store=feature_store, use_ldd=True, send_events=False)
    with LDClient(config) as client:
        assert client.is_initialized()
        assert client.data_store_status_provider.is_monitoring_enabled()
        assert client.variation("flag", Context.create("user"), "none") == "a"
        assert client.all_flags_state(Context.create("user")).to_values_map() == {"flag": "a"}


def test_the_client_writes_what_its_data_source_brings(
    feature_store: CachingStoreWrapper, endpoint: Endpoint, prefix: str
) -> None:
    source = TestData.data_source()
    source.update(source.flag("flag").variations("a", "b").fallthrough_variation(0))
    config = Config("sdk-key", feature_store=feature_store, update_processor_class=source, send_events=False)
    with LDClient(config) as client, Store(TABLE, prefix=prefix, **endpoint.options) as store:
        assert client.is_initialized()
        assert store.initialized()
        before = store.get("features", "flag")
        assert client.variation("flag", Context.create("user"), "none") == "a"
        source.update(source.flag("flag").fallthrough_variation(1))
        assert client.variation("flag", Context.create("user"), "none") == "b"
        after = store.get("features", "flag")
        assert before and after
        assert after.version == before.version + 1


def test_the_client_evaluates_big_segments(
    endpoint: Endpoint, feature_store: CachingStoreWrapper, prefix: str, rows: Rows
) -> None:
    clause = {"attribute": "", "op": "segmentMatch", "values": ["big"]}
    rule = {"id": "r", "variation": 1, "clauses": [clause]}
    segment = {"key": "big", "version": 1, "unbounded": True, "generation": 2, "salt": "", "rules": []}
    segment.update(included=[], excluded=[])
    live = flag("flag", 1, on=True, fallthrough={"variation": 0}, rules=[rule])
    feature_store.init({SEGMENTS: {"big": segment}, FEATURES: {"flag": live}})
    member = base64.b64encode(hashlib.sha256(b"member").digest()).decode()
    rows.put("big_segments_user", member, included={"SS": ["big.g2"]})
    rows.put_special("big_segments_metadata", synchronizedOn={"N": str(2**42)})

    segments = BigSegmentsConfig(DynamoDB.new_big_segment_store(TABLE, prefix, endpoint.boto3_options))
    config = Config(
        "sdk-key", feature_store=feature_store, big_segments=segments, use_ldd=True, send_events=False
    )
    with LDClient(config) as client:
        inside = client.variation_detail("flag", Context.create("member"), "none")
        outside = client.variation_detail("flag", Context.create("other"), "none")
    assert (inside.value, inside.reason["bigSegmentsStatus"]) == ("b", "HEALTHY")
    assert (outside.value, outside.reason["bigSegmentsStatus"]) == ("a", "HEALTHY")


def test_a_closed_feature_store_is_not_available(feature_store: CachingStoreWrapper) -> None:
    feature_store.close()
    feature_store.close()
    assert feature_store.is_available() is False


def test_the_store_keeps_no_cache_of_its_own(
    open_feature_store: OpenFeatureStore, endpoint: Endpoint, prefix: str
) -> None:
    store = open_feature_store(CacheConfig.default())
    store.init({FEATURES: {"flag": flag("flag", 1)}})
    with Store(TABLE, prefix=prefix, **endpoint.options) as own:
        own.upsert("features", "flag", 2, json.dumps(flag("flag", 2)))
        assert own.statistics()["cached_items"] == 0
        assert own.get("features", "flag") == Item(2, json.dumps(flag("flag", 2)))
    assert store.get(FEATURES, "flag")["version"] == 1
    store.disable_cache()
    assert store.get(FEATURES, "flag")["version"] == 2


# An outage in which older values stand in


def values_stand_in(store: CachingStoreWrapper) -> LDClient:
    """A client in daemon mode on a table with one flag, which was read once."""
    core: Any = store._core
    core._store.init({"features": {"flag": Item(1, json.dumps(flag("flag", 1)))}, "segments": {}})
    client = LDClient(Config("sdk-key", feature_store=store, use_ldd=True, send_events=False), start_wait=1)
    assert client.variation("flag", Context.create("user"), "default") == "a"
    return client


@pytest.mark.parametrize(
    "trouble", ["fault", "reset", {"do": "refuse", "type": "AccessDeniedException"}], ids=str
)
def test_the_status_follows_an_outage_in_which_no_evaluation_fails(
    faults: Faults, prefix: str, trouble: Any
) -> None:
    options = {"cache_ttl_ms": 1, "soft_wait_ms": 0}
    store = DynamoDB.new_feature_store(
        TABLE, prefix, faults.boto3_options, CacheConfig.disabled(), options=options
    )
    client = values_stand_in(store)
    statuses: queue.Queue[bool] = queue.Queue()
    client.data_store_status_provider.add_listener(lambda status: statuses.put(status.available))
    faults.script({"do": trouble})
    deadline = time.monotonic() + 30
    while statuses.empty() and time.monotonic() < deadline:
        assert client.variation("flag", Context.create("user"), "default") == "a"
    assert statuses.get(timeout=1) is False
    assert client.data_store_status_provider.status.available is False
    assert client.all_flags_state(Context.create("user")).to_values_map() == {"flag": "a"}
    faults.script()
    assert statuses.get(timeout=30) is True
    # And stays so.
    assert all(client.variation("flag", Context.create("user"), "default") == "a" for _ in range(100))
    assert statuses.empty()
    client.close()


def test_what_was_told_stands_in_without_a_cache(faults: Faults, prefix: str) -> None:
    store = DynamoDB.new_feature_store(TABLE, prefix, faults.boto3_options, CacheConfig.disabled())
    client = values_stand_in(store)
    faults.script({"do": "reset"})
    assert client.variation("flag", Context.create("user"), "default") == "a"
    with pytest.raises(UnavailableError):
        store.upsert(FEATURES, flag("flag", 2, offVariation=1))
    assert client.variation("flag", Context.create("user"), "default") == "b"
    faults.script()
    assert store.is_available() is True
    with Store(TABLE, prefix=prefix, **faults.options) as other:
        found = other.get("features", "flag")
    assert found and found.version == 2
    client.close()
