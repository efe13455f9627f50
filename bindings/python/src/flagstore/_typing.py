"""Names for annotations that older Pythons lack: they are looked up where somebody asks ``typing.get_type_hints``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack
elif sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    Self = Any

    class Unpack:
        """``Unpack[Options]`` is ``Options``."""

        def __class_getitem__(cls, options: Any) -> Any:
            return options


class Logger(Protocol):
    """What is used of a ``logging.Logger``. Importing that module takes as long as all of this package."""

    def log(self, level: int, msg: object, *args: object) -> None:
        """As of ``logging.Logger``."""


__all__ = ["Logger", "Self", "Unpack"]
