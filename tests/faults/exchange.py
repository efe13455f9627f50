"""One request and its answer, and what an action may do in between."""

from __future__ import annotations

import hashlib
import json
import os
import signal

from http1 import Message, reset
from process import at_other_end
from script import dice


class Ended(Exception):
    """The connection is over."""


class Exchange:
    def __init__(self, endpoint, request: Message, record: dict, reader, writer):
        self.endpoint, self.request, self.record = endpoint, request, record
        self.reader, self.writer = reader, writer
        self.seed = endpoint.script.seed

    async def forwarded(self, request: Message | None = None) -> Message:
        """The upstream's answer; asked for once, whatever becomes of the client meanwhile."""
        self.record["forwarded"] = self.endpoint.log.moment()
        message = await self.endpoint.forward(request or self.request)
        self.record["applied"] = self.endpoint.log.moment()
        self.record["status"] = message.status
        return message

    async def send(self, part: bytes) -> None:
        self.writer.write(part)
        await self.writer.drain()

    async def released(self) -> None:
        await self.endpoint.release.wait()

    async def client_gone(self) -> None:
        while await self.reader.read(65536):
            pass
        raise Ended

    async def reset(self) -> None:
        reset(self.writer)
        raise Ended

    async def close(self) -> None:
        self.writer.close()
        raise Ended

    async def kill(self, pid: int) -> None:
        """Ends the client process as a power cut would. Without a pid, it is whoever holds the other end."""
        pid = pid or at_other_end(self.writer)
        if pid in (os.getpid(), os.getppid()):
            raise RuntimeError(f"will not kill process {pid}, which started this endpoint")
        os.kill(pid, signal.SIGKILL)
        self.record["killed"] = pid
        raise Ended

    def dice(self, *parts: object) -> float:
        return dice(self.seed, *parts, self.record["attempt"])


def described(request: Message) -> dict:
    """What a request is about, as far as it can be told."""
    operation = (request.header("x-amz-target") or "").rpartition(".")[2] or None
    try:
        body = json.loads(request.body)
        place = named(body)
        table = body.get("TableName") or next(iter(body.get("RequestItems", {})), None)
    except (ValueError, AttributeError, TypeError, LookupError):
        place, table = {}, None
    namespace, key = text(place.get("namespace")), text(place.get("key"))
    # Without a key, what is asked for is in the body.
    what = key if key is not None else hashlib.blake2b(request.body, digest_size=8).hexdigest()
    identity = f"{operation} {namespace} {what}"
    return {"operation": operation, "table": table, "namespace": namespace, "key": key, "identity": identity}


def named(body: dict) -> dict:
    """The key attributes that a request names."""
    if "Item" in body or "Key" in body:
        return body.get("Item") or body["Key"]
    if "KeyConditions" in body:
        return {name: condition["AttributeValueList"][0] for name, condition in body["KeyConditions"].items()}
    if "KeyConditionExpression" in body:
        return {"namespace": next(iter(body["ExpressionAttributeValues"].values()))}
    return {}


def text(attribute: dict | None) -> str | None:
    return attribute.get("S") if attribute else None
