"""What callers hold in their hands: items, messages about what they gave, log records, types, imports."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import os
import pickle
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
from conftest import OpenStore
from endpoint import SECRET, Endpoint

import flagstore
from flagstore import AsyncStore, Event, InitReport, Item, Options, Reason, Store, TooLarge, UpsertResult
from flagstore._library import load

FLAG = '{"key":"flag","version":1}'


# Items


def test_an_item_is_an_object_wherever_it_goes() -> None:
    item = Item(3, FLAG, stale=True)
    fields = {"version": 3, "item": FLAG, "deleted": False, "stale": True}
    assert dataclasses.is_dataclass(item)
    assert dataclasses.asdict(item) == fields
    assert json.loads(json.dumps(item, default=dataclasses.asdict)) == fields
    assert pickle.loads(pickle.dumps(item)) == copy.deepcopy(item) == item
    assert dataclasses.replace(item, version=4) == Item(4, FLAG, stale=True)
    assert [field.name for field in dataclasses.fields(Item)] == list(fields)
    assert repr(item) == f"Item(version=3, item={FLAG!r}, deleted=False, stale=True)"
    assert {item: 1}[Item(3, FLAG, stale=True)] == 1
    assert item != (3, FLAG, False, True)


def test_an_item_cannot_be_changed(store: Store) -> None:
    store.upsert("features", "flag", 1, FLAG)
    for item in (Item(1), store.get("features", "flag")):
        with pytest.raises(AttributeError, match="replace"):
            item.version = 2  # type: ignore[union-attr]
        with pytest.raises(AttributeError):
            del item.version  # type: ignore[union-attr]


# What is wrong is said in the caller's words

# For type checkers, which would say it earlier.
Anything: Any = Item


@pytest.mark.parametrize(
    ("collections", "said"),
    [
        ([], r"items by kind and key, \{kind: \{key: Item\}\}: there is a list"),
        ({"features": [Item(1, FLAG)]}, "there is a list in 'features'"),
        ({"features": Item(1, FLAG)}, "there is an Item in 'features'"),
        (
            {"features": {"flag": {"version": 1}}},
            r"'flag' in 'features' is a dict. Make it an Item\(version, text\)",
        ),
        ({"features": {"flag": FLAG}}, "'flag' in 'features' is a str.* or give JSON to init_json"),
        ({"features": {"flag": None}}, "'flag' in 'features' is a NoneType"),
        ({"features": {"flag": Anything(1, {})}}, '"item" takes a str, not dict'),
        ({"features": {"flag": Anything(1, FLAG, deleted="no")}}, '"deleted" takes True or False, not a str'),
        ({"features": {"flag": Anything("1", FLAG)}}, "'str' object cannot be interpreted as an integer"),
        ({1: {}}, '"kind" takes a str, not int'),
        ({"features": {b"flag": Item(1, FLAG)}}, '"key" takes a str, not bytes'),
    ],
)
def test_an_init_of_another_form_says_what_is_wrong(store: Store, collections: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        store.init(collections)
    assert not store.initialized()


def test_a_deletion_is_a_bool(store: Store) -> None:
    with pytest.raises(TypeError, match='"deleted" takes True or False, not a str'):
        store.upsert("features", "flag", 1, FLAG, deleted="yes")  # type: ignore[arg-type]


def test_bytes_for_a_secret_are_named_and_not_shown() -> None:
    with pytest.raises(
        TypeError, match='the option "secret_access_key" takes a str, and is bytes: decode'
    ) as raised:
        Store("flags", access_key_id="id", secret_access_key=SECRET.encode())  # type: ignore[arg-type]
    assert SECRET not in str(raised.value)


# Logging


def test_a_logging_configuration_that_comes_later_silences_nothing(endpoint: Endpoint, prefix: str) -> None:
    code = f"""
import flagstore, logging.config
from flagstore.store import Store
store = Store("flags", prefix={prefix!r}, **{endpoint.options!r})
handlers = {{"console": {{"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}}}}
logging.config.dictConfig({{"version": 1, "handlers": handlers, "root": {{"level": "INFO", "handlers": ["console"]}}}})
store.upsert("features", "huge", 1, "x" * 400_000)
"""
    printed = in_a_new_process(code)
    assert "huge" in printed
    assert "400" in printed


def test_who_is_no_logger_is_said_where_one_listens(
    open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(logger=sys.stdout)
    store.upsert("features", "huge", 1, "x" * 400_000)
    assert "logger takes a logging.Logger" in caplog.records[0].getMessage()
    assert "huge" in caplog.records[1].getMessage()


# What type checkers and readers see


@pytest.mark.skipif(sys.version_info < (3, 10), reason="older Pythons have no int | None at run time")
def test_type_hints_can_be_had() -> None:
    for described in (Store, AsyncStore, Item, InitReport, UpsertResult, Options, Event, TooLarge, Reason):
        typing.get_type_hints(described)
        for member in vars(described).values():
            if inspect.isfunction(member):
                typing.get_type_hints(member)
    hints = typing.get_type_hints(Store.__init__)
    assert hints["table"] is str
    assert "Options" in str(hints["options"])


def test_what_is_public_is_documented() -> None:
    for described in (Store, AsyncStore):
        assert inspect.signature(described.get).parameters.keys() >= {"kind", "key"}
        for name in dir(described):
            if not name.startswith("_"):
                assert inspect.getdoc(getattr(described, name)), name


def test_importing_costs_nothing_that_is_not_used() -> None:
    """Each of these takes longer to import than all the rest."""
    code = "import sys, {}; print(sorted({{'ctypes', 'dataclasses', 'asyncio', 'typing', 'logging', 'json', 'enum'}} & set(sys.modules)))"
    bare = in_a_new_process(code.format("os"))
    assert in_a_new_process(code.format("flagstore")) == bare
    printed = in_a_new_process(code.format("flagstore.store"))
    assert "asyncio" not in printed
    assert "dataclasses" not in printed
    assert "logging" not in printed
    if load().Base.__module__ == "flagstore._native":
        assert "ctypes" not in printed


def test_what_the_package_offers_is_there() -> None:
    assert set(flagstore.__all__) <= set(dir(flagstore))
    for name in flagstore.__all__:
        assert getattr(flagstore, name)
    with pytest.raises(AttributeError, match="'flagstore' has no attribute 'Stroe'"):
        getattr(flagstore, "Stroe")  # noqa: B009


def in_a_new_process(code: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(flagstore.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stdout
