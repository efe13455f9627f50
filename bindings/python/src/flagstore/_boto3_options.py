"""Options of boto3's DynamoDB client, as the LaunchDarkly SDK passes them, turned into the store's own.

What cannot be turned is refused by name: an option that was silently left out would only be missed in production.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any, Callable

from .errors import OPTION_TYPE, OPTION_VALUE, UNKNOWN_OPTION, OptionError

# Default of the store's "timeout_ms", which would cut short a connection or request that was given longer.
_DEFAULT_TIMEOUT_MS = 5_000

_NO_COUNTERPART = "has no counterpart in flagstore: leave it out, or pass a store option in options"
_NO_CLIENT = "a client or session that exists already cannot be used, give the options of boto3.client that it was made with"
# Where other SDKs' integrations, and wrappers of this one, take a client.
_CLIENTS = frozenset({"client", "dynamodb_client", "existing_client", "resource", "session", "boto3_session"})

_SAME_MEANING = {
    "region_name": "region",
    "endpoint_url": "endpoint",
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}


def translated(dynamodb_opts: Mapping[str, Any]) -> dict[str, Any]:
    """The store's options that mean what ``dynamodb_opts`` means to ``boto3.client("dynamodb", **dynamodb_opts)``.

    :raises OptionError: one of them has no counterpart; the message names it and says what to do
    """
    if not isinstance(dynamodb_opts, Mapping):
        raise OptionError(
            OPTION_TYPE,
            _NAMES[OPTION_TYPE],
            f"dynamodb_opts takes a mapping, not {type(dynamodb_opts).__name__}: {_NO_CLIENT}",
        )
    given = {name: value for name, value in dynamodb_opts.items() if value is not None}
    # First, so that what stands beside it overrides it, as in boto3.
    options = _config(given.pop("config", None))
    for name, value in given.items():
        if name in _SAME_MEANING:
            options[_SAME_MEANING[name]] = value
        elif name in _CHECKED:
            options.update(_CHECKED[name](value, given))
        else:
            raise _refused(
                name, UNKNOWN_OPTION, f"cannot be used: {_NO_CLIENT}" if name in _CLIENTS else _NO_COUNTERPART
            )
    return options


def _use_ssl(use_ssl: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    # boto3 looks at use_ssl only where there is no endpoint_url, whose scheme decides.
    if not use_ssl and "endpoint_url" not in given:
        raise _refused(
            "use_ssl", OPTION_VALUE, "is false: give an endpoint_url that starts with http:// instead"
        )
    return {}


def _verify(verify: Any, _given: Mapping[str, Any]) -> dict[str, Any]:
    if verify is True:
        return {}
    if isinstance(verify, (str, PathLike)):
        return {"ca_bundle": fspath(verify)}
    raise _refused(
        "verify",
        OPTION_VALUE,
        "is false, and certificates are always checked: give the path of a CA bundle instead",
    )


def _api_version(version: Any, _given: Mapping[str, Any]) -> dict[str, Any]:
    if version == "2012-08-10":
        return {}
    raise _refused(
        "api_version", OPTION_VALUE, "is not 2012-08-10, the only version that DynamoDB has: leave it out"
    )


_CHECKED: Mapping[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {
    "use_ssl": _use_ssl,
    "verify": _verify,
    "api_version": _api_version,
}


def _config(config: Any) -> dict[str, Any]:
    """The settings of a ``botocore.config.Config`` that differ from its defaults."""
    if config is None:
        return {}
    if not hasattr(config, "OPTION_DEFAULTS"):
        raise _refused("config", OPTION_TYPE, f"takes a botocore.config.Config, not {type(config).__name__}")
    default = type(config)()
    settings = {name: getattr(config, name) for name in config.OPTION_DEFAULTS}
    options: dict[str, Any] = {}
    for name, value in settings.items():
        if value is None or value == getattr(default, name):
            continue
        if name not in _SETTINGS:
            raise _refused(
                f"config.{name}", UNKNOWN_OPTION, _INSTEAD.get(name, "has no counterpart: leave it out")
            )
        option, convert = _SETTINGS[name]
        options[option] = convert(name, value)
    longest = max(options.get("connect_timeout_ms", 0), options.get("attempt_timeout_ms", 0))
    if longest > _DEFAULT_TIMEOUT_MS:
        options["timeout_ms"] = longest
    return options


def _milliseconds(name: str, seconds: Any) -> int:
    if isinstance(seconds, (int, float)) and math.isfinite(seconds) and seconds > 0:
        return max(1, round(seconds * 1000))
    raise _refused(f"config.{name}", OPTION_VALUE, "is not a number of seconds above 0")


def _unchanged(_name: str, value: Any) -> Any:
    return value


_SETTINGS: Mapping[str, tuple[str, Callable[[str, Any], Any]]] = {
    "region_name": ("region", _unchanged),
    "connect_timeout": ("connect_timeout_ms", _milliseconds),
    "read_timeout": ("attempt_timeout_ms", _milliseconds),
    "use_fips_endpoint": ("use_fips", _unchanged),
    "use_dualstack_endpoint": ("use_dual_stack", _unchanged),
}

_INSTEAD = {
    "retries": 'is decided by time, not by number: leave it out, and set options={"timeout_ms": ...}',
    "max_pool_connections": 'bounds no requests there, only what is kept: leave it out, or set options={"max_connections": ...}',
    "proxies": "has no counterpart: proxies are not supported, leave it out",
}


_NAMES = {
    UNKNOWN_OPTION: "STORE_ERROR_UNKNOWN_OPTION",
    OPTION_TYPE: "STORE_ERROR_OPTION_TYPE",
    OPTION_VALUE: "STORE_ERROR_OPTION_VALUE",
}


def _refused(name: str, code: int, why: str) -> OptionError:
    # Never the value: it may be a credential.
    return OptionError(code, _NAMES[code], f'the dynamodb_opts option "{name}" {why}')
