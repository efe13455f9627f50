"""The control side: JSON by HTTP, one request per connection or many."""

from __future__ import annotations

import asyncio
import contextlib
import json

from http1 import Broken, read_message, response
from script import Refused

LONGEST_WAIT_MS = 600_000


class Control:
    def __init__(self, endpoint):
        self.endpoint = endpoint

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(Broken, ConnectionError):
            while (request := await read_message(reader, writer)) is not None:
                status, answer = await self.answer(request)
                writer.write(response(status, json.dumps(answer).encode(), {"content-type": "application/json"}).wire)
                await writer.drain()
                if request.says_close():
                    break
        writer.close()

    async def answer(self, request) -> tuple[int, dict]:
        path = request.start[1]
        try:
            given = json.loads(request.body) if request.body else {}
            return await self.carry_out(path, given)
        except (Refused, ValueError) as error:
            return 400, {"error": str(error)}

    async def carry_out(self, path: str, given: dict) -> tuple[int, dict]:
        endpoint = self.endpoint
        if path == "/script":
            endpoint.replace_script(given)
        elif path == "/release":
            endpoint.let_go()
        elif path == "/silence":
            endpoint.silence(*endpoint.connections)
        elif path == "/shut":
            endpoint.shut()
        elif path == "/listen":
            await endpoint.listen()
        elif path == "/reset":
            endpoint.start_over()
            await endpoint.listen()
        elif path == "/wait":
            return await self.wait(given)
        elif path == "/counts":
            return 200, self.counts()
        elif path == "/log":
            return 200, {**self.state(), "requests": endpoint.log.records}
        else:
            return 404, {"error": f"there is no {path}; there are /script /release /silence /shut /listen /reset /wait /counts /log"}
        return 200, self.state()

    def state(self) -> dict:
        return {
            "seed": self.endpoint.script.seed,
            "connections": len(self.endpoint.connections),
            "mishaps": self.endpoint.log.mishaps,
        }

    def counts(self) -> dict:
        counts: dict[str, dict[str, int]] = {}
        for record in self.endpoint.log.records:
            by_action = counts.setdefault(record["operation"] or "", {})
            by_action[record["action"]] = by_action.get(record["action"], 0) + 1
        return {**self.state(), "counts": counts}

    async def wait(self, given: dict) -> tuple[int, dict]:
        """Until so many requests are in the log, or so few connections are open."""
        wanted = dict(given)
        timeout = wanted.pop("timeout_ms", 10_000)
        connections, count = wanted.pop("connections", None), wanted.pop("count", None)
        if (connections is None) == (count is None) or (connections is not None and wanted):
            raise Refused('wait for a "count" of requests with certain members, or for a number of "connections"')
        if not 0 < timeout <= LONGEST_WAIT_MS:
            raise Refused(f"timeout_ms is {timeout}, and should be from 1 to {LONGEST_WAIT_MS}")

        def there() -> bool:
            if count is None:
                return len(self.endpoint.connections) <= connections
            return self.endpoint.log.matching(wanted) >= count

        async def until_there() -> None:
            while not there():
                await self.endpoint.log.change()

        try:
            await asyncio.wait_for(until_there(), timeout / 1000)
        except TimeoutError:
            return 408, {"error": f"waited {timeout} ms for {json.dumps(given)} in vain", **self.counts()}
        return 200, self.state()
