"""The compiled module, where this interpreter is one that it fits."""

from __future__ import annotations

import sys
from typing import Any


def _native() -> Any:
    # Without the interpreter's lock there is no stable ABI.
    if (
        sys.implementation.name == "cpython"
        and sys.version_info >= (3, 10)
        and "free-threading" not in sys.version
    ):
        try:
            from . import _native

            return _native
        except ImportError:
            pass
    return None


native = _native()
"""None on PyPy, CPython before 3.10 or without its lock, and where the package was installed without a compiler."""
