"""Gets through the Python binding; the options decide whether they come out of the cache: flagstore_get.py OPTIONS"""

import json
import sys

from blocks import serve
from flagstore import Store

store = Store(**json.loads(sys.argv[1]))
assert store.get("features", "flag-000000").item


def calls(count):
    get = store.get
    for _ in range(count):
        get("features", "flag-000000")


serve(calls)
