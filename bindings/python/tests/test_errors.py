"""What goes wrong between the library and DynamoDB: the exception, and what its message tells whom."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from conftest import OpenStore
from endpoint import SECRET, Endpoint

from flagstore import ConfigurationError, FlagstoreError, Store, UnavailableError

PAYLOAD = '{"key":"p4yl0ad"}'
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


def test_other_threads_run_while_a_call_waits(open_store: OpenStore, silent_port: int) -> None:
    store = open_store(endpoint=f"http://127.0.0.1:{silent_port}", **QUICK)
    waiting = threading.Thread(target=store.available)
    waiting.start()
    turns = 0
    while waiting.is_alive():
        turns += 1
    assert turns > 1000


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


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with the error that the server was told."""

    server: RefusingServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class RefusingServer(ThreadingHTTPServer):
    daemon_threads = True
    answer: tuple[int, bytes]


@pytest.fixture
def refusing() -> Iterator[RefusingServer]:
    with RefusingServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


OF_DYNAMODB = "com.amazonaws.dynamodb.v20120810#"
OF_AWS = "com.amazon.coral.service#"


@pytest.mark.parametrize(
    ("status", "kind", "message", "name", "expected"),
    [
        (400, OF_AWS + "AccessDeniedException", "not authorized", "ACCESS_DENIED", ConfigurationError),
        (
            400,
            OF_AWS + "UnrecognizedClientException",
            "invalid token",
            "INVALID_CREDENTIALS",
            ConfigurationError,
        ),
        (
            400,
            OF_AWS + "InvalidSignatureException",
            "does not match",
            "INVALID_CREDENTIALS",
            ConfigurationError,
        ),
        (400, OF_AWS + "ExpiredTokenException", "token expired", "EXPIRED_CREDENTIALS", ConfigurationError),
        (400, OF_DYNAMODB + "ProvisionedThroughputExceededException", "slow", "THROTTLED", UnavailableError),
        (400, OF_AWS + "ThrottlingException", "slow", "THROTTLED", UnavailableError),
        (500, OF_DYNAMODB + "InternalServerError", "oops", "SERVICE", UnavailableError),
        (400, OF_AWS + "ValidationException", "odd", "REJECTED", FlagstoreError),
    ],
    ids=lambda value: value.rsplit("#", 1)[-1] if isinstance(value, str) else None,
)
def test_what_dynamodb_refuses_is_told_apart(
    open_store: OpenStore,
    refusing: RefusingServer,
    status: int,
    kind: str,
    message: str,
    name: str,
    expected: type[FlagstoreError],
) -> None:
    refusing.answer = status, json.dumps({"__type": kind, "message": message}).encode()
    error = failure_of(open_store(endpoint=f"http://127.0.0.1:{refusing.server_port}", **QUICK))
    assert error.name == f"STORE_ERROR_{name}"
    assert type(error) is expected
    assert error.retriable is (expected is UnavailableError)


@pytest.mark.parametrize(
    "body", [b"<html>", b"{", b"[]", b'{"Item":5}'], ids=["html", "cut", "array", "wrong-type"]
)
def test_an_answer_that_is_none_is_an_error(
    open_store: OpenStore, refusing: RefusingServer, body: bytes
) -> None:
    refusing.answer = 200, body
    with pytest.raises(UnavailableError) as raised:
        open_store(endpoint=f"http://127.0.0.1:{refusing.server_port}", **QUICK).get("features", "flag")
    assert raised.value.name == "STORE_ERROR_UNEXPECTED_RESPONSE"


def test_messages_name_the_item_and_the_table_or_where_it_was_looked_for(
    open_store: OpenStore, refusing: RefusingServer, closed_port: int
) -> None:
    refusing.answer = 400, json.dumps({"__type": OF_AWS + "ExpiredTokenException"}).encode()
    for port, place in ((refusing.server_port, 'table "flags"'), (closed_port, f"127.0.0.1:{closed_port}")):
        error = failure_of(open_store(endpoint=f"http://127.0.0.1:{port}", **QUICK))
        assert '"flag" of kind "features"' in str(error)
        assert place in str(error)


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
