"""Calls that are made inside an event loop, which goes on while they wait: asyncio's, gevent's and eventlet's.

Each loop has a completion queue of its own and a pipe that says when it holds something. There are no threads: what ends a
call, reads its result and wakes who waits for it is the loop. The pipe is watched only while calls are under way, so that a
loop that has nothing else to do can end.
"""

from __future__ import annotations

import itertools
import os
import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Callable

from ._library import calls

try:
    # In a program that eventlet patched, os.read switches to another greenlet.
    from posix import read
except ImportError:
    from os import read

# What ends with a value or an exception.
_Ended = Callable[[Any, "BaseException | None"], None]
# Calls the second argument whenever the descriptor can be read, until what it returns is called.
_Watch = Callable[[int, Callable[[], None]], Callable[[], None]]

_READ_AT_ONCE = 65_536


class _Completions:
    """The calls of one loop in one process."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._waiting: dict[int, _Ended] = {}
        self._numbers = itertools.count(1)
        self._unwatch: Callable[[], None] | None = None
        self._queue = calls.completions_open()
        self._reader, writer = os.pipe()
        try:
            os.set_blocking(self._reader, False)
            os.set_blocking(writer, False)
            calls.completions_notify(self._queue, writer)
        finally:
            # The library has a copy.
            os.close(writer)

    def start(
        self, watch: _Watch, store: int, operation: int, arguments: Sequence[Any], ended: _Ended
    ) -> int:
        """Begins a call; ``ended`` is called by the loop when it has ended. What cancels it."""
        number = next(self._numbers)
        self._waiting[number] = ended
        try:
            call = calls.start(store, self._queue, operation, number, arguments)
        except BaseException:
            del self._waiting[number]
            raise
        if self._unwatch is None:
            self._unwatch = watch(self._reader, self._take)
        return call

    def close(self) -> None:
        """For a loop that is gone."""
        if self.process == os.getpid():
            calls.completions_close(self._queue)
        os.close(self._reader)

    def _take(self) -> None:
        # Emptied first: what ends later fills it again.
        with suppress(BlockingIOError):
            while read(self._reader, _READ_AT_ONCE):
                pass
        while True:
            taken = calls.next(self._queue, 0)
            if taken is None:
                break
            number, value, error = taken
            ended = self._waiting.pop(number, None)
            if ended is not None:
                ended(value, error)
        if not self._waiting and self._unwatch is not None:
            self._unwatch()
            self._unwatch = None


_of_loop: weakref.WeakKeyDictionary[Any, _Completions] = weakref.WeakKeyDictionary()


def _completions(loop: Any) -> _Completions:
    found = _of_loop.get(loop)
    # A forked child may go on with its parent's loop, but not with its queue and pipe.
    if found is None or found.process != os.getpid():
        found = _of_loop[loop] = _Completions()
        weakref.finalize(loop, found.close).atexit = False
    return found


def landing(future: Any) -> _Ended:
    """Ends an asyncio future, unless whoever waited for it has left."""

    def ended(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    return ended


async def awaited(store: int, operation: int, arguments: Sequence[Any]) -> Any:
    """Makes a call and awaits its end in asyncio. Where the waiting is cancelled, so is the call."""
    import asyncio

    loop = asyncio.get_running_loop()
    future = loop.create_future()

    ended = landing(future)

    def watch(descriptor: int, take: Callable[[], None]) -> Callable[[], None]:
        loop.add_reader(descriptor, take)

        def unwatch() -> None:
            loop.remove_reader(descriptor)

        return unwatch

    call = _completions(loop).start(watch, store, operation, arguments, ended)
    try:
        return await future
    finally:
        if future.cancelled():
            calls.cancel(call)


def cooperative() -> Callable[[int, int, Sequence[Any]], Any] | None:
    """How to make a call here so that other greenlets run meanwhile; None where there are none.

    There are in a program that gevent or eventlet was told to patch, on a thread that has their loop.
    """
    hub = gevent_hub()
    if hub is not None:
        return _in_gevent(hub)
    hub = eventlet_hub()
    return None if hub is None else _in_eventlet(hub)


def gevent_hub() -> Any:
    """The loop of gevent on this thread, in a program that gevent was told to patch."""
    if "gevent.monkey" not in sys.modules:
        return None
    from gevent import getcurrent
    from gevent._hub_local import get_hub_if_exists
    from gevent.monkey import is_module_patched

    hub = get_hub_if_exists() if is_module_patched("socket") else None
    return None if hub is getcurrent() else hub


def eventlet_hub() -> Any:
    """The loop of eventlet on this thread, in a program that eventlet was told to patch."""
    if "eventlet.patcher" not in sys.modules:
        return None
    from eventlet import getcurrent, hubs
    from eventlet.patcher import is_monkey_patched

    hub = getattr(hubs._threadlocal, "hub", None) if is_monkey_patched("socket") else None
    return None if hub is None or hub.greenlet is getcurrent() else hub


def _in_gevent(hub: Any) -> Callable[[int, int, Sequence[Any]], Any]:
    from gevent.event import AsyncResult

    def watch(descriptor: int, take: Callable[[], None]) -> Callable[[], None]:
        watcher = hub.loop.io(descriptor, 1)
        watcher.start(take)

        def unwatch() -> None:
            watcher.stop()
            watcher.close()

        return unwatch

    def made(store: int, operation: int, arguments: Sequence[Any]) -> Any:
        result = AsyncResult()

        def ended(value: Any, error: BaseException | None) -> None:
            if error is None:
                result.set(value)
            else:
                result.set_exception(error)

        call = _completions(hub).start(watch, store, operation, arguments, ended)
        try:
            return result.get()
        finally:
            if not result.ready():
                calls.cancel(call)

    return made


def _in_eventlet(hub: Any) -> Callable[[int, int, Sequence[Any]], Any]:
    from eventlet import event

    def watch(descriptor: int, take: Callable[[], None]) -> Callable[[], None]:
        listener = hub.add(hub.READ, descriptor, lambda _descriptor: take(), hub.switch, lambda: None)
        return lambda: hub.remove(listener)

    def made(store: int, operation: int, arguments: Sequence[Any]) -> Any:
        result = event.Event()

        def ended(value: Any, error: BaseException | None) -> None:
            if error is None:
                result.send(value)
            else:
                result.send_exception(error)

        call = _completions(hub).start(watch, store, operation, arguments, ended)
        try:
            return result.wait()
        finally:
            if not result.ready():
                calls.cancel(call)

    return made
