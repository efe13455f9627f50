"""What a fork server loads before it forks: a module that opens a store and uses it at once."""

from __future__ import annotations

import json
import os
import signal

from children import CHILD_SECONDS, Setting, check

from flagstore import Store

VARIABLE = "FLAGSTORE_TEST_PRELOADED"


def text(setting: Setting) -> str:
    return json.dumps(setting.options)


def use(setting: Setting) -> None:
    """Run in a child of the server, which has the server's store."""
    assert store and opened_by != os.getpid(), "the fork server did not load this module"
    signal.alarm(CHILD_SECONDS)
    check(store)
    with setting.open() as own:
        check(own)
    store.close()


store: Store | None = None
opened_by = os.getpid()
if VARIABLE in os.environ:
    store = Setting(json.loads(os.environ[VARIABLE]), rounds=0, control="").open()
    check(store)
