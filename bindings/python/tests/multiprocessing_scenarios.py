"""Scenarios of ``multiprocessing`` and ``concurrent.futures``, each in a process of its own:
``python multiprocessing_scenarios.py NAME SETTING``."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, wait
from typing import Any

import preloaded
from children import CHILD_SECONDS, Setting, busy, check, in_threads, run

from flagstore import Store

WORKERS = 4


def work(setting: Setting, inherited: Store | None) -> int:
    """What a worker process does; gives a number that only it has."""
    signal.alarm(CHILD_SECONDS)
    if inherited:
        check(inherited)
    with setting.open() as store:
        check(store)
    signal.alarm(0)
    return os.getpid()


# What a forked worker of a pool has from its parent; tasks come pickled, and a store cannot be.
_inherited: Store | None = None


def task(setting: Setting) -> int:
    return work(setting, _inherited)


def processes(method: str, setting: Setting, inherited: Store | None, count: int) -> None:
    context: Any = multiprocessing.get_context(method)
    for _ in range(count // WORKERS):
        started = [context.Process(target=work, args=(setting, inherited)) for _ in range(WORKERS)]
        for process in started:
            process.start()
        ended(started)


def ended(processes: list[Any]) -> None:
    deadline = time.monotonic() + CHILD_SECONDS
    for process in processes:
        # More than once: where several threads start processes, join may return before the exit code is known.
        while process.exitcode is None and time.monotonic() < deadline:
            process.join(CHILD_SECONDS)
        assert process.exitcode == 0, f"ended with {process.exitcode}"


def pool(method: str, setting: Setting, tasks: int) -> None:
    with multiprocessing.get_context(method).Pool(WORKERS) as workers:
        results = [workers.apply_async(task, (setting,)) for _ in range(tasks)]
        assert os.getpid() not in {result.get(timeout=CHILD_SECONDS) for result in results}
        workers.close()
        workers.join()


def executor(method: str, setting: Setting, tasks: int) -> None:
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(method)) as workers:
        results = [workers.submit(task, setting) for _ in range(tasks)]
        done, late = wait(results, timeout=CHILD_SECONDS)
        assert not late, "workers hang"
        assert os.getpid() not in {result.result() for result in done}


def inheriting(setting: Setting) -> Store:
    global _inherited
    _inherited = setting.used()
    return _inherited


def forked_processes(setting: Setting) -> None:
    store = inheriting(setting)
    with busy(setting, store):
        processes("fork", setting, store, setting.rounds)
    check(store)


def processes_started_by_threads(setting: Setting) -> None:
    store = inheriting(setting)
    in_threads(4, lambda: processes("fork", setting, store, setting.rounds // 4))
    check(store)


def forked_pools(setting: Setting) -> None:
    store = inheriting(setting)
    with busy(setting, store) as parents_threads_go_on:
        for _ in range(setting.rounds // WORKERS):
            pool("fork", setting, tasks=2 * WORKERS)
            parents_threads_go_on()
    check(store)


def forked_executors(setting: Setting) -> None:
    store = inheriting(setting)
    with busy(setting, store) as parents_threads_go_on:
        for _ in range(setting.rounds // WORKERS):
            executor("fork", setting, tasks=2 * WORKERS)
            parents_threads_go_on()
    check(store)


def processes_of_a_fork_server(setting: Setting) -> None:
    """The server opened and used a store while it loaded a module, as an application's would; its children use it."""
    os.environ[preloaded.VARIABLE] = preloaded.text(setting)
    multiprocessing.set_forkserver_preload(["preloaded"])
    context = multiprocessing.get_context("forkserver")
    with setting.used() as store, busy(setting, store, threads=2):
        for _ in range(setting.rounds // WORKERS):
            started = [context.Process(target=preloaded.use, args=(setting,)) for _ in range(WORKERS)]
            for process in started:
                process.start()
            ended(started)


# A spawned process is a new interpreter, which takes fifty times as long as a fork and inherits nothing: fewer of them,
# each with many tasks.


def spawned_processes(setting: Setting) -> None:
    with setting.used() as store, busy(setting, store):
        processes("spawn", setting, None, setting.rounds // 10)


def a_spawned_pool(setting: Setting) -> None:
    with setting.used() as store, busy(setting, store):
        pool("spawn", setting, tasks=setting.rounds)


def a_spawned_executor(setting: Setting) -> None:
    with setting.used() as store, busy(setting, store):
        executor("spawn", setting, tasks=setting.rounds)


SCENARIOS = (
    forked_processes,
    processes_started_by_threads,
    forked_pools,
    forked_executors,
    processes_of_a_fork_server,
    spawned_processes,
    a_spawned_pool,
    a_spawned_executor,
)

if __name__ == "__main__":
    run(SCENARIOS)
