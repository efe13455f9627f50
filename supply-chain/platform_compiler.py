"""A C compiler for each platform, as `supply-chain/platforms cc TARGET ARGUMENT...`: for Rust's builders of C, and for bridges
that have the archive inside.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from platform_targets import TARGETS, TOOLS, MacOS, Target, compiler

# With one of these it compiles and does not link.
WITHOUT_LINKING = {"-c", "-E", "-S", "-M", "-MM", "-fsyntax-only", "--version", "-v", "-dumpmachine"}


def compiler_for_builders(target: Target, script: Path) -> Path:
    """As a file of its own, since some call it without the arguments that they were told."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    TOOLS.mkdir(parents=True, exist_ok=True)
    file = TOOLS / f"{target.triple}-cc"
    file.write_text(f'#!/bin/sh\nexec {shlex.quote(str(script.resolve()))} cc {target.triple} "$@"\n')
    file.chmod(0o755)
    return file


def compile_for(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in TARGETS:
        sys.exit(f"usage: supply-chain/platforms cc {'|'.join(TARGETS)} ARGUMENT...")
    target, words = TARGETS[arguments[0]], []
    given = iter(arguments[1:])
    for argument in given:
        # What Rust's builders say of a target in words that zig does not know, and that it knows already.
        if argument in ("-arch", "-isysroot"):
            next(given, None)
        elif not re.match(r"--target=|-mmacosx-version-min=", argument):
            words.append(argument)
    # Without a file it is a question about the compiler, which builders draw conclusions from.
    links = any(word.endswith((".c", ".o", ".a")) for word in words) and not WITHOUT_LINKING & set(words)
    if isinstance(target, MacOS) and links:
        return linked_for_macos(target, words)
    command = [*compiler(target), *words]
    os.execvp(command[0], command)


def linked_for_macos(target: MacOS, words: list[str]) -> int:
    """A shared library out of sources, objects and archives. Zig's linker of Mach-O exports whatever there is; the one that links
    the library itself can be told."""
    sources, compiling, linking, file = [], [], [], "a.out"
    given = iter(words)
    for word in given:
        if word == "-o":
            file = next(given)
        elif word == "-framework":
            linking += [word, next(given)]
        elif word.startswith("-Wl,"):
            linking += word.split(",")[1:]
        elif word.endswith((".a", ".o")) or word.startswith(("-F", "-L", "-l")):
            linking.append(word)
        elif word.endswith(".c"):
            sources.append(word)
        elif word not in ("-dynamiclib", "-shared"):
            compiling.append(word)
    with tempfile.TemporaryDirectory() as folder:
        objects = [f"{folder}/{place}.o" for place in range(len(sources))]
        commands = [
            [*compiler(target), *compiling, "-c", "-o", compiled, source]
            for source, compiled in zip(sources, objects, strict=True)
        ]
        commands.append([*target.linker(Path(file), f"@rpath/{Path(file).name}"), *objects, *linking])
        return next((status for command in commands if (status := subprocess.call(command))), 0)
