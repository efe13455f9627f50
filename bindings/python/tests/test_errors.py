"""What goes wrong between the library and DynamoDB: the exception, and what its message tells whom."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import boto3
import pytest
from conftest import OpenStore
from endpoint import SECRET, Endpoint, Faults

from flagstore import ConfigurationError, FlagstoreError, Item, Store, UnavailableError
from flagstore._library import load

PAYLOAD = '{"key":"p4yl0ad"}'
PATIENT = {"timeout_ms": 1_500, "all_timeout_ms": 1_500, "init_timeout_ms": 1_500, "shared": False}
QUICK = {"timeout_ms": 300, "all_timeout_ms": 300, "init_timeout_ms": 300, "shared": False}


def failure_of(store: Store) -> FlagstoreError:
    """The error of a write. Its message says what to do, and holds neither the payload nor the credentials."""
    with pytest.raises(FlagstoreError) as raised:
        store.upsert("features", "flag", 1, PAYLOAD)
    error = raised.value
    assert error.code < 0
    assert error.name.startswith("STORE_ERROR_")
    assert "p4yl0ad" not in repr(error)
    assert SECRET not in repr(error)
    assert ": " in str(error), f"says not what to do: {error}"
    return error


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else is given meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


def test_nothing_listening_is_unavailable(open_store: OpenStore, closed_port: int) -> None:
    store = open_store(endpoint=f"http://127.0.0.1:{closed_port}", **QUICK)
    error = failure_of(store)
    assert isinstance(error, UnavailableError)
    assert error.retriable
    assert error.name in ("STORE_ERROR_CONNECTION", "STORE_ERROR_TIMEOUT")
    assert store.available() is False


def test_a_server_that_never_answers_ends_at_the_deadline(open_store: OpenStore, silent_port: int) -> None:
    store = open_store(endpoint=f"http://127.0.0.1:{silent_port}", **QUICK)
    for call in (
        lambda: store.get("features", "flag"),
        lambda: store.get_all("features"),
        lambda: store.init({"features": {}}),
        lambda: store.upsert("features", "flag", 1, PAYLOAD),
        lambda: store.initialized(),
        lambda: store.big_segments_metadata(),
    ):
        started = time.monotonic()
        with pytest.raises(UnavailableError) as raised:
            call()
        took = time.monotonic() - started
        assert raised.value.name == "STORE_ERROR_TIMEOUT"
        assert raised.value.retriable
        assert 0.25 < took < 1.0
    assert failure_of(store).name == "STORE_ERROR_TIMEOUT"


def test_a_missing_table_is_named_with_its_remedy(endpoint: Endpoint) -> None:
    with Store("no-such-table", **endpoint.options) as store:
        with pytest.raises(ConfigurationError, match="no-such-table.*: .*") as raised:
            store.get("features", "flag")
        assert raised.value.name == "STORE_ERROR_TABLE_NOT_FOUND"
        assert not raised.value.retriable
        assert store.available() is False


def test_a_table_with_another_key_is_told_from_a_missing_one(endpoint: Endpoint) -> None:
    client: Any = boto3.client("dynamodb", **endpoint.boto3_options)
    client.create_table(
        TableName="other-key",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with Store("other-key", **endpoint.options) as store:
        with pytest.raises(ConfigurationError, match="other-key.*namespace") as raised:
            store.get("features", "flag")
        assert raised.value.name == "STORE_ERROR_KEY_SCHEMA"


Call = Callable[[Store], object]

CALLS: dict[str, Call] = {
    "get": lambda store: store.get("features", "flag"),
    "get_all": lambda store: store.get_all("features"),
    "upsert": lambda store: store.upsert("features", "flag", 1, PAYLOAD),
    "delete": lambda store: store.delete("features", "flag", 2),
    "init": lambda store: store.init({"features": {"flag": Item(1, PAYLOAD)}}),
    "init_json": lambda store: store.init_json(f'{{"flags":{{"flag":{{"version":1,"p4yl0ad":{PAYLOAD}}}}}}}'),
    "initialized": lambda store: store.initialized(),
    "big_segments_metadata": lambda store: store.big_segments_metadata(),
    "big_segments_membership": lambda store: store.big_segments_membership("hash"),
}

THROTTLING = ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")
WRONG_KEY = "The provided key element does not match the schema"
HTML = {"do": "answer", "status": 200, "body": "<html>", "content_type": "text/html"}


def refuse(type_: str, message: str = "no") -> dict[str, Any]:
    return {"do": "refuse", "status": 400, "type": type_, "message": message}


# Every fault of tests/faults/endpoint that a client can tell from others: the name of its error, what the exception is,
# and a word of what the message says is to be done.
FAULTS: tuple[tuple[Any, str, type[FlagstoreError], str], ...] = (
    *(({"do": "throttle", "type": type_}, "THROTTLED", UnavailableError, "capacity") for type_ in THROTTLING),
    *(({"do": "fault", "status": status}, "SERVICE", UnavailableError, "later") for status in (500, 503)),
    (refuse("ResourceNotFoundException"), "TABLE_NOT_FOUND", ConfigurationError, "create it"),
    (refuse("ValidationException", WRONG_KEY), "KEY_SCHEMA", ConfigurationError, "namespace"),
    (refuse("AccessDeniedException"), "ACCESS_DENIED", ConfigurationError, "IAM policy"),
    (refuse("UnrecognizedClientException"), "INVALID_CREDENTIALS", ConfigurationError, "access key id"),
    (refuse("InvalidSignatureException"), "INVALID_CREDENTIALS", ConfigurationError, "secret access key"),
    (refuse("ExpiredTokenException"), "EXPIRED_CREDENTIALS", ConfigurationError, "renew"),
    (refuse("InvalidSignatureException", "Signature expired"), "CLOCK_SKEW", ConfigurationError, "clock"),
    (refuse("ValidationException", "odd"), "REJECTED", FlagstoreError, "ValidationException"),
    ({"do": "echo", "quote": "body"}, "REJECTED", FlagstoreError, "ValidationException"),
    ({"do": "echo", "quote": "credentials"}, "REJECTED", FlagstoreError, "ValidationException"),
    ("garbage", "UNEXPECTED_RESPONSE", UnavailableError, "endpoint"),
    (HTML, "UNEXPECTED_RESPONSE", UnavailableError, "endpoint"),
    ({**HTML, "status": 404}, "UNEXPECTED_RESPONSE", UnavailableError, "endpoint"),
    *(({"do": "reset", "at": at}, "CONNECTION", UnavailableError, "check") for at in ("request", "body")),
    *(({"do": "close", "at": at}, "CONNECTION", UnavailableError, "check") for at in ("request", "body")),
    *(({"do": "black_hole", "at": at}, "TIMEOUT", UnavailableError, "check") for at in ("request", "body")),
    ({"do": "delay", "ms": 5_000}, "TIMEOUT", UnavailableError, "check"),
    ({"do": "drip", "bytes_per_second": 1}, "TIMEOUT", UnavailableError, "check"),
    ({"do": "wrong_length", "by": 5}, "TIMEOUT", UnavailableError, "check"),
    ({"do": "wrong_length", "by": 5, "then": "close"}, "CONNECTION", UnavailableError, "check"),
)


@pytest.mark.parametrize(("fault", "name", "kind", "remedy"), FAULTS, ids=str)
def test_every_fault_is_an_exception_of_its_own(
    open_store: OpenStore,
    faults: Faults,
    fault: Any,
    name: str,
    kind: type[FlagstoreError],
    remedy: str,
) -> None:
    faults.script({"do": fault})
    # Where the fault is an answer, it has the time to arrive.
    timeouts = QUICK if name == "TIMEOUT" else PATIENT
    store = open_store(endpoint=faults.url, **timeouts)

    def meets(call: Call) -> FlagstoreError:
        with pytest.raises(FlagstoreError) as raised:
            call(store)
        return raised.value

    # All at the same time, since those that may be tried again are, until their deadline.
    with ThreadPoolExecutor(len(CALLS)) as threads:
        errors = dict(zip(CALLS, threads.map(meets, CALLS.values())))
    assert store.available() is False
    for call, error in errors.items():
        assert error.name == f"STORE_ERROR_{name}", (call, error)
        assert load().code_name(error.code) == error.name
        assert type(error) is kind
        assert error.retriable is (kind is UnavailableError)
        assert str(error) == error.message
        assert 'table "flags"' in error.message, (call, error)
        assert remedy in error.message, (call, error)
        assert "p4yl0ad" not in repr(error)
        assert SECRET not in repr(error)
    for call in ("get", "upsert", "delete"):
        assert '"flag" of kind "features"' in errors[call].message
    # The fault was met, and by every call.
    assert len(faults.tell("/log")["requests"]) > len(CALLS)


def test_what_is_refused_for_good_is_not_tried_again(open_store: OpenStore, faults: Faults) -> None:
    faults.script({"do": refuse("AccessDeniedException")})
    with pytest.raises(ConfigurationError):
        open_store(endpoint=faults.url, shared=False).get("features", "flag")
    assert len(faults.tell("/log")["requests"]) == 1


def test_what_passes_is_tried_again(open_store: OpenStore, faults: Faults) -> None:
    faults.script({"to": 2, "do": ["throttle", "fault", "reset", "garbage"]})
    store = open_store(endpoint=faults.url, shared=False)
    assert store.upsert("features", "flag", 1, PAYLOAD).written
    assert store.get("features", "flag") == Item(1, PAYLOAD)
    assert store.statistics()["retries"] >= 2


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without region, credentials or AWS configuration files."""
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.usefixtures("bare_environment")
def test_a_missing_region_says_where_to_set_it() -> None:
    with Store("flags", access_key_id="test", secret_access_key=SECRET, shared=False) as store:
        error = failure_of(store)
    assert error.name == "STORE_ERROR_NO_REGION"
    assert isinstance(error, ConfigurationError)
    assert "region" in str(error)


@pytest.mark.usefixtures("bare_environment")
def test_missing_credentials_say_where_to_set_them(endpoint: Endpoint) -> None:
    with Store("flags", endpoint=endpoint.url, region="us-east-1", shared=False) as store:
        error = failure_of(store)
    assert error.name == "STORE_ERROR_NO_CREDENTIALS"
    assert isinstance(error, ConfigurationError)
    assert "credentials" in str(error)
