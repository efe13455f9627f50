"""How each language's programs are started: its interpreter, its SDK, and what has to be in its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINDINGS = ROOT / "bindings"


class Missing(Exception):
    """Why a language cannot run here."""


@dataclass
class Command:
    """What it is to do is its last argument."""

    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    # Without threads there is a process for each of them.
    has_threads: bool = True


def python(program: str = "python.py") -> Command:
    interpreter = Path(os.environ.get("FLAGSTORE_PYTHON", ROOT / "build" / "venv" / "bin" / "python"))
    if not interpreter.exists():
        raise Missing("the Python environment is made by `make venv`")
    return Command([str(interpreter), str(HERE / program)], {"PYTHONPATH": str(BINDINGS / "python" / "src")})


def node(program: str = "node.cjs") -> Command:
    binding = BINDINGS / "node"
    if not (binding / "dist").exists():
        raise Missing("the Node.js package is built by `make node`")
    return Command(["node", str(HERE / program)])


def java(program: str = "Load") -> Command:
    """With the classes that the binding's tests built, and the SDK that they have."""
    binding = BINDINGS / "java"
    missing = [program for program in ("java", "javac", "mvn") if shutil.which(program) is None]
    if missing:
        raise Missing(f"{' and '.join(missing)} cannot be found")
    folder = ROOT / "build" / "away"
    folder.mkdir(parents=True, exist_ok=True)
    jars = folder / "classpath"
    maven = ["mvn", "-B", "-q", "test-compile", "dependency:build-classpath", "-DincludeScope=test"]
    quiet = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    made = subprocess.run([*maven, f"-Dmdep.outputFile={jars}"], cwd=binding, check=False, **quiet)
    if made.returncode != 0:
        raise Missing(f"Maven does not build the binding: {made.stdout[-500:]}")
    classpath = f"{binding / 'target' / 'classes'}:{jars.read_text().strip()}"
    subprocess.run(["javac", "-cp", classpath, "-d", str(folder), str(HERE / f"{program}.java")], check=True)
    return Command(["java", "-cp", f"{folder}:{classpath}", program])


def php() -> Command:
    if shutil.which("php") is None:
        raise Missing("php cannot be found")
    return Command(["php", "-n", "-d", "extension=ffi", "-d", "ffi.enable=1", str(HERE / "php.php")], has_threads=False)


LANGUAGES = {"python": python, "php": php, "node": node, "java": java}
# Those whose SDK can be had, with the program that evaluates everything once.
NEWBORN = {
    "python": lambda: python("evaluations.py"),
    "node": lambda: node("evaluations.cjs"),
    "java": lambda: java("Evaluations"),
}
