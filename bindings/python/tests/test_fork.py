"""Forks: a child uses, closes and leaves what its parent opened, and the parent does not notice."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from endpoint import Endpoint
from fork_scenarios import SCENARIOS

import flagstore

# Well above what the slowest scenario takes on a busy machine; children have a watchdog of their own.
SECONDS = 90


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.parametrize("name", SCENARIOS)
def test_fork(name: str, endpoint: Endpoint, prefix: str) -> None:
    if "sdk" in name and find_spec("ldclient") is None:
        pytest.skip("the LaunchDarkly SDK is not installed; it needs Python 3.10")
    program = Path(__file__).with_name("fork_scenarios.py")
    sources = str(Path(flagstore.__file__).parent.parent)
    ran = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(program), name, endpoint.url, prefix],
        env={**os.environ, "PYTHONPATH": sources},
        timeout=SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
