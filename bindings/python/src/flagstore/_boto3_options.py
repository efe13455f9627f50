"""Options of boto3's DynamoDB client, as the LaunchDarkly SDK passes them, turned into the store's own.

What cannot be turned is refused by name: an option that was silently left out would only be missed in production.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any, Callable

from .errors import OPTION_TYPE, OPTION_VALUE, UNKNOWN_OPTION, OptionError
from .options import Options

# Defaults of the store's "timeout_ms", which would cut short a connection or request that was given longer, and of
# "attempt_timeout_ms".
_DEFAULT_TIMEOUT_MS = 5_000
_DEFAULT_ATTEMPT_TIMEOUT_MS = 2_000

_NO_COUNTERPART = "has no counterpart in flagstore: leave it out"
_NO_CLIENT = "a client or session that exists already cannot be used, give the options of boto3.client that it was made with"
# Where other SDKs' integrations, and wrappers of this one, take a client.
_CLIENTS = frozenset({"client", "dynamodb_client", "existing_client", "resource", "session", "boto3_session"})

# What changes nothing in the rows that are read and written.
_WITHOUT_EFFECT = frozenset({"aws_account_id"})

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
        elif name not in _WITHOUT_EFFECT:
            raise _refused(name, UNKNOWN_OPTION, _instead_of(name))
    _proxy(options)
    return options


def _proxy(options: dict[str, Any]) -> None:
    """The one of botocore's proxies that it would take: each is for the endpoints of a scheme."""
    proxies = options.pop(_PROXIES, None)
    if proxies is None:
        return
    if not isinstance(proxies, Mapping):
        raise _refused("config.proxies", OPTION_TYPE, f"takes a dict, not {type(proxies).__name__}")
    scheme = "http" if str(options.get("endpoint", "")).startswith("http:") else "https"
    proxy = proxies.get(scheme)
    if proxy is None:
        # Without one of its own, botocore goes there directly.
        options["proxy"] = "none"
    else:
        options["proxy"] = proxy if "//" in str(proxy) else f"http://{proxy}"


def without_userinfo(endpoint: Any) -> str:
    """An endpoint as it may be said: a user and password in it are not."""
    scheme, slashes, place = str(endpoint).partition("//")
    return scheme + slashes + place.rpartition("@")[2] if slashes else str(endpoint).rpartition("@")[2]


def _instead_of(name: str) -> str:
    if name in _CLIENTS:
        return f"cannot be used: {_NO_CLIENT}"
    for theirs, ours in _SAME_MEANING.items():
        if name == ours:
            return f"is not one of boto3's, which calls it {theirs}"
    if name in Options.__annotations__:
        return f"is none of boto3's but the store's: give it as options={{{name!r}: ...}}"
    return _NO_COUNTERPART


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
        if value is None or value == getattr(default, name) or name in _SETTINGS_WITHOUT_EFFECT:
            continue
        if name not in _SETTINGS:
            raise _refused(
                f"config.{name}", UNKNOWN_OPTION, _INSTEAD.get(name, "has no counterpart: leave it out")
            )
        option, convert = _SETTINGS[name]
        options[option] = convert(name, value)
    _as_time(options)
    return options


def _as_time(options: dict[str, Any]) -> None:
    """How often to try, which boto3 counts, as the time for all of it, which is what bounds a call here."""
    attempts = options.pop(_ATTEMPTS, None)
    longest = max(options.get("connect_timeout_ms", 0), options.get("attempt_timeout_ms", 0))
    if attempts is not None:
        options["timeout_ms"] = max(
            longest, attempts * options.get("attempt_timeout_ms", _DEFAULT_ATTEMPT_TIMEOUT_MS)
        )
    elif longest > _DEFAULT_TIMEOUT_MS:
        options["timeout_ms"] = longest


def _milliseconds(name: str, seconds: Any) -> int:
    if isinstance(seconds, (int, float)) and math.isfinite(seconds) and seconds > 0:
        return max(1, round(seconds * 1000))
    raise _refused(f"config.{name}", OPTION_VALUE, "is not a number of seconds above 0")


def _attempts(name: str, retries: Any) -> int | None:
    """How often a request is made at most; the mode of retrying is the store's own."""
    if not isinstance(retries, Mapping):
        raise _refused(f"config.{name}", OPTION_TYPE, f"takes a dict, not {type(retries).__name__}")
    total, again = retries.get("total_max_attempts"), retries.get("max_attempts")
    if total is None and again is None:
        return None
    attempts = total if total is not None else again + 1 if isinstance(again, int) else again
    if isinstance(attempts, int) and attempts > 0:
        return attempts
    raise _refused(f"config.{name}", OPTION_VALUE, "has a number of attempts that is no whole number above 0")


def _connections(name: str, number: Any) -> int:
    if isinstance(number, int) and number > 0:
        return number
    raise _refused(f"config.{name}", OPTION_VALUE, "is no whole number above 0")


def _unchanged(_name: str, value: Any) -> Any:
    return value


# No option of the store: see _as_time.
_ATTEMPTS = "attempts"
# Neither: see _proxy.
_PROXIES = "proxies"
_SETTINGS: Mapping[str, tuple[str, Callable[[str, Any], Any]]] = {
    "region_name": ("region", _unchanged),
    "connect_timeout": ("connect_timeout_ms", _milliseconds),
    "read_timeout": ("attempt_timeout_ms", _milliseconds),
    "retries": (_ATTEMPTS, _attempts),
    "proxies": (_PROXIES, _unchanged),
    "max_pool_connections": ("max_connections", _connections),
    "use_fips_endpoint": ("use_fips", _unchanged),
    "use_dualstack_endpoint": ("use_dual_stack", _unchanged),
}

# What changes nothing in the rows that are read and written, and in how long that takes.
_SETTINGS_WITHOUT_EFFECT = frozenset(
    {
        "account_id_endpoint_mode",
        "disable_request_compression",
        "inject_host_prefix",
        "parameter_validation",
        "request_checksum_calculation",
        "request_min_compression_size_bytes",
        "response_checksum_validation",
        "s3",
        "tcp_keepalive",
        "user_agent",
        "user_agent_appid",
        "user_agent_extra",
    }
)

_INSTEAD = {
    "proxies_config": "has no counterpart: leave it out, and trust the proxy's authorities by a ca_bundle",
    "client_cert": "has no counterpart: DynamoDB asks for no certificate, leave it out",
}


_NAMES = {
    UNKNOWN_OPTION: "STORE_ERROR_UNKNOWN_OPTION",
    OPTION_TYPE: "STORE_ERROR_OPTION_TYPE",
    OPTION_VALUE: "STORE_ERROR_OPTION_VALUE",
}


def _refused(name: str, code: int, why: str) -> OptionError:
    # Never the value: it may be a credential.
    return OptionError(code, _NAMES[code], f'the dynamodb_opts option "{name}" {why}')
