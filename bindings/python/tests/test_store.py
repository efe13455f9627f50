"""What :class:`flagstore.Store` promises, on a live table."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import re
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from conftest import OpenStore, Rows
from endpoint import REPOSITORY, SECRET, Endpoint, Faults

from flagstore import (
    Event,
    InitReport,
    Item,
    OptionError,
    Outcome,
    Reason,
    Store,
    TooLarge,
    UnavailableError,
    UpsertResult,
    UsageError,
    library_version,
)
from flagstore._compiled import native
from flagstore._library import load
from flagstore.options import Options

FLAG = '{"key":"flag","version":1}'
AWKWARD_KEYS = [
    "plain",
    "with space",
    "with:colon/and/slash",
    "Grüße-日本語-🚩",
    "nul\0inside",
    "\0",
    "quote\"back\\slash'",
    "line\nbreak\ttab\x7f",
    "\u202e\ufeff",
    "e\u0301",
    "x" * 1024,
]


def test_the_library_tells_its_version() -> None:
    assert library_version().split(".")[0].isdecimal()


# Reading and writing one item


def test_an_item_that_is_not_there_is_none(store: Store) -> None:
    assert store.get("features", "nothing") is None


def test_an_item_comes_back_as_it_was_written(store: Store) -> None:
    assert store.upsert("features", "flag", 1, FLAG) == UpsertResult(Outcome.WRITTEN)
    assert store.get("features", "flag") == Item(1, FLAG)


@pytest.mark.parametrize("key", AWKWARD_KEYS, ids=ascii)
def test_keys_may_hold_any_characters(store: Store, key: str) -> None:
    assert store.upsert("features", key, 1, FLAG).written
    assert store.get("features", key) == Item(1, FLAG)
    assert store.get_all("features") == {key: Item(1, FLAG)}


@pytest.mark.parametrize(
    "payload",
    ["not JSON", " {} ", '{"a" : 1.0e5}', "\0", "null\0", '"\\u0000é🚩"', "[]", "x" * 300_000],
    ids=lambda payload: ascii(payload[:20]),
)
def test_payloads_come_back_character_for_character(store: Store, payload: str) -> None:
    store.upsert("things", "thing", 1, payload)
    assert store.get("things", "thing") == Item(1, payload)


def test_kinds_may_hold_any_characters(store: Store) -> None:
    assert store.upsert("Größe\0$:", "key", 1, "x").written
    assert store.get("Größe\0$:", "key") == Item(1, "x")
    assert store.get("Größe\0$", "key") is None


def test_the_rows_are_those_of_every_sdk(store: Store, rows: Rows) -> None:
    store.upsert("features", "flag", 3, FLAG)
    assert rows.get("features", "flag") == {"version": {"N": "3"}, "item": {"S": FLAG}}


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_is_not_newer_is_refused_with_the_stored_item(store: Store, version: int) -> None:
    store.upsert("features", "flag", 2, FLAG)
    refused = store.upsert("features", "flag", version, '{"other":1}')
    assert refused == UpsertResult(Outcome.NEWER_EXISTS, Item(2, FLAG))
    assert not refused.written
    assert store.get("features", "flag") == Item(2, FLAG)


@pytest.mark.parametrize("version", [0, 2**31, 2**53 + 1, 2**63 - 1])
def test_versions_are_whole_numbers_of_63_bits(store: Store, version: int) -> None:
    store.upsert("features", "flag", version, FLAG)
    assert store.get("features", "flag") == Item(version, FLAG)


def test_an_item_over_400_kb_is_not_written_and_keeps_the_older_row(store: Store) -> None:
    store.upsert("features", "flag", 1, FLAG)
    assert store.upsert("features", "flag", 2, "x" * 400_000) == UpsertResult(Outcome.TOO_LARGE)
    assert store.get("features", "flag") == Item(1, FLAG)


def test_prefixes_are_independent(open_store: OpenStore, prefix: str) -> None:
    first, second = open_store(prefix=prefix + "-a"), open_store(prefix=prefix + "-b")
    first.upsert("features", "flag", 1, FLAG)
    assert second.get("features", "flag") is None
    assert second.get_all("features") == {}


# Deletions


def test_a_deleted_item_is_there_as_deleted(store: Store) -> None:
    store.upsert("features", "flag", 1, FLAG)
    assert store.delete("features", "flag", 2).written
    assert store.get("features", "flag") == Item(2, None, deleted=True)
    assert store.get_all("features") == {"flag": Item(2, None, deleted=True)}


def test_a_deletion_stands_in_the_way_of_older_versions(store: Store) -> None:
    store.delete("features", "flag", 2)
    refused = store.upsert("features", "flag", 1, FLAG)
    assert refused == UpsertResult(Outcome.NEWER_EXISTS, Item(2, None, deleted=True))


@pytest.mark.parametrize(
    "attributes",
    [
        {"item": {"S": "null"}},
        {"item": {"S": '{"key":"flag","version":5,"deleted":true}'}},
        {"item": {"S": '{"version":5,"deleted":true}'}},
        {"item": {"S": '{"key":"$deleted","version":5,"deleted":true,"rules":[]}'}},
        {},
        {"item": {"S": FLAG}, "deleted": {"BOOL": True}},
    ],
    ids=["null", "keyed", "keyless", "full", "no-item", "attribute"],
)
def test_every_tombstone_of_every_sdk_is_read(
    store: Store, rows: Rows, attributes: dict[str, object]
) -> None:
    rows.put("features", "flag", version={"N": "5"}, **attributes)
    assert store.get("features", "flag") == Item(5, None, deleted=True)
    assert store.get_all("features") == {"flag": Item(5, None, deleted=True)}


# All items


def test_all_items_come_by_key(store: Store) -> None:
    items = {f"flag-{number}": Item(number, f'{{"version":{number}}}') for number in range(100)}
    store.init({"features": items})
    assert store.get_all("features") == items


def test_a_kind_without_items_is_empty(store: Store) -> None:
    assert store.get_all("features") == {}


def test_more_items_than_fit_one_answer_all_come(store: Store) -> None:
    items = {f"flag-{number:03}": Item(1, "x" * 20_000) for number in range(120)}
    store.init({"things": items})
    assert store.get_all("things") == items


def test_one_unreadable_row_hides_no_other(open_store: OpenStore, rows: Rows) -> None:
    store = open_store(log_events=False)
    store.upsert("features", "good", 1, FLAG)
    rows.put("features", "bad", version={"N": "1"}, item={"B": b"\0"})
    assert store.get_all("features") == {"good": Item(1, FLAG)}
    assert store.get("features", "bad") is None
    assert any("bad" in event.message for event in store.events())


# Whole data sets


def test_init_replaces_the_data_set_and_marks_it(store: Store, rows: Rows, prefix: str) -> None:
    store.upsert("features", "old", 9, FLAG)
    store.upsert("others", "untouched", 9, FLAG)
    assert not store.initialized()
    report = store.init({"features": {"new": Item(1, FLAG)}, "segments": {"segment": Item(1, "{}")}})
    assert report == InitReport(
        written=2, unchanged=0, deleted=1, kept_newer=0, too_large=[], replaced={}, kept={}, left_out={}
    )
    assert store.initialized()
    assert store.get_all("features") == {"new": Item(1, FLAG)}
    assert store.get_all("segments") == {"segment": Item(1, "{}")}
    assert store.get("others", "untouched") == Item(9, FLAG)
    assert rows.get("$inited", f"{prefix}:$inited") == {}


def test_init_with_the_same_data_writes_nothing(store: Store) -> None:
    data = {"features": {f"flag-{number}": Item(1, FLAG) for number in range(30)}}
    store.init(data)
    before = store.statistics()["write_units"]
    assert store.init(data) == InitReport(0, 30, 0, 0, [], {}, {}, {})
    assert store.statistics()["write_units"] == before


def test_an_init_wins_where_the_store_was_not_initialised(store: Store) -> None:
    store.upsert("features", "flag", 7, FLAG)
    report = store.init({"features": {"flag": Item(6, "{}")}})
    assert (report.written, report.replaced) == (1, {"not_initialised": Reason(1, [("features", "flag")])})
    assert store.get("features", "flag") == Item(6, "{}")


def test_init_leaves_a_newer_row_alone(store: Store) -> None:
    store.init({"features": {"flag": Item(7, FLAG)}})
    report = store.init({"features": {"flag": Item(6, "{}")}})
    assert (report.kept_newer, report.kept) == (1, {"newer": Reason(1, [("features", "flag")])})
    assert store.get("features", "flag") == Item(7, FLAG)


def test_init_takes_deletions(store: Store) -> None:
    store.init({"features": {"flag": Item(3, deleted=True)}, "segments": {}})
    assert store.get("features", "flag") == Item(3, None, deleted=True)


def test_init_reports_items_over_400_kb_and_stores_the_rest(store: Store) -> None:
    report = store.init({"features": {"huge": Item(1, "x" * 400_000), "small": Item(1, FLAG)}})
    assert report.written == 1
    assert [(large.kind, large.key) for large in report.too_large] == [("features", "huge")]
    assert isinstance(report.too_large[0], TooLarge)
    assert report.too_large[0].bytes > 400_000
    assert store.get_all("features") == {"small": Item(1, FLAG)}
    assert store.initialized()


@pytest.mark.parametrize("data", [{}, {"features": {}}, {"features": {}, "segments": {}}], ids=str)
def test_init_with_nothing_initialises(store: Store, data: dict[str, dict[str, Item]]) -> None:
    assert store.init(data) == InitReport(0, 0, 0, 0, [], {}, {}, {})
    assert store.initialized()


@pytest.mark.parametrize(
    "text",
    [
        '{"features":{"flag": {"key":"flag" , "version":1}},"segments":{}}',
        '{"flags":{"flag": {"key":"flag" , "version":1}}}',
        '{"path":"/","data":{"flags":{"flag": {"key":"flag" , "version":1}},"segments":{}}}',
    ],
    ids=["sdk", "latest-all", "stream"],
)
def test_init_takes_json_as_sdks_have_it(store: Store, text: str) -> None:
    assert store.init_json(text).written == 1
    assert store.get("features", "flag") == Item(1, '{"key":"flag" , "version":1}')


def test_another_store_sees_the_initialisation(open_store: OpenStore) -> None:
    first, second = open_store(), open_store(shared=False)
    assert not second.initialized()
    first.init({"features": {}})
    assert second.initialized()


# Availability and big segments


def test_a_table_that_answers_is_available(store: Store) -> None:
    assert store.available()


def test_big_segments_that_never_were_are_none(store: Store) -> None:
    assert store.big_segments_metadata() is None
    assert store.big_segments_membership("hash") is None


def test_big_segments_tell_when_they_were_written(store: Store, rows: Rows) -> None:
    rows.put_special("big_segments_metadata", synchronizedOn={"N": "1700000000123"})
    assert store.big_segments_metadata() == 1_700_000_000_123


def test_included_wins_over_excluded(store: Store, rows: Rows) -> None:
    rows.put(
        "big_segments_user", "hash", included={"SS": ["a.g1", "é.g2"]}, excluded={"SS": ["a.g1", "b.g1"]}
    )
    assert store.big_segments_membership("hash") == {"a.g1": True, "é.g2": True, "b.g1": False}


# The cache, statistics and events


def test_without_a_cache_every_read_sees_the_table(open_store: OpenStore) -> None:
    first, second = open_store(), open_store(shared=False)
    assert first.get("features", "flag") is None
    second.upsert("features", "flag", 1, FLAG)
    assert first.get("features", "flag") == Item(1, FLAG)


def test_the_cache_answers_until_it_is_cleared(open_store: OpenStore) -> None:
    cached, other = open_store(cache_ttl_ms=-1), open_store()
    other.upsert("features", "flag", 1, FLAG)
    assert cached.get("features", "flag") == Item(1, FLAG)
    other.upsert("features", "flag", 2, FLAG)
    assert cached.get("features", "flag") == Item(1, FLAG)
    assert cached.statistics()["hits"] == 1
    cached.clear_cache()
    assert cached.get("features", "flag") == Item(2, FLAG)


def test_what_is_read_again_is_the_same_item(open_store: OpenStore) -> None:
    cached = open_store(cache_ttl_ms=-1)
    for version, payload in enumerate((FLAG, "other")):
        cached.upsert("features", "flag", version, payload)
        asked, first, second = (cached.get("features", "flag") for _ in range(3))
        assert asked == first == second == Item(version, payload)
        # What goes through ctypes makes each item anew.
        assert first is second or native is None
    cached.delete("features", "flag", 2)
    assert cached.get("features", "flag") == cached.get("features", "flag") == Item(2, None, deleted=True)


def test_items_that_were_read_are_kept_within_bounds(open_store: OpenStore) -> None:
    import tracemalloc  # PyPy has none

    cached = open_store(cache_ttl_ms=-1)
    flags = {f"flag-{number}": Item(1, f"{number}:" + "x" * 20_000) for number in range(300)}
    cached.init({"features": flags})
    for key in flags:
        cached.get("features", key)
    tracemalloc.start()
    try:
        for _ in range(3):
            for key, item in flags.items():
                assert cached.get("features", key) == item
        gc.collect()
        # 6 MB were read. What is kept is a megabyte at most, and none in a store that is closed.
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
        cached.close()
        assert tracemalloc.get_traced_memory()[0] < 300_000
    finally:
        tracemalloc.stop()


def test_reading_makes_room_for_a_finaliser_that_reads_and_closes(open_store: OpenStore) -> None:
    cached = open_store(cache_ttl_ms=-1)
    flags = {f"flag-{number}": Item(1, f"{number}:" + "x" * 2000) for number in range(600)}
    cached.init({"features": flags})
    for key in flags:
        cached.get("features", key)

    class Reader:
        def __init__(self, ending: bool) -> None:
            self.me, self.ending = self, ending

        def __del__(self) -> None:
            for number in (1, 2, 3):
                cached.get("features", f"flag-{number}")
            if self.ending:
                cached.clear_cache()
            else:
                cached._forget()

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number, (key, item) in enumerate(flags.items()):
            Reader(ending=number % 50 == 0)
            assert cached.get("features", key) == item
    finally:
        gc.set_threshold(*threshold)


def test_equal_options_share_one_live_store(open_store: OpenStore) -> None:
    first, second, own = open_store(), open_store(), open_store(shared=False)
    first.upsert("features", "flag", 1, FLAG)
    first.close()
    assert second.statistics()["requests"] >= 1
    assert own.statistics()["requests"] == 0


def test_statistics_count_requests_and_units(store: Store) -> None:
    store.upsert("features", "flag", 1, FLAG)
    store.get("features", "flag")
    statistics = store.statistics()
    assert statistics["requests"] == 2
    assert statistics["write_units"] >= 1
    assert statistics["read_units"] >= 1
    assert statistics["errors"] == 0
    assert set(statistics) == set(re.findall(r"``(\w+)``", Store.statistics.__doc__ or ""))


def test_a_store_that_starts_in_an_outage_has_what_cache_dir_holds(
    faults: Faults, prefix: str, open_store: OpenStore, tmp_path: Path
) -> None:
    options = {"cache_dir": tmp_path / "flags", "cache_ttl_ms": 60_000, "shared": False}
    first = open_store(endpoint=faults.url, **options)
    first.init({"features": {"flag": Item(1, FLAG)}})
    assert first.get("features", "flag") == Item(1, FLAG)
    first.close()
    faults.script({"do": "reset"})
    second = open_store(endpoint=faults.url, **options)
    assert second.get("features", "flag") == Item(1, FLAG)
    statistics = second.statistics()
    assert (statistics["host_hits"], statistics["requests"]) == (1, 0)
    assert second.get_all("features") == {"flag": Item(1, FLAG)}


def test_what_stands_in_is_marked(faults: Faults, prefix: str, open_store: OpenStore) -> None:
    store = open_store(endpoint=faults.url, keep_told=True, timeout_ms=1000)
    store.init({"features": {"flag": Item(1, FLAG)}})
    assert store.get("features", "flag") == Item(1, FLAG)
    faults.script({"do": "reset"})
    assert store.get("features", "flag") == Item(1, FLAG, stale=True)
    assert store.get_all("features") == {"flag": Item(1, FLAG, stale=True)}
    with pytest.raises(UnavailableError):
        store.upsert("features", "flag", 2, FLAG)
    statistics = store.statistics()
    assert (statistics["away"], statistics["unwritten"]) == (1, 1)
    faults.script()
    assert store.available()
    assert store.get("features", "flag") == Item(2, FLAG)
    assert store.statistics()["unwritten"] == 0


def test_events_go_to_the_logger_after_the_call(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "flagstore"):
        store.upsert("features", "huge-flag", 1, "p4yl0ad" * 60_000)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.name == "flagstore"
    assert "huge-flag" in record.getMessage()
    assert "p4yl0ad" not in caplog.text
    assert SECRET not in caplog.text


def test_events_wait_for_whoever_takes_them(open_store: OpenStore, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(log_events=False)
    with caplog.at_level(logging.DEBUG, "flagstore"):
        store.upsert("features", "huge-flag", 1, "x" * 400_000)
    assert caplog.records == []
    events = list(store.events())
    assert any(isinstance(event, Event) and event.level == logging.ERROR for event in events)
    assert list(store.events()) == []


def test_the_log_level_decides_what_is_kept(open_store: OpenStore) -> None:
    store = open_store(log_events=False, log_level="off")
    store.upsert("features", "huge-flag", 1, "x" * 400_000)
    assert list(store.events()) == []


def test_a_log_handler_may_use_the_store(store: Store) -> None:
    seen = []

    class Using(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())
            store.upsert("features", "huge-flag", 1, "x" * 400_000)

    handler = Using()
    logger = logging.getLogger("flagstore")
    logger.addHandler(handler)
    try:
        store.upsert("features", "huge-flag", 1, "x" * 400_000)
    finally:
        logger.removeHandler(handler)
    assert seen


class FailingLogger(logging.Logger):
    """What a handler of a closed transport does, or a filter with a mistake."""

    def handle(self, record: logging.LogRecord) -> None:
        raise OSError(f"nobody takes: {record.getMessage()}")


@pytest.mark.parametrize("logger", [FailingLogger("failing"), sys.stdout], ids=["fails", "is none"])
def test_a_logger_that_fails_changes_no_result(
    open_store: OpenStore, endpoint: Endpoint, logger: Any
) -> None:
    store = open_store(logger=logger, log_level="debug")
    huge = Item(1, "x" * 400_000)
    assert [left_out.key for left_out in store.init({"features": {"huge": huge}}).too_large] == ["huge"]
    assert store.upsert("features", "huge", 1, huge.item).outcome is Outcome.TOO_LARGE
    assert store.get("features", "huge") is None
    with pytest.raises(UsageError):
        store.get("features", "")
    missing = Store("no-such-table", logger=logger, **endpoint.options)
    assert missing.available() is False
    missing.close()
    store.close()


def test_events_go_to_the_logger_that_is_given(
    open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(logger=logging.getLogger("of.the.application"))
    store.upsert("features", "huge", 1, "x" * 400_000)
    assert {record.name for record in caplog.records} == {"of.the.application"}


# Arguments that cannot be right


def test_an_empty_key_is_refused_alone_and_left_out_of_a_data_set(store: Store) -> None:
    with pytest.raises(UsageError) as raised:
        store.upsert("features", "", 1, "x")
    assert raised.value.name == "STORE_ERROR_EMPTY_KEY"
    report = store.init({"features": {"": Item(1, "x"), "flag": Item(1, "x")}})
    assert (report.written, report.left_out) == (1, {"empty_key": Reason(1, [("features", "")])})


@pytest.mark.parametrize(
    ("kind", "key", "version", "item", "name"),
    [
        ("", "key", 1, "x", "STORE_ERROR_EMPTY_KIND"),
        ("features", "k" * 1025, 1, "x", "STORE_ERROR_KEY_TOO_LONG"),
        ("k" * 2049, "key", 1, "x", "STORE_ERROR_KEY_TOO_LONG"),
        ("features", "key", -1, "x", "STORE_ERROR_INVALID_VERSION"),
        ("features", "key", 2**63, "x", "STORE_ERROR_INVALID_VERSION"),
        ("features", "key", -(2**64) + 1, "x", "STORE_ERROR_INVALID_VERSION"),
        ("features", "key", 1, "", "STORE_ERROR_EMPTY_ITEM"),
        ("features", "key", 1, None, "STORE_ERROR_EMPTY_ITEM"),
        ("features", "k\ud800", 1, "x", "STORE_ERROR_INVALID_UTF8"),
        ("features", "key", 1, "\udfff", "STORE_ERROR_INVALID_UTF8"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_wrong_arguments_are_usage_errors(
    store: Store, kind: str, key: str, version: int, item: str | None, name: str
) -> None:
    for call in (
        lambda: store.upsert(kind, key, version, item),
        lambda: store.init({kind: {key: Item(version, item)}}),
    ):
        with pytest.raises(UsageError) as raised:
            call()
        assert raised.value.name == name
        assert not raised.value.retriable
        assert isinstance(raised.value, ValueError)
    assert store.statistics()["requests"] == 0


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "STORE_ERROR_INVALID_JSON"),
        ("[]", "STORE_ERROR_INVALID_JSON"),
        ('{"flags":{"a":{"version":1,"p4yl0ad"}}}', "STORE_ERROR_INVALID_JSON"),
        ('{"flags":{"a":{}}}', "STORE_ERROR_INVALID_VERSION"),
        ('{"flags":{"a":{"version":1},"a":{"version":2}}}', "STORE_ERROR_DUPLICATE_KEY"),
        ('{"flags":{},"features":{}}', "STORE_ERROR_DUPLICATE_KEY"),
    ],
)
def test_a_wrong_data_set_is_refused_before_anything_is_sent(store: Store, text: str, name: str) -> None:
    with pytest.raises(UsageError) as raised:
        store.init_json(text)
    assert raised.value.name == name
    assert "p4yl0ad" not in str(raised.value)
    assert store.statistics()["requests"] == 0


def test_arguments_of_another_type_are_type_errors(store: Store) -> None:
    with pytest.raises(TypeError, match="key.*bytes"):
        store.get("features", b"flag")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="kind.*NoneType"):
        store.get_all(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.upsert("features", "flag", 1.5, FLAG)  # type: ignore[arg-type]


# Options


@pytest.mark.parametrize(
    ("options", "name", "mentioned"),
    [
        ({"tabel": "x"}, "STORE_ERROR_UNKNOWN_OPTION", "tabel"),
        ({"timeout_ms": "5"}, "STORE_ERROR_OPTION_TYPE", "timeout_ms"),
        ({"shared": 1}, "STORE_ERROR_OPTION_TYPE", "shared"),
        ({"timeout_ms": 0}, "STORE_ERROR_OPTION_VALUE", "timeout_ms"),
        ({"endpoint": "localhost:8000"}, "STORE_ERROR_OPTION_VALUE", "endpoint"),
        ({"access_key_id": SECRET}, "STORE_ERROR_OPTION_VALUE", "secret_access_key"),
        ({"log_level": "loud"}, "STORE_ERROR_OPTION_VALUE", "log_level"),
    ],
    ids=str,
)
def test_wrong_options_are_refused_by_name(options: dict[str, object], name: str, mentioned: str) -> None:
    with pytest.raises(OptionError, match=mentioned) as raised:
        Store("flags", **options)  # type: ignore[arg-type]
    assert raised.value.name == name
    assert isinstance(raised.value, ValueError)
    assert SECRET not in str(raised.value)


def test_every_option_of_the_library_has_a_type_and_a_row_in_the_readme() -> None:
    with pytest.raises(OptionError) as raised:
        Store("flags", tabel="x")  # type: ignore[call-arg]
    names = set(re.findall(r"\w+", raised.value.message.split("there are ")[1])) - {"and"}
    assert set(Options.__annotations__) == names - {"table"}
    readme = Path(REPOSITORY / "bindings/python/README.md").read_text(encoding="utf-8")
    rows = " ".join(re.findall(r"^\| (`.*?) \|", readme, re.MULTILINE))
    assert names <= set(re.findall(r"`(\w+)`", rows))


@pytest.mark.parametrize("name", ["max_connections", "soft_wait_ms", "write_concurrency"])
def test_bounds_take_numbers(open_store: OpenStore, name: str) -> None:
    open_store(**{name: 7}).close()
    with pytest.raises(OptionError, match=name):
        open_store(**{name: -1})


@pytest.mark.parametrize("table", ["", "  "])
def test_the_table_needs_a_name(table: str) -> None:
    with pytest.raises(OptionError, match="table") as raised:
        Store(table)
    assert raised.value.name == "STORE_ERROR_EMPTY_TABLE_NAME"


def test_none_means_the_default() -> None:
    Store("flags", prefix=None, region=None, timeout_ms=None).close()


def test_an_option_that_is_no_json_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="option"):
        Store("flags", region=object())  # type: ignore[arg-type]


# Closing


def test_closing_twice_does_nothing(store: Store) -> None:
    store.close()
    store.close()
    assert store.closed


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    for call in (
        lambda: store.get("features", "flag"),
        lambda: store.get_all("features"),
        lambda: store.upsert("features", "flag", 1, FLAG),
        lambda: store.init({}),
        lambda: store.initialized(),
        lambda: store.big_segments_metadata(),
        lambda: store.big_segments_membership("hash"),
        lambda: store.statistics(),
        lambda: store.clear_cache(),
        lambda: list(store.events()),
    ):
        with pytest.raises(UsageError, match="table 'flags' is closed") as raised:
            call()
        assert raised.value.name == "STORE_ERROR_INVALID_HANDLE"
    assert store.available() is False


def test_a_with_block_closes(open_store: OpenStore) -> None:
    with open_store() as store:
        assert store.available()
    assert store.closed
    assert "closed" in repr(store)


def test_a_store_that_is_forgotten_is_closed(prefix: str) -> None:
    store = Store("flags", prefix=prefix + "-forgotten", region="us-east-1")
    handle, gone = store._handle, weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None
    with pytest.raises(UsageError):
        load().statistics(handle)


def test_a_call_in_flight_survives_the_closing(open_store: OpenStore) -> None:
    store = open_store()
    store.upsert("features", "flag", 1, FLAG)
    started = threading.Barrier(9)
    outcomes: list[object] = []

    def read() -> None:
        started.wait()
        try:
            while True:
                assert store.get("features", "flag") == Item(1, FLAG)
        except UsageError as error:
            outcomes.append(error.name)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.wait()
    store.close()
    for thread in threads:
        thread.join(timeout=30)
    assert outcomes == ["STORE_ERROR_INVALID_HANDLE"] * 8


def test_a_store_is_not_copied(store: Store) -> None:
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="open one in each process"):
            attempt(store)


def test_the_representation_shows_no_credential(store: Store) -> None:
    assert SECRET not in repr(store)
    assert "table='flags'" in repr(store)


def test_an_error_survives_pickling(store: Store) -> None:
    with pytest.raises(UsageError) as raised:
        store.get("features", "")
    copied = pickle.loads(pickle.dumps(raised.value))
    assert type(copied) is UsageError
    assert (copied.code, copied.name, str(copied)) == (
        raised.value.code,
        raised.value.name,
        str(raised.value),
    )
