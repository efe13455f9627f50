"""The rows of the table, one file for each measurement. A file has

* ``ROWS``: the rows it measures, each with what it is about;
* ``measure(bench)``: a generator of ``Line``s, each with its ``row``.
"""

from importlib import import_module

_NAMES = (
    "s01_cached_get",
    "s02_threads",
    "s03_uncached_get",
    "s04_cpu",
    "s05_cold_start",
    "s06_size",
    "s07_memory",
    "s08_init",
    "s09_s10_s12_costs",
    "s11_all",
    "s13_php",
    "s14_node",
    "host",
    "away",
    "bindings",
    "scale",
)

FILES = [import_module(f"rows.{name}") for name in _NAMES]
