"""Forks: a child uses, closes and leaves what its parent opened, and the parent does not notice.

Every scenario forks a few hundred times, because what can go wrong depends on the moment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import fork_scenarios
import multiprocessing_scenarios
import pytest
from endpoint import Endpoint, Faults

import flagstore

# PyPy takes ten times as long for one.
SHORT = 40 if sys.implementation.name == "pypy" else 200
ROUNDS = 2_000 if os.environ.get("FLAGSTORE_LONG") else SHORT
# Well above what the slowest scenario takes on a busy machine; children have a watchdog of their own.
SECONDS = max(ROUNDS, 200)


def run(program: str, scenario: str, options: dict[str, str], control: str) -> None:
    setting = {"options": options, "rounds": ROUNDS, "control": control}
    ran = subprocess.run(
        [
            sys.executable,
            "-X",
            "faulthandler",
            str(Path(__file__).with_name(program)),
            scenario,
            json.dumps(setting),
        ],
        # Fork servers of some Python versions look nowhere else for what they preload.
        env={**os.environ, "PYTHONPATH": f"{Path(flagstore.__file__).parent.parent}:{Path(__file__).parent}"},
        timeout=SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""


@pytest.mark.parametrize("scenario", [scenario.__name__ for scenario in fork_scenarios.SCENARIOS])
def test_fork(scenario: str, endpoint: Endpoint, faults: Faults, prefix: str) -> None:
    if "sdk" in scenario and find_spec("ldclient") is None:
        pytest.skip("the LaunchDarkly SDK is not installed; it needs Python 3.10")
    url = faults.url if "held" in scenario else endpoint.url
    run(
        "fork_scenarios.py", scenario, {**endpoint.options, "endpoint": url, "prefix": prefix}, faults.control
    )


@pytest.mark.parametrize("scenario", [scenario.__name__ for scenario in multiprocessing_scenarios.SCENARIOS])
def test_multiprocessing(scenario: str, endpoint: Endpoint, prefix: str) -> None:
    run("multiprocessing_scenarios.py", scenario, {**endpoint.options, "prefix": prefix}, control="")
