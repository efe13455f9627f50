"""Hits in the cache of the Python SDK, the one that wraps its own integration: sdk_cache_get.py FLAG"""

import json
import sys

from blocks import serve
from ldclient.feature_store import CacheConfig
from ldclient.feature_store_helpers import CachingStoreWrapper
from ldclient.versioned_data_kind import FEATURES

with open(sys.argv[1]) as file:
    flag = json.load(file)


class OneFlag:
    """What is under the cache, asked once."""

    def get_internal(self, kind, key):
        return flag


store = CachingStoreWrapper(OneFlag(), CacheConfig(expiration=1e9))


def calls(count):
    get = store.get
    for _ in range(count):
        get(FEATURES, "flag-000000")


serve(calls)
