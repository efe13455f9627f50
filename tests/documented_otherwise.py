"""Commands of documents that tests/documented does not run as they stand: what it runs instead, or why it runs nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Otherwise:
    """What is run instead, made of the command, and what it prints; "text" is what the document's block of ```text says."""

    runs: Callable[[str], str]
    prints: str = ""


def instead(command: str, prints: str = "") -> Otherwise:
    return Otherwise(lambda _: command, prints)


def in_tree(name: str = "", prints: str = "") -> Otherwise:
    """In the project's folder, and with a name for what the reader names."""
    return Otherwise(lambda words: f'cd "$ROOT" && {re.sub(r"NAME|what it says", name, words)}', prints)


REGISTRY = "it asks a registry, where nothing is published before the first release"
ITS_TESTS = "it is what make test runs of this language"
COMPILES = "compiles for minutes what make test has run with other settings"

# By file and by how the command begins, the first that fits.
OTHERWISE: dict[str, list[tuple[str, Otherwise | str]]] = {
    "README.md": [
        ("make demo", instead('READ_FLAGS="$ROOT/build/examples/read_flags" "$ROOT/examples/demo"', "text")),
        ("make test", "this is part of it"),
        ("make install", "make stage has done it, and tests/c/installed looks at what came of it"),
        ("cc my_program.c", Otherwise(lambda words: f"{words} && ./a.out", "no such flag")),
        (
            "aws dynamodb create-table",
            Otherwise(
                lambda words: f"{words.replace(' flags ', ' new ')} && flagstore doctor --table new || true",
                '…\nok       table         "new" has the keys that it should have…\n…',
            ),
        ),
    ],
    "SECURITY.md": [
        ("make advisories", "fetches RustSec's database from GitHub"),
        ("make reproducible", "as long as a release build"),
        ("gh attestation", "asks the forge, where nothing is published yet"),
    ],
    "CONTRIBUTING.md": [
        ("cargo", COMPILES),
        ("build/c/shared", in_tree()),
        ("cd bindings/python", in_tree("test_header")),
        ("cd bindings/ruby", in_tree("has been understood")),
        ("bindings/php", in_tree("DoctorTest")),
        ("cd bindings/node", in_tree("header")),
        ("cd bindings/go", in_tree("TestNumbers")),
        ("cd bindings/java", COMPILES),
        ("bindings/dotnet", COMPILES),
    ],
    "RELEASING.md": [
        (
            "git grep",
            Otherwise(lambda words: f'cd "$ROOT"; OLD=0.1.0; {words.replace("-n", "-l")}', "…\nCargo.toml\n…"),
        ),
    ],
    "examples/c/README.md": [
        (
            "cc -o read_flags read_flags.c $(pkg-config --cflags flagstore)",
            Otherwise(lambda words: f'PKG_CONFIG_PATH="$ROOT/build/stage/static/lib/pkgconfig"; {words}'),
        ),
        ("../../target/release/flagstore-local", "a local DynamoDB runs already"),
    ],
    "fuzz/README.md": [("fuzz/run", "fuzzes for as long as it says, with a nightly toolchain")],
    "bindings/README.md": [],
    "bindings/dotnet/README.md": [
        ("dotnet add package", REGISTRY),
        ("bindings/dotnet/tests/run", ITS_TESTS),
        ("bindings/dotnet/tests/net8/compile", ITS_TESTS),
        ("bindings/dotnet/package", "make packages-dotnet is it"),
        ("make test-dotnet-sdk", "the SDK's checkouts are the reader's"),
    ],
    "bindings/go/README.md": [
        ("go get", REGISTRY),
        ("bindings/go/package", "make packages-go is it"),
        ("GOPROXY", REGISTRY),
        ("cd bindings/go", in_tree()),
        ("go test -run", "measures for a minute"),
        ("go test", ITS_TESTS),
    ],
    "bindings/java/README.md": [
        ("cd bindings/java", in_tree()),
        ("mvn", ITS_TESTS),
        ("./package", "make packages-java is it"),
    ],
    "bindings/node/README.md": [
        ("npm install", REGISTRY),
        ("npm ci", "make node is it"),
        ("./build", "make node is it"),
        ("./package", "make packages-node is it"),
        ("npm test", ITS_TESTS),
        ("npm run lint", "make lint is it"),
        ("esbuild", "bindings/node/test/packaging.test.ts bundles with it"),
        ("cd bindings/node", in_tree()),
    ],
    "bindings/php/README.md": [
        ("composer", REGISTRY),
        ("pie install", REGISTRY),
        ("tar -xzf", "bindings/php/tests/PackageTest.php unpacks and builds what make packages-php makes"),
        ("phpize", "bindings/php/tests/PackageTest.php does it"),
        ("./configure", "bindings/php/tests/PackageTest.php does it"),
        ("make && make install", "bindings/php/tests/PackageTest.php does it"),
        (
            "vendor/bin/flagstore-ffi-header",
            instead('"$ROOT/bindings/php/bin/flagstore-ffi-header" > flagstore.h && test -s flagstore.h'),
        ),
        ("make test-php-sdk", "the SDK's folder is the reader's"),
        ("make test-php", ITS_TESTS),
        ("FLAGSTORE_LONG", "takes minutes"),
    ],
    "bindings/python/README.md": [
        ("python3 -m venv", "what follows asks a registry"),
        ("env/bin/pip", REGISTRY),
        ("pip install", "make venv is it"),
        ("pytest", ITS_TESTS),
    ],
    "bindings/ruby/README.md": [
        ("cd bindings/ruby", in_tree()),
        ("rspec", ITS_TESTS),
        ("rubocop", "make lint is it"),
        ("FLAGSTORE_SDK", "the SDK's checkout is the reader's"),
    ],
}


def otherwise(file: str, command: str) -> Otherwise | str:
    """What to run instead, why nothing, or "" for the command itself."""
    for beginning, known in OTHERWISE.get(file, []):
        if command.startswith(beginning):
            return known
    return ""
