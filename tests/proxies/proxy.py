"""A proxy that lets nobody through without a user and password, and DynamoDB behind it, whatever host it is asked for."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# What the endpoint is called, which no name server knows.
HOST = "dynamodb.test"
PAYLOAD = '{"key":"flag","version":1}'
USER, PASSWORD = "some user", "PLANTED:p@ss/word%"
_ALLOWED = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_PATIENCE_S = 30


@dataclass
class Proxy:
    """One that listens on loopback."""

    port: int
    # The first line of each request that was let through.
    passed: list[str] = field(default_factory=list)
    refused: int = 0

    def url(self, user: str) -> str:
        return f"http://{user}{'@' if user else ''}127.0.0.1:{self.port}"


@contextmanager
def running(certificate: Path) -> Iterator[Proxy]:
    """A proxy that ends the TLS of its tunnels by this certificate, whose key is beside it."""
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, proxy, secure), daemon=True).start()
        yield proxy


def certificate(folder: Path) -> Path:
    """A certificate for the host's name that is its own authority."""
    path = folder / "ca.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-days", "2"]
    files = ["-out", str(path), "-keyout", str(path.with_suffix(".key"))]
    subprocess.run([*request, *names, *files], check=True, capture_output=True)
    return path


def _accept(listener: socket.socket, proxy: Proxy, secure: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.settimeout(_PATIENCE_S)
        threading.Thread(target=_serve, args=(connection, proxy, secure), daemon=True).start()


def _serve(connection: socket.socket, proxy: Proxy, secure: ssl.SSLContext) -> None:
    try:
        with connection, connection.makefile("rb") as stream:
            first, headers = _head(stream)
            if headers.get("proxy-authorization") != _ALLOWED:
                proxy.refused += 1
                connection.sendall(
                    b"HTTP/1.1 407 Who are you\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n"
                )
                return
            proxy.passed.append(first)
            if not first.startswith("CONNECT "):
                _answers(connection, stream, headers)
                return
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with secure.wrap_socket(connection, server_side=True) as tunnel, tunnel.makefile("rb") as inside:
                _answers(tunnel, inside, _head(inside)[1])
    except (OSError, EOFError):
        # The client has what it wanted.
        return


def _answers(connection: socket.socket, stream, headers: dict[str, str]) -> None:
    item = {"namespace": "features", "key": "flag", "item": PAYLOAD}
    row = {name: {"S": text} for name, text in item.items()} | {"version": {"N": "1"}}
    body = json.dumps({"Item": row}).encode()
    while True:
        stream.read(int(headers.get("content-length", 0)))
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        headers = _head(stream)[1]


def _head(stream) -> tuple[str, dict[str, str]]:
    lines = []
    while line := stream.readline().decode("latin-1").rstrip("\r\n"):
        lines.append(line)
    if not lines:
        raise EOFError
    return lines[0], {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
