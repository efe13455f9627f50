"""The store alone, and what gunicorn calls."""

import asyncio
import sys
import types


def blocking() -> None:
    # SHOWN(bindings/python/README.md, 5)

    with Store("my-table", prefix="production") as store:
        flag = store.get("features", "my-flag")
        assert (flag.version, flag.deleted) == (3, True)


async def awaited() -> None:
    from flagstore import AsyncStore

    # SHOWN(bindings/python/README.md, 6)
    assert flag.version == 3


def doctor() -> None:
    from flagstore import Store

    # SHOWN(bindings/python/README.md, 7)
    assert finding.level == "ok"


def gunicorn() -> None:
    told = []
    sys.modules["application"] = types.SimpleNamespace(client=types.SimpleNamespace(postfork=lambda: told.append(1)))
    # SHOWN(bindings/python/README.md, 9)
    post_fork(None, None)
    assert preload_app and told


blocking()
asyncio.run(awaited())
doctor()
gunicorn()
