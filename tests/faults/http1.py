"""HTTP/1.1 messages as they stand on the wire: what is forwarded is what was received, byte for byte."""

from __future__ import annotations

import asyncio
import re
import socket
import struct

MOST_HEAD_BYTES = 1 << 20


class Broken(Exception):
    """The other side sent something that is not HTTP, or stopped in the middle of it."""


class Message:
    """A request or a response."""

    def __init__(self, head: bytes, wire_body: bytes = b"", body: bytes | None = None):
        self.head = head  # start line, headers and the empty line after them
        self.wire_body = wire_body  # as received, chunk marks included
        self.body = wire_body if body is None else body  # without them

    @property
    def wire(self) -> bytes:
        return self.head + self.wire_body

    @property
    def start(self) -> list[str]:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)

    @property
    def status(self) -> int:
        return int(self.start[1])

    def header(self, name: str) -> str | None:
        found = re.search(rb"\r\n" + name.encode() + rb":[ \t]*([^\r\n]*)", self.head, re.IGNORECASE)
        return found.group(1).decode("latin-1").strip() if found else None

    def says_close(self) -> bool:
        return (self.header("connection") or "").lower() == "close"

    def with_header(self, name: str, value: str) -> bytes:
        """The whole message with one header more."""
        return self.head[:-2] + f"{name}: {value}\r\n\r\n".encode("latin-1") + self.wire_body

    def with_length(self, length: int) -> bytes:
        """The whole message, announcing a body of another length than it has."""
        lines = [
            line
            for line in self.head[:-4].split(b"\r\n")
            if not line.lower().startswith((b"content-length:", b"transfer-encoding:"))
        ]
        return b"\r\n".join([*lines, b"content-length: %d" % length, b"", b""]) + self.body


def response(status: int, body: bytes, headers: dict[str, str]) -> Message:
    fields = {"content-type": "application/x-amz-json-1.0", **headers, "content-length": str(len(body))}
    lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}", *(f"{n}: {v}" for n, v in fields.items())]
    return Message("\r\n".join([*lines, "", ""]).encode("latin-1"), body)


async def read_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None = None) -> Message | None:
    """The next message, or None if the other side is done. `writer` is given for requests, which may ask for leave to
    send their body."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise Broken("the connection ended within a message's head") from None
        return None
    except (asyncio.LimitOverrunError, ValueError):
        raise Broken(f"a message's head is longer than {MOST_HEAD_BYTES} bytes") from None
    message = Message(head)
    if writer and (message.header("expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        if (message.header("transfer-encoding") or "").lower() == "chunked":
            return Message(head, *await read_chunks(reader))
        length = message.header("content-length")
        if length is not None:
            return Message(head, await reader.readexactly(int(length)))
        if writer is None and message.status not in (204, 304):
            return Message(head, await reader.read())  # until the connection ends
        return message
    except (asyncio.IncompleteReadError, ValueError):
        raise Broken("the connection ended within a message's body") from None


async def read_chunks(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    wire, body = b"", b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        chunk = await reader.readexactly(size + 2)
        wire += line + chunk
        body += chunk[:-2]
        if size == 0:
            return wire, body


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection the hard way: what was not delivered is lost, and the other side is told so."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
