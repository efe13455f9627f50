"""The SDK's settings with a store of this library in them."""

from ldclient.async_config import AsyncConfig
from ldclient.config import Config
from ldclient.feature_store import CacheConfig


def one_line() -> None:
    # SHOWN(README.md, 1)
    assert not store.initialized


def its_own_readme() -> None:
    # SHOWN(bindings/python/README.md, 1)
    assert not config.feature_store.initialized


def with_big_segments() -> None:
    # SHOWN(bindings/python/README.md, 2)
    assert not store.initialized
    assert config.big_segments.store is segments


def options() -> None:
    from flagstore.launchdarkly import DynamoDB

    # SHOWN(bindings/python/README.md, 3)


def asynchronous() -> None:
    from flagstore.launchdarkly import DynamoDB

    # SHOWN(bindings/python/README.md, 4)
    assert config.feature_store


def host_cache() -> None:
    from flagstore.launchdarkly import DynamoDB

    # SHOWN(bindings/python/README.md, 8)
    assert not store.initialized


one_line()
its_own_readme()
with_big_segments()
options()
asynchronous()
host_cache()
