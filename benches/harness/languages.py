"""The bindings: for each language the programs that get through it, and what they are compared with, built if need be.

A function of this module gives the command of a client, to which a row adds ``flagstore URL CACHE_TTL_MS``; the words of the
floor, the least that a cached get can cost there; and whether the same client can ``aws URL -``, the AWS SDK of the
language. It raises ``Missing`` where the machine lacks something.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import php
from .tools import BENCHES, BUILD, Missing

CLIENTS = BENCHES / "clients"


@dataclass
class Language:
    command: list
    floor: list
    floor_is: str
    sdk: str = ""
    most: float = 1.5
    """How many times its floor a cached get may cost: more where an item is an object that the floor does not make, and that
    costs more to make than the copy."""
    new: bool = False
    """Whether the client can be told ``new``: to read other rows all the time, where items of the last ones are kept."""


def python(tools, size):
    if not next((tools.root / "bindings/python/src/flagstore").glob("_native.*.so"), None):
        raise Missing("needs the compiled module of the Python binding: bindings/python/compile")
    command = [tools.python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"]
    headers = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(headers, "Python.h").is_file():
        raise Missing(f"needs the headers of Python in {headers}: apt-get install python3-dev")
    module = _shared(tools, "python_floor", "python_floor.abi3.so", [f"-I{headers}"])
    client = [tools.python, CLIENTS / "get.py"]
    return Language(client, [module, str(size)], "emptiest call of a compiled module with copy", new=True)


def node(tools, size):
    binding = tools.root / "bindings/node"
    if not (binding / "dist").is_dir() or shutil.which("node") is None:
        raise Missing("needs the Node.js binding: make node")
    addon = _shared(tools, "node_floor", "node_floor.node", [f"-I{binding / 'node_modules/node-api-headers/include'}"])
    return Language(["node", CLIENTS / "get.cjs"], [addon, str(size)], "emptiest addon call with copy", most=4)


def go(tools, size):
    floor = [tools.library, str(size)]
    return Language([go_program(tools, "get")], floor, "emptiest purego call + copy", "AWS SDK for Go v2")


@cache
def go_program(tools, name):
    """A program of clients/go, compiled as users compile the binding: without cgo."""
    if shutil.which("go") is None:
        raise Missing("needs Go 1.25")
    program = tools.build / f"go_{name}"
    tools.progress(f"compiling the Go program {name}")
    environment = os.environ | {"CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", program, f"./{name}"], cwd=CLIENTS / "go", env=environment, check=True)
    return program


def java(tools, size):
    binding = tools.root / "bindings/java/target/classes"
    if shutil.which("javac") is None or shutil.which("mvn") is None:
        raise Missing("needs a JDK of Java 17 and Maven")
    if not (binding / "io/flagstore/FlagStore.class").is_file():
        raise Missing("needs the Java binding: make packages-java")
    jars, classes = _jars(tools), tools.build / "java"
    path = f"{classes}:{binding}:{jars}/*"
    tools.progress("compiling the Java client")
    subprocess.run(["javac", "-d", classes, "-cp", path, CLIENTS / "java/Get.java"], check=True)
    home = Path(shutil.which("javac")).resolve().parents[1] / "include"
    bridge = _shared(tools, "java_floor", "libjava_floor.so", [f"-I{home}", f"-I{home}/linux"])
    command = ["java", "-cp", path, "Get"]
    return Language(command, [bridge, str(size)], "emptiest JNI call with copy", "AWS SDK for Java v2")


def ruby_program():
    ruby = shutil.which("ruby")
    if ruby is None or subprocess.run([ruby, "-rffi", "-e", ""], capture_output=True, check=False).returncode != 0:
        raise Missing("needs Ruby with the ffi gem: apt-get install ruby-ffi")
    return ruby


def ruby(tools, size):
    command = [ruby_program(), CLIENTS / "get.rb"]
    return Language(command, [tools.library, str(size)], "emptiest ffi call + copy", most=4)


def php_extension(tools, size):
    command = [php.program(), "-n", *php.options(tools, "extension"), CLIENTS / "get.php"]
    return Language(command, ["extension", str(size)], "emptiest extension call + copy", most=4)


def php_ffi(tools, size):
    command = [php.program(), "-n", *php.options(tools, "FFI"), CLIENTS / "get.php"]
    return Language(command, ["FFI", str(size)], "emptiest FFI call + copy")


ALL = {
    "Python": python,
    "Node.js": node,
    "Go": go,
    "Java": java,
    "Ruby": ruby,
    "PHP extension": php_extension,
    "PHP FFI": php_ffi,
}


def _shared(tools, source, name, flags):
    """A program of c/ as a shared library that an interpreter loads."""
    tools.progress(f"compiling {source}")
    path = tools.build / name
    compiler = os.environ.get("CC", "cc")
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", *flags]
    subprocess.run([compiler, *flags, "-o", path, BENCHES / "c" / f"{source}.c"], check=True)
    return path


def _jars(tools):
    """The AWS SDK for Java and what it needs, as clients/java/pom.xml says."""
    pom, folder = CLIENTS / "java/pom.xml", BUILD / "bench-java"
    if not tools.is_made_from(pom, folder):
        tools.progress("fetching the AWS SDK for Java")
        shutil.rmtree(folder, ignore_errors=True)
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
        done = subprocess.run(["mvn", "-B", "-q", "-f", pom, *copy], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Missing(f"Maven could not fetch the AWS SDK for Java: {done.stdout.strip()[:200]}")
        tools.mark_as_made_from(pom, folder)
    return folder
