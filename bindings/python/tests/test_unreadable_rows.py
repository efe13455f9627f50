"""Rows that the SDK cannot read, each among others that it can: they hide nobody, fail nothing, and are reported once."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Rows
from endpoint import REPOSITORY, TABLE, Endpoint
from ldclient import Config, Context, LDClient
from ldclient.feature_store import CacheConfig
from ldclient.feature_store_helpers import CachingStoreWrapper
from ldclient.versioned_data_kind import FEATURES, SEGMENTS, VersionedDataKind

from flagstore.launchdarkly import DynamoDB

DATA = json.loads((REPOSITORY / "tests/data/unreadable_rows.json").read_text())
UNREADABLE = [(kind, row) for kind in (FEATURES, SEGMENTS) for row in DATA["unreadable"][kind.namespace]]
USING = (
    '{"key":"using","version":1,"on":true,"variations":["in","out"],"fallthrough":{"variation":1},"salt":""}'
)


@pytest.fixture
def feature_store(endpoint: Endpoint, prefix: str) -> Iterator[CachingStoreWrapper]:
    store = DynamoDB.new_feature_store(TABLE, prefix, endpoint.boto3_options, CacheConfig.disabled())
    yield store
    store.close()


def put(rows: Rows, kind: VersionedDataKind, key: str, version: int, text: str) -> None:
    rows.put(kind.namespace, key, version={"N": str(version)}, item={"S": text})


def put_with_readable(rows: Rows, kind: VersionedDataKind, row: dict[str, Any]) -> None:
    """The row, and those that must not suffer: readable ones, and a flag that asks whether a user is in a segment."""
    for readable in (FEATURES, SEGMENTS):
        for key, text in DATA["readable"][readable.namespace].items():
            put(rows, readable, key, 3, text)
    clause = {"attribute": "", "op": "segmentMatch", "values": [row["name"]], "negate": False}
    using = json.loads(USING) | {"rules": [{"id": "r", "variation": 0, "clauses": [clause]}]}
    put(rows, FEATURES, "using", 1, json.dumps(using))
    put(rows, kind, row["name"], row["version"], text_of(row))


def text_of(row: dict[str, Any]) -> str:
    nesting = row.get("nesting", 0)
    return str(row["item"]).replace("<>", "[" * nesting + "]" * nesting)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    said = [record for record in caplog.records if "is left out" in record.getMessage()]
    assert {(record.name.split(".")[0], record.levelno) for record in said} <= {("ldclient", logging.WARNING)}
    return [record.getMessage() for record in said]


@pytest.mark.parametrize(
    ("kind", "row"), UNREADABLE, ids=lambda value: getattr(value, "namespace", None) or value["name"]
)
def test_an_unreadable_row_hides_no_other(
    feature_store: CachingStoreWrapper,
    rows: Rows,
    caplog: pytest.LogCaptureFixture,
    kind: VersionedDataKind,
    row: dict[str, Any],
) -> None:
    put_with_readable(rows, kind, row)
    shown = feature_store.all(kind)
    assert set(DATA["readable"][kind.namespace]) <= set(shown)
    left_out = row["name"] not in shown
    assert left_out or not row["everywhere"]
    assert (feature_store.get(kind, row["name"]) is None) == left_out

    with LDClient(Config("key", feature_store=feature_store, use_ldd=True, send_events=False)) as client:
        user = Context.create("u")
        state = client.all_flags_state(user)
        assert state.valid
        assert json.loads(json.dumps(state.to_json_dict(), allow_nan=False))["a readable flag"] is True
        assert client.variation("the last readable flag", user, None) is True
        client.variation(row["name"], user, None)
        assert client.variation("using", user, None) in ("in", "out", None)

    said = warnings_in(caplog)
    assert len(said) == left_out
    for line in said:
        assert f"{row['name']!r} in {kind.namespace!r} is left out" in line
        assert "version 3" in line
        assert '"on"' not in line
        assert "[[" not in line


def test_each_version_of_a_row_is_reported_once(
    feature_store: CachingStoreWrapper, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    for version in (3, 4):
        for kind in (FEATURES, SEGMENTS):
            put(rows, kind, "bad", version, "p4yl0ad")
        for kind in (FEATURES, SEGMENTS) * 2:
            assert feature_store.all(kind) == {}
            assert feature_store.get(kind, "bad") is None
    said = warnings_in(caplog)
    assert len(said) == 4
    assert len(set(said)) == 4
    assert "p4yl0ad" not in caplog.text


def test_a_key_forges_no_line_of_the_log(
    feature_store: CachingStoreWrapper, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    put(rows, FEATURES, "k\nCRITICAL forged \x1b[2K", 1, "p4yl0ad")
    assert feature_store.all(FEATURES) == {}
    [line] = warnings_in(caplog)
    assert line.isprintable()


def test_a_row_of_a_kind_without_a_model_hides_no_other(
    feature_store: CachingStoreWrapper, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    things = VersionedDataKind("things", "", "")
    put(rows, things, "bad", 1, "[]")
    put(rows, things, "good", 1, '{"key":"good","version":1}')
    assert list(feature_store.all(things)) == ["good"]
    assert len(warnings_in(caplog)) == 1


@pytest.fixture
def _loggers_as_they_were() -> Iterator[None]:
    loggers = [
        each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)
    ]
    disabled = [logger.disabled for logger in loggers]
    ours = logging.getLogger("ldclient")
    level = ours.level
    yield
    ours.setLevel(level)
    for logger, was in zip(loggers, disabled):
        logger.disabled = was


@pytest.mark.usefixtures("_loggers_as_they_were")
def test_who_hears_the_sdk_hears_the_store(
    feature_store: CachingStoreWrapper, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    # By default this silences each logger that exists and is neither named nor a child of one that is.
    logging.config.dictConfig({"version": 1, "loggers": {"ldclient": {"level": "INFO"}}})
    put(rows, FEATURES, "bad", 1, "p4yl0ad")
    assert feature_store.all(FEATURES) == {}
    feature_store.upsert(FEATURES, {"key": "huge", "version": 1, "padding": "x" * 400_000})
    heard = [record.getMessage() for record in caplog.records if record.name.startswith("ldclient")]
    assert any("'bad'" in line for line in heard)
    assert any('"huge"' in line for line in heard)


def test_a_logger_that_fails_hides_no_row(
    feature_store: CachingStoreWrapper, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise OSError("nobody is there")

    put(rows, FEATURES, "bad", 1, "p4yl0ad")
    put(rows, FEATURES, "good", 1, '{"key":"good","version":1}')
    failing = Failing()
    logger = logging.getLogger("ldclient.util")
    logger.addFilter(failing)
    try:
        assert list(feature_store.all(FEATURES)) == ["good"]
        feature_store.upsert(FEATURES, {"key": "huge", "version": 1, "padding": "x" * 400_000})
    finally:
        logger.removeFilter(failing)
