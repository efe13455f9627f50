"""The least that a cached get can cost in Python: the emptiest call through ctypes, and a copy of the payload.

ctypes_floor.py LIBRARY BYTES
"""

import ctypes
import sys

from blocks import serve

empty = ctypes.CDLL(sys.argv[1]).store_abi_version
length = int(sys.argv[2])
payload = ctypes.create_string_buffer(b"x" * length)
address = ctypes.addressof(payload)


def calls(count):
    copy = ctypes.string_at
    for _ in range(count):
        empty()
        copy(address, length).decode()


serve(calls)
