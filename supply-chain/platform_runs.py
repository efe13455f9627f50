"""What is run of a platform that is built: the C tests of the library, and the tests of bindings."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

from platform_bindings import BINDINGS
from platform_places import PLACES, Place, ended, endpoint
from platform_targets import BUILT, ROOT, Target

TESTS = ROOT / "build" / "platform-tests"
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
# The longest that one program of tests may take, natively.
PATIENCE_SECONDS = 600

# It knows how each test runner closes; it is a program, so Python asks for its name.
_suite = SourceFileLoader("tests_run", str(ROOT / "tests/run"))
_spec = importlib.util.spec_from_loader(_suite.name, _suite)
tests_run = sys.modules[_suite.name] = importlib.util.module_from_spec(_spec)
_suite.exec_module(tests_run)
Outcome = tests_run.Counts


def runs(target: Target, outcome: Outcome, shortly: bool) -> dict[str, str]:
    """Runs what can run of a target; returns its cells of the table."""
    cells: dict[str, str] = {}
    if not (BUILT / target.triple / target.file).exists():
        print(f"skipped {target.triple}: it is not built")
        outcome.skipped += 1
        return cells
    if target.triple not in PLACES:
        reason = "nothing here runs it"
        print(f"skipped {target.triple}: {reason}")
        outcome.skipped += 1
        return {"C tests": reason, "fork": reason}
    for place in PLACES[target.triple]:
        reason = "in the long form, by make platforms" if shortly and place.emulator else place.reason_not_to_run()
        if reason:
            print(f"skipped {target.triple} on {place}: {reason}")
            outcome.skipped += 1
            add_cell(cells, "C tests", f"skipped: {reason}")
            continue
        ran = c_tests(target, place)
        for counts in ran.values():
            outcome.add(counts)
        forks = ran.pop("fork", None)
        everything = Outcome()
        for counts in ran.values():
            everything.add(counts)
        add_cell(cells, "C tests", f"{place}: {briefly(everything)}")
        add_cell(cells, "fork", f"{place}: {briefly(forks)}" if forks else "there is none")
        add_cell(cells, "smoke", f"{place}: {smoke(target, place, outcome)}")
    cells["bindings"] = bindings_tests(target, outcome, shortly)
    return cells


def add_cell(cells: dict[str, str], column: str, text: str) -> None:
    cells[column] = f"{cells[column]}; {text}" if column in cells else text


def c_tests(target: Target, place: Place) -> dict[str, Outcome]:
    folder = emptied(TESTS / target.triple / re.sub(r"[^\w.]+", "-", place.name))
    place.prepare(folder, BUILT / target.triple / target.file)
    cells = folder / "matrix_cells.c"
    declarations = [ROOT / "include/flagstore_cdef.h", ROOT / "include/flagstore.h"]
    made = subprocess.run([ROOT / "tests/c/misuse_matrix", *declarations], check=True, stdout=subprocess.PIPE)
    cells.write_bytes(made.stdout)
    outcomes = {}
    for name in place.programs:
        print(f"== {target.triple} on {place}: {name}", flush=True)
        sources = [ROOT / "tests/c" / f"{file}.c" for file in (name, *place.harness)]
        sources += [cells] if name == "matrix" else []
        options = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Itests/c", "-Iinclude", f'-DPACKAGE_VERSION="{VERSION}"']
        subprocess.run(place.compiled(target, folder / name, sources, options), cwd=ROOT, check=True)
        how = ["--together"] if name in place.together else []
        with place.environment() as environment:
            outcomes[name] = counted(name, place.command(folder / name, *how), environment, place.slower)
    return outcomes


def smoke(target: Target, place: Place, outcome: Outcome) -> str:
    """A program without a harness, compiled and linked as a user's; returns its cell."""
    print(f"== {target.triple} on {place}: smoke", flush=True)
    folder = emptied(TESTS / target.triple / "smoke")
    place.prepare(folder, BUILT / target.triple / target.file)
    options = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Iinclude"]
    program = place.compiled(target, folder / "smoke", [ROOT / "tests/c/smoke.c"], options)
    subprocess.run(program, cwd=ROOT, check=True)
    with place.environment() as environment, endpoint() as url:
        command = place.command(folder / "smoke", url, f"smoke-{target.triple}")
        status, said = ended(command, environment, PATIENCE_SECONDS * place.slower)
    print(f"  {said.strip()}")
    outcome.add(Outcome(passed=int(status == 0), failed=int(status != 0)))
    if status != 0:
        print(f"FAILED smoke on {place}: it {'did not end' if status is None else f'ended with {status}'}")
        return "FAILED"
    return said.strip()


def briefly(counts: Outcome) -> str:
    """For a cell: what there is none of is left out."""
    named = {"passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped}
    return ", ".join(f"{number} {what}" for what, number in named.items() if number) or "nothing ran"


def bindings_tests(target: Target, outcome: Outcome, shortly: bool) -> str:
    """Runs the tests of bindings on the platform; returns their cell of the table."""
    ran = []
    for binding in BINDINGS.get(target.triple, []):
        place = PLACES[target.triple][-1]
        reason = "in the long form, by make platforms" if shortly else place.reason_not_to_run()
        if reason := reason or binding.reason_not_to_run(place):
            print(f"skipped {binding.language} on {place}: {reason}")
            outcome.skipped += 1
            ran.append(f"{binding.language}: skipped: {reason}")
            continue
        print(f"== {target.triple} on {place}: {binding.language}", flush=True)
        folder = emptied(TESTS / target.triple / binding.language)
        try:
            suite = binding.prepared(target, place, folder)
        except subprocess.CalledProcessError as error:
            print(f"FAILED {binding.language} on {place}: {error.cmd[0]} ended with status {error.returncode}")
            counts = Outcome(failed=1)
        else:
            library = str(BUILT / target.triple / target.file)
            with place.environment() as environment:
                environment = {**environment, "FLAGSTORE_LIBRARY": library, **suite.variables}
                counts = counted(binding.language, suite.command, environment, place.slower, suite.folder)
        outcome.add(counts)
        ran.append(f"{binding.language} on {place}: {briefly(counts)}")
    return "; ".join(ran) or "-"


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def counted(
    name: str, command: list[str], environment: dict[str, str], slower: int = 1, folder: Path = ROOT
) -> Outcome:
    """Runs tests, shows what they say, and returns the sum of their closing lines."""
    outcome, patience = Outcome(), PATIENCE_SECONDS * slower
    status, text = ended(command, environment, patience, folder)
    if status is None:
        print(f"FAILED {name}: it did not end within {patience} s")
        outcome.failed += 1
    for line in text.splitlines():
        outcome.add(tests_run.counts_in(line))
        # Indented, so that whoever adds up closing lines counts nothing twice.
        print(f"  {line}")
    if not outcome.failed and (status or not outcome.passed):
        print(f"FAILED {name}: it ended with status {status} and {outcome}")
        outcome.failed += 1
    sys.stdout.flush()
    return outcome
