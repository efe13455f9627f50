"""What can be done to a request. Each action is one coroutine on the exchange, with its parameters and their defaults.

Many take `at`, a point of the exchange:

* request: the request is read, and was not forwarded: nothing is applied
* response: it was forwarded and answered: it is applied, and the client has not seen a byte of the answer
* body: half of the answer is on its way
* end: all of it is
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from http1 import Message, response


async def passed(exchange) -> None:
    await exchange.send((await exchange.forwarded()).wire)


async def throttle(exchange, type: str) -> None:
    await exchange.send(
        error(400, type, "The level of configured provisioned throughput for the table was exceeded.").wire
    )


async def fault(exchange, status: int) -> None:
    names = {503: "ServiceUnavailable"}
    await exchange.send(error(status, names.get(status, "InternalServerError"), "The service has a problem.").wire)


async def refuse(exchange, status: int, type: str, message: str) -> None:
    await exchange.send(error(status, type, message).wire)


async def echo(exchange, type: str, quote: str) -> None:
    """Quotes the request's credentials or its payload, as a careless gateway might; or the token alone, in a sentence."""
    request = exchange.request
    names = ("authorization", "x-amz-security-token")
    texts = {
        "body": request.body.decode("utf-8", "replace"),
        "credentials": "\n".join(f"{name}: {request.header(name)}" for name in names),
        "token": f"The token {request.header(names[1])} is not known.",
    }
    await exchange.send(error(400, type, texts[quote]).wire)


async def clock(exchange, ahead_s: float) -> None:
    """A service whose clock is ahead of this machine's, and which takes no signature that is five minutes off."""
    now = datetime.now(timezone.utc) + timedelta(seconds=ahead_s)  # noqa: UP017 - Python 3.9 has no datetime.UTC
    signed = datetime.strptime(exchange.request.header("x-amz-date") + "+0000", "%Y%m%dT%H%M%SZ%z")
    if abs(now - signed) <= timedelta(minutes=5):
        return await passed(exchange)
    refusal = error(400, "InvalidSignatureException", f"Signature expired: {signed:%Y%m%dT%H%M%SZ} is now earlier.")
    await exchange.send(refusal.with_header("date", format_datetime(now, usegmt=True)))


async def answer(exchange, status: int, body: str, content_type: str, forward: bool) -> None:
    """The upstream's answer, if it is asked at all, is replaced."""
    if forward:
        await exchange.forwarded()
    await exchange.send(response(status, body.encode(), {"content-type": content_type}).wire)


async def garbage(exchange, forward: bool) -> None:
    if forward:
        await exchange.forwarded()
    noise = b"".join(hashlib.blake2b(b"%d %d" % (exchange.seed, part)).digest() for part in range(4))
    await exchange.send(response(200, noise, {}).wire)


async def delay(exchange, ms: float, at: str) -> None:
    await at_point(exchange, at, lambda: asyncio.sleep(ms / 1000))


async def hold(exchange, at: str) -> None:
    await at_point(exchange, at, exchange.released)


async def black_hole(exchange, at: str) -> None:
    await at_point(exchange, at, exchange.client_gone)


async def reset(exchange, at: str) -> None:
    await at_point(exchange, at, exchange.reset)


async def close(exchange, at: str) -> None:
    await at_point(exchange, at, exchange.close)


async def kill(exchange, at: str, pid: int) -> None:
    await at_point(exchange, at, lambda: exchange.kill(pid))


async def wrong_length(exchange, by: int, then: str) -> None:
    """Announces a body that is longer or shorter than it is. After a longer one the server waits, or closes."""
    message = await exchange.forwarded()
    await exchange.send(message.with_length(max(0, len(message.body) + by)))
    if by > 0:
        await (exchange.close() if then == "close" else exchange.client_gone())


async def ended(exchange) -> None:
    """A service that does not take keys that have ended. Those of `tests/soak/credentials` tell when they end."""
    key = re.search(r"Credential=SOAK(\d+)/", exchange.request.header("authorization") or "")
    # The clocks are one, but the request was under way.
    if key and time.time() > int(key.group(1)) + 2:
        return await refuse(exchange, 400, "ExpiredTokenException", "The key has ended.")
    await passed(exchange)


async def endless(exchange) -> None:
    """A body that never ends, in chunks."""
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ntransfer-encoding: chunked\r\n\r\n"
    await exchange.send(head.encode())
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while True:
        exchange.record["sent"] = exchange.record.get("sent", 0) + 0x10000
        await exchange.send(chunk)


