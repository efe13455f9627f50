"""The wheel: what is in it, what it is tagged for, and that it works from where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from endpoint import REPOSITORY, Endpoint

from flagstore._library import load

PROJECT = REPOSITORY / "bindings/python"


def build(folder: Path, **variables: str) -> Path:
    """Builds a wheel from a copy, so that nothing is left in the project."""
    ignored = shutil.ignore_patterns("build", "*.egg-info", "tests", "__pycache__", ".*")
    copied = shutil.copytree(PROJECT, folder / "project", ignore=ignored)
    environment = {name: value for name, value in os.environ.items() if name != "FLAGSTORE_LIBRARY"}
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder / "wheels"), str(copied)]
    ran = subprocess.run(
        command, env={**environment, **variables}, capture_output=True, text=True, timeout=300, check=False
    )
    if ran.returncode:
        raise RuntimeError(ran.stdout + ran.stderr)
    [wheel] = (folder / "wheels").iterdir()
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = os.path.abspath(load().path)
    return build(tmp_path_factory.mktemp("with-library"), FLAGSTORE_LIBRARY=library)


def test_a_wheel_with_the_library_is_for_any_python_on_this_platform(wheel: Path) -> None:
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name == f"flagstore-0.1.0-py3-none-{platform}.whl"


def test_the_wheel_holds_the_package_its_types_and_the_library(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = {name for name in files.namelist() if name.startswith("flagstore/")}
        assert names == {
            "flagstore/__init__.py",
            "flagstore/_boto3_options.py",
            "flagstore/_lib/libflagstore.so",
            "flagstore/_library.py",
            "flagstore/errors.py",
            "flagstore/launchdarkly.py",
            "flagstore/options.py",
            "flagstore/py.typed",
            "flagstore/store.py",
        }
        assert files.getinfo("flagstore/_lib/libflagstore.so").file_size == os.path.getsize(load().path)


def test_the_installed_wheel_uses_its_own_library(wheel: Path, tmp_path: Path, endpoint: Endpoint) -> None:
    with zipfile.ZipFile(wheel) as files:
        files.extractall(tmp_path)
    code = f"""
import flagstore
with flagstore.Store("flags", **{endpoint.options!r}) as store:
    assert store.available()
print(flagstore._library.load().path)
"""
    environment = {name: value for name, value in os.environ.items() if name != "FLAGSTORE_LIBRARY"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.strip() == str(tmp_path / "flagstore/_lib/libflagstore.so"), ran.stderr


def test_a_wheel_without_the_library_is_for_every_platform(tmp_path: Path) -> None:
    wheel = build(tmp_path)
    assert wheel.name == "flagstore-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as files:
        assert not any(name.endswith(".so") for name in files.namelist())


def test_a_library_that_is_not_there_fails_the_build(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="there is no such file"):
        build(tmp_path, FLAGSTORE_LIBRARY=str(tmp_path / "libflagstore.so"))
