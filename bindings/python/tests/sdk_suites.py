"""Brings the SDK's own store tests, which are in its source distribution and not in its wheel.

They are downloaded once for the installed version, into the build folder; nothing of them enters the project.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

import ldclient
from endpoint import REPOSITORY

PACKAGE = "launchdarkly-server-sdk"


def make_importable() -> None:
    """Makes ``ldclient.testing`` importable."""
    folder = _unpacked(version(PACKAGE))
    if str(folder / "ldclient") not in ldclient.__path__:
        ldclient.__path__.append(str(folder / "ldclient"))


def _unpacked(release: str) -> Path:
    build = Path(os.environ.get("FLAGSTORE_BUILD") or REPOSITORY / "build") / "python-sdk-suites"
    folder = build / release
    if not folder.is_dir():
        build.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=build) as unfinished:
            _unpack(_downloaded(release, Path(unfinished)), Path(unfinished, "suites"))
            try:
                Path(unfinished, "suites").rename(folder)
            except OSError:
                # Another run was faster.
                if not folder.is_dir():
                    raise
    return folder


def _downloaded(release: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", PACKAGE, "--dest", str(folder), f"{PACKAGE}=={release}"]
    subprocess.run(command, check=True)
    [archive] = folder.glob("*.tar.gz")
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks ``ldclient/testing`` alone: the rest of the SDK is the installed one."""
    with tarfile.open(archive) as files:
        for member in files.getmembers():
            member.name = member.name.partition("/")[2]
            if member.name.startswith("ldclient/testing/"):
                files.extract(member, folder, filter="data")
