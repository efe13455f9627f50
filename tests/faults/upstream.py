"""The endpoint that works: connections to it are kept and used again, each for one request at a time."""

from __future__ import annotations

import asyncio

from http1 import MOST_HEAD_BYTES, Broken, Message, read_message, response


class Upstream:
    def __init__(self, address: tuple[str, int]):
        self.address = address
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def forward(self, request: Message) -> Message:
        """The answer to a request, sent exactly once; status 502 where there is none."""
        try:
            reader, writer = self.connection() or await asyncio.open_connection(*self.address, limit=MOST_HEAD_BYTES)
            writer.write(request.wire)
            message = await read_message(reader)
        except (OSError, Broken) as error:
            return unreachable(str(error))
        if message is None:
            writer.close()
            return unreachable("it closed the connection")
        if message.says_close() or message.header("content-length") is None:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return message

    def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None


def unreachable(why: str) -> Message:
    return response(502, f"the upstream does not answer: {why}".encode(), {"content-type": "text/plain"})
