"""The options of a store, for type checkers and readers. The library itself checks them and refuses what is wrong."""

from __future__ import annotations

from os import PathLike
from typing import TypedDict


class AdapterOptions(TypedDict, total=False):
    """Keyword arguments of :class:`flagstore.Store` besides ``table`` and ``prefix``, which the SDK's own integration has
    too. ``None`` means the default."""

    region: str | None
    """AWS region; by default from the environment, the profile or the instance."""
    endpoint: str | None
    """URL of the DynamoDB endpoint; by default AWS's for the region."""
    profile: str | None
    """Name of the profile in the AWS configuration files."""
    access_key_id: str | None
    """Static credentials, together with ``secret_access_key``; by default AWS's usual chain is asked."""
    secret_access_key: str | None
    """See ``access_key_id``."""
    session_token: str | None
    """For temporary credentials."""
    ca_bundle: str | PathLike[str] | None
    """PEM file with the certificate authorities to trust instead of the system's."""
    extra_ca_bundle: str | PathLike[str] | None
    """PEM file, or its text, of certificates to trust besides, such as those of a company's proxy."""
    proxy: str | None
    """URL of the proxy that DynamoDB and STS are reached through, ``"none"`` for none; by default as the environment says."""
    use_fips: bool | None
    """Use AWS's FIPS endpoints. Default false."""
    use_dual_stack: bool | None
    """Use AWS's dual-stack endpoints. Default false."""
    consistent_reads: bool | None
    """Whether reads see every write that was acknowledged before them. Default true; false halves their cost."""
    connect_timeout_ms: int | None
    """How long opening a connection may take. Default 1,000."""
    attempt_timeout_ms: int | None
    """How long one request may take, of perhaps several. Default 2,000."""
    timeout_ms: int | None
    """How long a call on one row may take, retries included. Default 5,000."""
    all_timeout_ms: int | None
    """How long reading a whole kind may take. Default 30,000."""
    init_timeout_ms: int | None
    """How long writing a whole data set may take. Default 300,000."""
    max_connections: int | None
    """Most requests in flight, and so most connections; further ones wait inside their deadline. Default 128."""
    write_concurrency: int | None
    """Most writes of an ``init`` in flight at once. Default 128."""
    init_overwrites_newer: bool | None
    """Whether ``init`` may replace a row by one with a smaller version. Default false."""
    cache_ttl_ms: int | None
    """How long a value is served without asking again; 0, the default, for no cache, negative for ever."""
    cache_max_bytes: int | None
    """Bound on the memory of cached rows and lists. Default 64 MiB."""
    cache_refresh_ahead: bool | None
    """Whether hot values are read again shortly before they expire. Default true."""
    cache_stale_ms: int | None
    """How long after expiry a value may stand in for a read that fails. Default 300,000."""
    soft_wait_ms: int | None
    """How long a read for which a value may stand in waits for DynamoDB; 0 for not at all. Default 250."""
    cache_dir: str | PathLike[str] | None
    """Absolute path of the directory of a cache that the processes of a host share (Unix); made with mode 0700. By
    default none."""
    cache_dir_max_bytes: int | None
    """Bound on its files for one table, prefix and identity. Default 256 MiB."""
    keep_told: bool | None
    """Whether what ``init`` and ``upsert`` were given stands in while DynamoDB cannot be asked, and is written again where
    it could not be written. Default false, in the SDK adapter true."""
    compress_large: bool | None
    """Whether an item over DynamoDB's 400 KB is stored deflated beside the form that others read. Default false."""
    shared: bool | None
    """Whether opening equal options again gives the same live store: connections, cache, events. Default true."""
    persistent: bool | None
    """Whether the live store stays when its last handle is closed. Default false."""
    log_level: str | None
    """The least severe events that are kept: off, error, warn, info (the default) or debug."""


class Options(AdapterOptions, total=False):
    """Keyword arguments of :class:`flagstore.Store` besides ``table``. ``None`` means the default."""

    prefix: str | None
    """Put before every namespace, with a colon; empty, the default, for none."""
