"""The endpoints that the tests talk to, each started once, and stores that are closed with their test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any, Callable

import boto3
import pytest
from endpoint import REPOSITORY, TABLE, Endpoint, Faults, dynalite, failing_on_demand, local, moto

from flagstore import Store

if not os.environ.get("FLAGSTORE_LIBRARY") and (REPOSITORY / "target/release/libflagstore.so").is_file():
    os.environ["FLAGSTORE_LIBRARY"] = str(REPOSITORY / "target/release/libflagstore.so")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Endpoint]:
    """``flagstore-local``, with an empty table."""
    with local() as running:
        yield running


@pytest.fixture(scope="session", params=["flagstore-local", "dynalite", "moto"])
def each_endpoint(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    """Every endpoint that can be had, one after the other."""
    if request.param == "flagstore-local":
        yield request.getfixturevalue("endpoint")
        return
    with {"dynalite": dynalite, "moto": moto}[request.param]() as running:
        yield running


@pytest.fixture(scope="session")
def _faults(endpoint: Endpoint) -> Iterator[Faults]:
    with failing_on_demand(endpoint) as running:
        yield running


@pytest.fixture
def faults(_faults: Faults) -> Iterator[Faults]:
    """The local endpoint behind one that fails on demand, and has no script yet."""
    _faults.tell("/reset")
    yield _faults
    # Nobody stays held, and what failed did so on purpose.
    assert _faults.tell("/reset")["mishaps"] == []


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test has."""
    return f"python-{os.getpid()}-{next(_numbers)}"


OpenStore = Callable[..., Store]


@pytest.fixture
def open_store(endpoint: Endpoint, prefix: str) -> Iterator[OpenStore]:
    """Opens stores on the local endpoint, under the test's own prefix unless another is given."""
    opened = []

    def open_one(**options: Any) -> Store:
        store = Store(TABLE, **{"prefix": prefix, **endpoint.options, **options})
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    """A store on the local endpoint, without a cache."""
    return open_store()


@pytest.fixture
def rows(endpoint: Endpoint, prefix: str) -> Rows:
    """The rows of the test's own prefix, as DynamoDB has them."""
    return Rows(endpoint, prefix)


class Rows:
    """Reads and writes rows past the library."""

    def __init__(self, endpoint: Endpoint, prefix: str) -> None:
        self._client = boto3.client("dynamodb", **endpoint.boto3_options)
        self._prefix = prefix

    def key(self, kind: str, key: str) -> dict[str, Any]:
        """The key attributes of an item."""
        return {"namespace": {"S": f"{self._prefix}:{kind}"}, "key": {"S": key}}

    def put(self, kind: str, key: str, **attributes: Any) -> None:
        """Writes a row with these attributes, typed as DynamoDB types them."""
        self._client.put_item(TableName=TABLE, Item={**self.key(kind, key), **attributes})

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The row's attributes besides its key, or None."""
        row = self._client.get_item(TableName=TABLE, Key=self.key(kind, key), ConsistentRead=True).get("Item")
        return row and {name: value for name, value in row.items() if name not in ("namespace", "key")}

    def put_special(self, name: str, **attributes: Any) -> None:
        """Writes one of the rows whose sort key is their namespace."""
        self.put(name, f"{self._prefix}:{name}", **attributes)
