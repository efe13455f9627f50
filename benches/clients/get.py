"""Gets through the Python binding, and the least that a cached one can cost: the emptiest function of a compiled module that takes
the same arguments and gives a copy of the payload.

    get.py flagstore URL CACHE_TTL_MS
    get.py new URL CACHE_TTL_MS           each time another of a thousand rows
    get.py floor MODULE BYTES
"""

import importlib.util
import itertools
import sys

from blocks import serve


def flagstore(url, ttl):
    return reads(opened(url, ttl).get)


def new(url, ttl):
    """More rows than a store keeps items of, so that each get makes one."""
    get, keys = opened(url, ttl).get, [f"flag-{number:06}" for number in range(1000)]
    for key in keys:
        get("features", key)

    turn = itertools.cycle(keys)

    def calls(count):
        for key in itertools.islice(turn, count):
            get("features", key).item  # noqa: B018

    return calls


def floor(path, bytes_):
    spec = importlib.util.spec_from_file_location("python_floor", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.prepare(int(bytes_))
    get = module.get

    def calls(count):
        for _ in range(count):
            get("features", "flag-000000")

    return calls


def opened(url, ttl):
    from flagstore import Store

    options = {"endpoint": url, "region": "us-east-1", "access_key_id": "bench", "secret_access_key": "bench"}
    return Store("flags", cache_ttl_ms=int(ttl), **options)


def reads(get):
    """Of a payload as well: what would be made of it only now is part of what it costs."""

    def calls(count):
        for _ in range(count):
            get("features", "flag-000000").item  # noqa: B018

    return calls


what, first, second = sys.argv[1:]
serve({"flagstore": flagstore, "new": new, "floor": floor}[what](first, second))
