"""Which process is at the other end of a connection on this machine. Linux only."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path


def at_other_end(writer: asyncio.StreamWriter) -> int:
    """Its pid; a LookupError if there is not exactly one."""
    ours = writer.get_extra_info("sockname")[1]
    theirs = writer.get_extra_info("peername")[1]
    link = f"socket:[{inode(theirs, ours)}]"
    owners = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit() and holds(folder, link)]
    if len(owners) != 1:
        raise LookupError(f"{len(owners)} processes hold the client's side of the connection: give the pid")
    return owners[0]


def inode(local_port: int, remote_port: int) -> str:
    wanted = [f":{local_port:04X}", f":{remote_port:04X}"]
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if [words[1][-5:], words[2][-5:]] == wanted:
            return words[9]
    raise LookupError(f"no connection from port {local_port} to port {remote_port}")


def holds(process: Path, link: str) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in os.scandir(process / "fd"):
            with contextlib.suppress(OSError):
                if os.readlink(descriptor.path) == link:
                    return True
    return False
