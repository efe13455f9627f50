"""Work that blocks for long and cannot be cancelled, on a thread of its own: whoever waits for it goes on meanwhile with what he
has to do, and may leave."""

from __future__ import annotations

import _thread
import threading
from contextlib import suppress
from typing import Any, Callable

from ._loops import eventlet_hub, gevent_hub, landing
from .results import Report

_Ended = Callable[[Any, "BaseException | None"], None]

# How often the main thread looks whether a signal handler has to run: one that another thread was given, or that comes just
# before the wait, does not wake it.
_SLICE_SECONDS = 0.5


def apart(work: Callable[[], Report]) -> Report:
    """What work gives. Other greenlets run meanwhile, and on the main thread signal handlers; where one raises, the work
    goes on alone."""
    hub = gevent_hub()
    if hub is not None:
        report: Report = hub.threadpool.apply(work)
        return report
    if eventlet_hub() is not None:
        from eventlet import tpool

        report = tpool.execute(work)
        return report
    if _thread.get_ident() != threading.main_thread().ident:
        return work()
    outcome: list[tuple[Any, BaseException | None]] = []
    over = _thread.allocate_lock()
    over.acquire()

    def ended(value: Any, error: BaseException | None) -> None:
        outcome.append((value, error))
        over.release()

    _begin(work, ended)
    while not over.acquire(timeout=_SLICE_SECONDS):
        pass
    value, error = outcome[0]
    if error is not None:
        raise error
    report = value
    return report


async def awaited_apart(work: Callable[[], Report]) -> Report:
    """What work gives, for asyncio."""
    import asyncio

    loop = asyncio.get_running_loop()
    future: asyncio.Future[Report] = loop.create_future()
    land = landing(future)

    def ended(value: Any, error: BaseException | None) -> None:
        # The loop may be closed by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(land, value, error)

    _begin(work, ended)
    return await future


def _begin(work: Callable[[], Report], ended: _Ended) -> None:
    # Not one of threading's, whose end the interpreter waits for at its exit.
    def run() -> None:
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
            ended(None, error)
        else:
            ended(value, None)

    _thread.start_new_thread(run, ())
