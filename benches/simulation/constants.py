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
        r"FIRST_PAUSE\.saturating_mul\(1 << attempts\.min\((\d+)\)\)\.min\(LONGEST_PAUSE\)",
    ),
    # What a store may spend on that.
    "TOKENS": ("dynamo/budget.rs", r"const FULL: u32 = (\d+);"),
    "RETRY": ("dynamo/budget.rs", r"const RETRY: u32 = (\d+);"),
    "RETRY_AFTER_TIMEOUT": ("dynamo/budget.rs", r"const RETRY_AFTER_TIMEOUT: u32 = (\d+);"),
    "SUCCESS": ("dynamo/budget.rs", r"const SUCCESS: u32 = (\d+);"),
    # The writes of an init.
    "FIRST_WINDOW": ("dynamo/pace.rs", r"const FIRST_WINDOW: f64 = ([\d.]+);"),
    "ONE_DECREASE_PER": ("dynamo/pace.rs", r"const ONE_DECREASE_PER: Duration = Duration::from_millis\((\d+)\);"),
    "DECREASE": ("dynamo/pace.rs", r"self\.size = \(self\.size / ([\d.]+)\)\.max\(1\.0\);"),
    "SILENT_FOR_GOOD": ("dynamo/pace.rs", r"const OUTAGE: Duration = Duration::from_secs\((\d+)\);"),
    # The cache.
    "TTL_JITTER": (
        "store/read_through/cache/mod.rs",
        r"ttl\.mul_f64\(1\.0 - ([\d.]+) \* lock\(&self\.random\)\.f64\(\)\)",
    ),
    "REFRESH_AT": ("store/read_through/cache/mod.rs", r"\.map\(\|ttl\| now\.after\(ttl\.mul_f64\(([\d.]+)\)\)\)"),
    "HOT_HITS": ("store/read_through/cache/entry.rs", r"const HOT_HITS: u32 = (\d+);"),
    # The breaker.
    "BREAKER_FIRST": (
        "store/read_through/breaker.rs",
        r"const FIRST_PAUSE: Duration = Duration::from_millis\((\d+)\);",
    ),
    "BREAKER_LONGEST": (
        "store/read_through/breaker.rs",
        r"const LONGEST_PAUSE: Duration = Duration::from_millis\(([\d_]+)\);",
    ),
    "BREAKER_LEFT": (
        "store/read_through/breaker.rs",
        r"const LEFT_TO_OTHERS: Duration = Duration::from_millis\(([\d_]+)\);",
    ),
    # The cache of a host.
    "HOST_ASKS_AT": ("store/host_cache/mod.rs", r"const BEFORE_ASKING: f64 = ([\d.]+);"),
    "HOST_LOOKS": ("store/read_through/host.rs", r"const BETWEEN_LOOKS: Duration = Duration::from_millis\((\d+)\);"),
    # Options that are not given.
    "SOFT_WAIT": ("model/options.rs", r"\n\s+soft_wait: Duration::from_millis\(([\d_]+)\),"),
    "ATTEMPT_TIMEOUT": ("model/options.rs", r"\n\s+attempt_timeout: Duration::from_millis\(([\d_]+)\),"),
    "TIMEOUT": ("model/options.rs", r"\n\s+timeout: Duration::from_millis\(([\d_]+)\),"),
    "INIT_TIMEOUT": ("model/options.rs", r"\n\s+init_timeout: Duration::from_millis\(([\d_]+)\),"),
    "WRITE_CONCURRENCY": ("model/options.rs", r"\n\s+write_concurrency: (\d+),"),
    "STALE": ("model/options.rs", r"\n\s+stale: Duration::from_millis\(([\d_]+)\),"),
}

# What the simulation does in the same way without a number: these words stand for it in the sources.
_RULES = {
    "what pauses is in its window": (
        "dynamo/retry.rs",
        r"pause\(deadline, spent\.attempts\)\.await.*\n\s+drop\(turn\);",
    ),
    "full jitter": ("dynamo/retry.rs", r"longest\.mul_f64\(fastrand::f64\(\)\)"),
    "no pause takes more than half of what is left": (
        "dynamo/retry.rs",
        r"left < FIRST_PAUSE \{\s+return false;.*sleep\(jittered\(attempts\)\.min\(left / 2\)\)",
    ),
    "a throttled call has more attempts": (
        "dynamo/retry.rs",
        r"\(Patience::Read \| Patience::Write, Again::WhenThereIsRoom\) => THROTTLED_ATTEMPTS,\s+_ => ATTEMPTS,",
    ),
    "a request of an init is tried until the deadline, unless the table is silent": (
        "dynamo/retry.rs",
        r"\(Patience::Paced \{ outage: false \}, _\) => u32::MAX,",
    ),
    "a read without tokens is not tried again": (
        "dynamo/retry.rs",
        r"Step::Pause\(cost\) => match shared\.budget\.pay\(cost\)",
    ),
    "a request of an init costs no tokens": (
        "dynamo/retry.rs",
        r"if matches!\(self, Patience::Paced \{ \.\. \}\) \{ 0 \} else \{ cost \}",
    ),
    "a success brings back what its last retry cost": (
        "dynamo/budget.rs",
        r"tokens\.saturating_add\(paid\.max\(SUCCESS\)\)\.min\(FULL\)",
    ),
    "one more in flight for each answer, then for each window": (
        "dynamo/pace.rs",
        r"1\.0 / window\.size \} else \{ 1\.0 \}",
    ),
    "failures shrink the window too": (
        "dynamo/retry.rs",
        r"Again::Later \| Again::AtOnce => pace\.failed\(\)",
    ),
    "an init reads each kind, then whether it is marked": (
        "store/init.rs",
        r"self\.look\(given, effort\)\.await\?;.*self\.marker\(effort\)\.await\?",
    ),
    "an init looks again only if something is left over or was written that names others": (
        "model/plan.rs",
        r"looks_again: leaves_something,.*plan\.looks_again \|\| !order::named\(.*\)\.is_empty\(\)",
    ),
    "unchanged rows are not written": (
        "model/plan.rs",
        r"relation == Some\(Relation::Equal\) \{\s+return Step::Unchanged;",
    ),
    "one refresh of a value at a time": ("store/read_through/cache/entry.rs", r"if self\.refreshing\.swap\(true"),
    "no refresh while the breaker is open": (
        "store/read_through/verdict.rs",
        r"if due && circuit\(\) == Circuit::Closed \{ Verdict::Refresh \} else \{ Verdict::Fresh \}",
    ),
    "a value that may stand in is waited for softly, or not at all while the breaker is open": (
        "store/read_through/verdict.rs",
        r"Circuit::Closed => Verdict::WaitSoftly,\s+Circuit::ProbeDue => .*\s+Circuit::Open => Verdict::Stale,",
    ),
    "the breaker's pauses double and are jittered": (
        "store/read_through/breaker.rs",
        r"pause\.saturating_mul\(2\)\.min\(LONGEST_PAUSE\).*pause\.mul_f64\(1\.0 - 0\.5 \* jitter\)",
    ),
    "what failed leaves the probe to others": (
        "store/read_through/breaker.rs",
        r"\(Circuit::ProbeDue, Some\(_\)\) if !self\.state\.is_due_for\(LEFT_TO_OTHERS, now\) => Circuit::Open",
    ),
    "one process of a host asks": ("store/read_through/host.rs", r"Some\(Some\(claim\)\) => match look\(\)"),
    "one read of a row at a time": ("store/read_through/asking.rs", r"flights\.join\("),
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
