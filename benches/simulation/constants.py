"""The numbers that decide what processes send, read out of the Rust sources: what is simulated is what is built.

A number that is not where it is looked for is an error, not a guess: then the rule has changed, and the simulation must follow.
"""

import re
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src"

_PLACES = {
    # How often, and after what pauses, a request is repeated.
    "ATTEMPTS": ("dynamo/retry.rs", r"const ATTEMPTS: u32 = (\d+);"),
    "THROTTLED_ATTEMPTS": ("dynamo/retry.rs", r"const THROTTLED_ATTEMPTS: u32 = (\d+);"),
    "FIRST_PAUSE": ("dynamo/retry.rs", r"const FIRST_PAUSE: Duration = Duration::from_millis\(([\d_]+)\);"),
    "LONGEST_PAUSE": ("dynamo/retry.rs", r"const LONGEST_PAUSE: Duration = Duration::from_millis\(([\d_]+)\);"),
    "MOST_DOUBLINGS": (
        "dynamo/retry.rs",
        r"FIRST_PAUSE\.saturating_mul\(1 << attempt\.min\((\d+)\)\)\.min\(LONGEST_PAUSE\)",
    ),
    # The writes of an init.
    "FIRST_WINDOW": ("dynamo/pace.rs", r"const FIRST_WINDOW: f64 = ([\d.]+);"),
    "ONE_DECREASE_PER": ("dynamo/pace.rs", r"const ONE_DECREASE_PER: Duration = Duration::from_millis\((\d+)\);"),
    "DECREASE": ("dynamo/pace.rs", r"window\.size = \(window\.size / ([\d.]+)\)\.max\(1\.0\);"),
    # The cache.
    "TTL_JITTER": ("store/read_through/cache/mod.rs", r"ttl\.mul_f64\(1\.0 - ([\d.]+) \* lock\(&self\.random\)\.f64\(\)\)"),
    "REFRESH_AT": ("store/read_through/cache/mod.rs", r"\.map\(\|ttl\| now\.after\(ttl\.mul_f64\(([\d.]+)\)\)\)"),
    "HOT_HITS": ("store/read_through/cache/entry.rs", r"const HOT_HITS: u32 = (\d+);"),
    "BETWEEN_TRIES": ("store/read_through/breaker.rs", r"const FIRST_PAUSE: Duration = Duration::from_millis\((\d+)\);"),
    "MOST_BETWEEN_TRIES": (
        "store/read_through/breaker.rs",
        r"const LONGEST_PAUSE: Duration = Duration::from_millis\(([\d_]+)\);",
    ),
    # Options that are not given.
    "TIMEOUT": ("model/options.rs", r"\n\s+timeout: Duration::from_millis\(([\d_]+)\),"),
    "INIT_TIMEOUT": ("model/options.rs", r"\n\s+init_timeout: Duration::from_millis\(([\d_]+)\),"),
    "WRITE_CONCURRENCY": ("model/options.rs", r"\n\s+write_concurrency: (\d+),"),
    "STALE": ("model/options.rs", r"\n\s+stale: Duration::from_millis\(([\d_]+)\),"),
}

# What the simulation does in the same way without a number: these words stand for it in the sources.
_RULES = {
    "a throttled write pauses inside the window": (
        "dynamo/retry.rs",
        r"sleep\(pause\(number\)\.min\(left / 2\)\)\.await;\s+//[^\n]*\n\s+drop\(turn\);",
    ),
    "full jitter": ("dynamo/retry.rs", r"longest\.mul_f64\(fastrand::f64\(\)\)"),
    "no pause takes more than half of what is left": ("dynamo/retry.rs", r"sleep\(pause\(number\)\.min\(left / 2\)\)"),
    "a throttled call has more attempts": ("dynamo/retry.rs", r"\(None, true\) => THROTTLED_ATTEMPTS,"),
    "a write of an init is tried until the deadline": ("dynamo/retry.rs", r"\(Some\(_\), _\) => u32::MAX,"),
    "one more in flight for each answer, then for each window": (
        "dynamo/pace.rs",
        r"1\.0 / window\.size \} else \{ 1\.0 \}",
    ),
    "pages of an init are read until the deadline": (
        "store/init.rs",
        r"self\.stored_rows\(&collection\.collection\.kind, effort\)",
    ),
    "one refresh of a value at a time": ("store/read_through/cache/entry.rs", r"if self\.refreshing\.swap\(true"),
    "a failed read is not tried again for a while, which grows": (
        "store/read_through/breaker.rs",
        r"pause\.saturating_mul\(2\)\.min\(LONGEST_PAUSE\).*pause\.mul_f64\(1\.0 - 0\.5 \* jitter\)",
    ),
    "one read of a row at a time": ("store/read_through/mod.rs", r"flights\.join\("),
    "unchanged rows are skipped": ("store/init.rs", r"content::unchanged\(.*\)\s*\{\s*return Step::Skip;"),
}


class Changed(Exception):
    """The sources no longer say what the simulation looks for."""


def _read():
    values = {}
    for name, (file, pattern) in _PLACES.items():
        found = re.findall(pattern, (SOURCES / file).read_text())
        if len(found) != 1:
            raise Changed(f"src/{file} has {len(found)} places like {pattern}: correct benches/simulation for {name}")
        number = float(found[0].replace("_", ""))
        # Times are in seconds here.
        values[name] = number / 1000 if "from_millis" in pattern else number
    for rule, (file, pattern) in _RULES.items():
        if not re.search(pattern, (SOURCES / file).read_text(), re.DOTALL):
            raise Changed(
                f"src/{file} no longer says that {rule}: correct benches/simulation, and the words looked for"
            )
    return values


globals().update(_read())


def listed():
    """Each constant with its value and its source."""
    return [(name, globals()[name], f"src/{file}") for name, (file, _) in _PLACES.items()]
