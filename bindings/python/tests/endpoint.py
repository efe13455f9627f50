"""Starts the DynamoDB endpoints of the tests as processes that end with this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

REPOSITORY = next(folder for folder in Path(__file__).resolve().parents if (folder / "Cargo.toml").is_file())
TABLE = "flags"
SUITE_TABLE = "sdk-suites"
SECRET = "secret-that-must-not-show"


@dataclass(frozen=True)
class Endpoint:
    """A DynamoDB endpoint with the table ready."""

    url: str

    @property
    def options(self) -> dict[str, Any]:
        """What :class:`flagstore.Store` needs to use it, besides the table."""
        return {
            "endpoint": self.url,
            "region": "us-east-1",
            "access_key_id": "test",
            "secret_access_key": SECRET,
        }

    @property
    def boto3_options(self) -> dict[str, Any]:
        """What ``boto3.client`` needs to use it, and so the ``dynamodb_opts`` of the SDK."""
        return {
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": SECRET,
        }


@contextmanager
def local() -> Iterator[Endpoint]:
    """``flagstore-local``: the file that FLAGSTORE_LOCAL names, or the one of the release build."""
    program = Path(os.environ.get("FLAGSTORE_LOCAL") or REPOSITORY / "target/release/flagstore-local")
    if not program.is_file():
        pytest.fail(
            f"there is no {program}: build flagstore-local, or name it in FLAGSTORE_LOCAL", pytrace=False
        )
    with _started([program]) as endpoint:
        yield endpoint


@contextmanager
def dynalite() -> Iterator[Endpoint]:
    """npm's dynalite; skips the test where it cannot be run."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"dynalite needs {' and '.join(missing)}, which this machine has not")
    with _started([REPOSITORY / "tests/dynalite/start"]) as endpoint:
        yield endpoint


@contextmanager
def moto() -> Iterator[Endpoint]:
    """PyPI's moto; skips the test where it cannot be run."""
    python = shutil.which("python3")
    if (
        python is None
        or subprocess.run([python, "-c", "import ensurepip, venv"], check=False).returncode != 0
    ):
        pytest.skip("moto needs a python3 with venv, which this machine has not")
    with _started([REPOSITORY / "tests/moto/start"]) as endpoint:
        yield endpoint


@dataclass(frozen=True)
class Faults(Endpoint):
    """``tests/faults/endpoint``: another endpoint passed on, until a script says what fails."""

    control: str

    def tell(self, path: str, **body: Any) -> Any:
        """A control request; ``tests/faults/README.md`` has them all."""
        request = Request(self.control + path, json.dumps(body).encode(), method="POST")
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def script(self, *rules: dict[str, Any]) -> None:
        """Replaces the rules and empties the log."""
        self.tell("/reset")
        self.tell("/script", rules=rules)


@contextmanager
def failing_on_demand(upstream: Endpoint) -> Iterator[Faults]:
    """In front of another endpoint."""
    program = REPOSITORY / "tests/faults/endpoint"
    # By a Python of this machine, whatever runs the tests: where that is emulated, the system knows no way to start it.
    with _running([program, "--upstream", upstream.url]) as ready:
        yield Faults(ready["url"], ready["control"])


@contextmanager
def _started(command: list[str | Path]) -> Iterator[Endpoint]:
    with _running([*command, "--table", TABLE, "--table", SUITE_TABLE]) as ready:
        yield Endpoint(ready["url"])


@contextmanager
def _running(command: list[str | Path]) -> Iterator[dict[str, str]]:
    """A program that says in one line of JSON when it is ready, and ends with its standard input."""
    command = [*command, "--exit-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            ready = process.stdout.readline()
            assert ready, f"{command[0]} ended with status {process.wait()} before it was ready"
            yield json.loads(ready)
        finally:
            process.stdin.close()
            process.wait(timeout=30)