async def rowless(exchange) -> None:
    """The upstream's answer, but a failed condition brings no row, as with some other endpoints."""
    message = await exchange.forwarded()
    if b"ConditionalCheckFailedException" not in message.body:
        return await exchange.send(message.wire)
    body = json.loads(message.body)
    body.pop("Item", None)
    await exchange.send(response(message.status, json.dumps(body).encode(), {"x-amzn-requestid": "FAULT"}).wire)


async def silent(exchange) -> None:
    """The answer, after which this connection is dead and nobody is told, as when a NAT gateway forgot it."""
    await passed(exchange)
    exchange.endpoint.silence(exchange.writer)


async def drip(exchange, bytes_per_second: float) -> None:
    for byte in (await exchange.forwarded()).wire:
        await exchange.send(bytes([byte]))
        await asyncio.sleep(1 / bytes_per_second)


async def unprocessed(exchange, share: float) -> None:
    """What DynamoDB does to a BatchWriteItem beyond the table's capacity: status 200, and some rows handed back."""
    batch = json.loads(exchange.request.body)
    kept, returned = {}, {}
    for table, writes in batch["RequestItems"].items():
        for write in writes:
            chosen = exchange.dice("unprocessed", json.dumps(write, sort_keys=True)) < share
            (returned if chosen else kept).setdefault(table, []).append(write)
    exchange.record["unprocessed"] = sum(map(len, returned.values()))
    if not kept:
        return await throttle(exchange, "ProvisionedThroughputExceededException")
    body = json.dumps({**batch, "RequestItems": kept}).encode()
    head = Message(exchange.request.head, body).with_length(len(body))
    answered = await exchange.forwarded(Message(head[: -len(body)], body))
    if answered.status != 200:
        return await exchange.send(answered.wire)
    outcome = json.loads(answered.body)
    for table, writes in returned.items():
        outcome.setdefault("UnprocessedItems", {}).setdefault(table, []).extend(writes)
    await exchange.send(response(200, json.dumps(outcome).encode(), {}).wire)


async def unconditional(exchange) -> None:
    """Takes the conditions of a write away: what a checker of histories must notice."""
    request = json.loads(exchange.request.body)
    for name in ("ConditionExpression", "ReturnValuesOnConditionCheckFailure"):
        request.pop(name, None)
    # Names and values of a condition are all that these writes have, and DynamoDB refuses those that nothing uses.
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        request.pop(name, None)
    body = json.dumps(request).encode()
    head = Message(exchange.request.head, body).with_length(len(body))
    await exchange.send((await exchange.forwarded(Message(head[: -len(body)], body))).wire)


AT = {"at": "request"}
ACTIONS = {
    "pass": (passed, {}),
    "throttle": (throttle, {"type": "ProvisionedThroughputExceededException"}),
    "fault": (fault, {"status": 500}),
    "refuse": (refuse, {"status": 400, "type": "ValidationException", "message": ""}),
    "echo": (echo, {"type": "ValidationException", "quote": "body"}),
    "clock": (clock, {"ahead_s": 3600}),
    "answer": (answer, {"status": 200, "body": "{}", "content_type": "application/x-amz-json-1.0", "forward": False}),
    "garbage": (garbage, {"forward": True}),
    "delay": (delay, {"ms": 100, **AT}),
    "hold": (hold, AT),
    "black_hole": (black_hole, AT),
    "reset": (reset, AT),
    "close": (close, AT),
    "kill": (kill, {**AT, "pid": 0}),
    "wrong_length": (wrong_length, {"by": 10, "then": "wait"}),
    "ended": (ended, {}),
    "endless": (endless, {}),
    "rowless": (rowless, {}),
    "silent": (silent, {}),
    "drip": (drip, {"bytes_per_second": 1}),
    "unconditional": (unconditional, {}),
    "unprocessed": (unprocessed, {"share": 0.3}),
}


async def at_point(exchange, at: str, deed) -> None:
    """Does a deed at one point of the exchange, which otherwise takes its course. Some deeds end it."""
    if at == "request":
        await deed()
    message = await exchange.forwarded()
    if at == "response":
        await deed()
    whole, half = message.wire, len(message.head) + len(message.wire_body) // 2
    if at == "body":
        await exchange.send(whole[:half])
        await deed()
        whole = whole[half:]
    await exchange.send(whole)
    if at == "end":
        await deed()


def error(status: int, type: str, message: str) -> Message:
    """An error in DynamoDB's form."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{type}", "message": message}
    return response(status, json.dumps(body).encode(), {"x-amzn-requestid": "FAULT"})
