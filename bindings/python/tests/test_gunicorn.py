"""gunicorn's ``--preload``: the master opens and uses the store, and forks workers, again and again, that go on with it."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from conftest import OpenStore
from endpoint import Faults

import flagstore
from flagstore import Item

if TYPE_CHECKING:
    from typing_extensions import Self

SECONDS = 30
CLIENTS = 4
REQUESTS = 10_000 if os.environ.get("FLAGSTORE_LONG") else 2_000
FLAGS = [f"flag-{number}" for number in range(10)]
FAULTS = ["throttle", "fault", "reset", "close", "garbage"]


@dataclass
class Answer:
    """What a request got, and when."""

    began: float
    ended: float
    values: dict[str, str]
    reasons: dict[str, dict[str, str]]
    pid: int
    descriptors: int
    resident: int

    @property
    def right(self) -> bool:
        return all(value == f"value of {key}" for key, value in self.values.items())

    @property
    def defaults_with_reasons(self) -> bool:
        """Whether every value is the right one, or the default because something failed."""
        return all(
            value == f"value of {key}"
            or (value == "default" and self.reasons[key] == {"kind": "ERROR", "errorKind": "EXCEPTION"})
            for key, value in self.values.items()
        )


@dataclass
class Load:
    """Clients that ask all the time."""

    port: int
    answers: list[Answer] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def until(self, enough: Callable[[list[Answer]], bool]) -> None:
        """Waits for answers, of those that begin from now on."""
        start = time.monotonic()
        while not enough([answer for answer in list(self.answers) if answer.began > start]):
            assert not self.failures, repr(self.failures[0])
            assert time.monotonic() < start + SECONDS, "the answers do not come"
            time.sleep(0.01)

    def _ask_on(self) -> None:
        try:
            while not self._stop.is_set():
                self.answers.append(self._ask(random.sample(FLAGS, 2)))
        except (OSError, http.client.HTTPException, ValueError, AssertionError) as error:
            self.failures.append(error)

    def _ask(self, keys: list[str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        began = time.monotonic()
        try:
            connection.request("GET", "/?" + "&".join(f"flag={key}" for key in keys))
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            return Answer(began, time.monotonic(), **json.loads(body))
        finally:
            connection.close()


@dataclass
class Gunicorn:
    """A running server, and the file that it logs to."""

    process: subprocess.Popen[bytes]
    file: Path

    @property
    def log(self) -> str:
        return self.file.read_text()

    def logged(self, pattern: str) -> re.Match[str]:
        """Waits for a line."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(pattern, self.log):
                return found
            time.sleep(0.01)
        raise AssertionError(f"gunicorn does not log {pattern!r}, but: {self.log}")


Start = Callable[..., Gunicorn]


@pytest.fixture
def start(faults: Faults, prefix: str, open_store: OpenStore, tmp_path: Path) -> Iterator[Start]:
    """Starts gunicorn with an application that has ten flags to evaluate."""
    shape = {"version": 1, "on": False, "offVariation": 0, "salt": ""}
    flags = {key: {"key": key, "variations": [f"value of {key}"], **shape} for key in FLAGS}
    open_store().init({"features": {key: Item(1, json.dumps(flag)) for key, flag in flags.items()}})
    settings = {"prefix": prefix, "dynamodb_opts": faults.boto3_options}
    here = Path(__file__).parent
    started: list[subprocess.Popen[bytes]] = []

    def start_one(*arguments: str, master_evaluates: bool) -> Gunicorn:
        command = [sys.executable, "-m", "gunicorn", *arguments, "--bind", "127.0.0.1:0", "--workers", "3"]
        command += ["--timeout", str(SECONDS // 2), "--no-control-socket", "gunicorn_app:application"]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{Path(flagstore.__file__).parent.parent}:{here}",
            "FLAGSTORE_TEST_APP": json.dumps({**settings, "master_evaluates": master_evaluates}),
        }
        file = tmp_path / "gunicorn.log"
        with file.open("wb") as log:
            process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log)
        started.append(process)
        return Gunicorn(process, file)

    yield start_one
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("arguments", "master_evaluates"),
    [
        (["--preload", "--worker-class", "sync"], False),
        (["--preload", "--worker-class", "gthread", "--threads", "4"], False),
        (["--config", str(Path(__file__).with_name("gunicorn_conf.py")), "--threads", "2"], True),
    ],
    ids=["sync", "gthread", "client restarted after the fork of a master that evaluates"],
)
def test_workers_go_on_with_what_the_master_preloaded(
    start: Start, faults: Faults, arguments: list[str], master_evaluates: bool
) -> None:
    server = start(*arguments, master_evaluates=master_evaluates)
    port = int(server.logged(r"Listening at: http://127\.0\.0\.1:(\d+)")[1])
    with Load(port) as load:
        load.until(lambda answers: len(answers) > REQUESTS // 4 and len(pids(answers)) == 3)

        first = pids(load.answers)
        server.process.send_signal(signal.SIGHUP)
        load.until(lambda answers: len(pids(answers[-50:]) - first) == 3 and not pids(answers[-50:]) & first)

        failing_from = time.monotonic()
        faults.script({"do": FAULTS})
        load.until(lambda answers: sum(not answer.right for answer in answers) >= 10)
        faults.tell("/reset")
        failing_to = time.monotonic()
        load.until(lambda answers: len(answers) > REQUESTS // 4)

        second = pids(load.answers)
        server.process.send_signal(signal.SIGTTIN)
        load.until(lambda answers: pids(answers) > pids(answers) & second)
        server.process.send_signal(signal.SIGTTOU)
        load.until(lambda answers: len(answers) > 50 and len(pids(answers[-50:])) <= 3)
        load.until(lambda answers: len(answers) > REQUESTS // 2)
    assert not load.failures, repr(load.failures[0])

    for answer in load.answers:
        meanwhile = answer.began < failing_to and answer.ended > failing_from
        assert answer.right or (meanwhile and answer.defaults_with_reasons), answer
    nothing_leaks(load.answers)

    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(SECONDS) == 0
    for pid in pids(load.answers):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    # A worker may end by the SIGTERM that gunicorn sends it a second time; gunicorn expects that too.
    amiss = r"TIMEOUT|exited with code|was sent (?!SIGTERM!)|\[CRITICAL\]|fork"
    assert not re.search(amiss, server.log), server.log
    # The SDK logged why it gave defaults.
    assert re.search(r"ldclient\.\w+: .*DynamoDB", server.log), server.log


def pids(answers: list[Answer]) -> set[int]:
    return {answer.pid for answer in answers}


def nothing_leaks(answers: list[Answer]) -> None:
    """Descriptors and memory of a worker that answered often are at its end what they were when it was warm."""
    by_worker = defaultdict(list)
    for answer in sorted(answers, key=lambda answer: answer.ended):
        by_worker[answer.pid].append(answer)
    often = [own for own in by_worker.values() if len(own) >= 100]
    assert len(often) >= 3
    for own in often:
        warm, last = own[: len(own) // 2], own[-1]
        # As many connections as there are threads that need one may come and go.
        assert last.descriptors <= max(answer.descriptors for answer in warm) + 4
        assert last.resident <= max(answer.resident for answer in warm) + 1_000_000
