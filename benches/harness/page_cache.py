"""Has the kernel forget what it cached of files, so that the next reader waits for the disk, and looks whether it did."""

import ctypes
import mmap
import os

from .tools import Missing

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_MAP_FAILED = ctypes.c_void_p(-1).value


def evict(*paths):
    """These files and folders. Pages that another process has mapped, or that are still to be written, stay: Missing then."""
    os.sync()
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    for file in files:
        with open(file, "rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    kept = {file: pages for file in files if (pages := cached_pages(file))}
    if kept:
        most = max(kept, key=kept.get)
        raise Missing(f"the kernel kept {sum(kept.values())} pages in memory, {kept[most]} of them of {most}")


def cached_pages(path):
    """How many pages of a file are in memory, by mincore(2)."""
    size = path.stat().st_size
    if size == 0:
        return 0
    with open(path, "rb") as opened:
        address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, opened.fileno(), 0)
    if address == _MAP_FAILED:
        raise OSError(ctypes.get_errno(), f"mmap of {path}")
    try:
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        if _libc.mincore(address, size, pages) != 0:
            raise OSError(ctypes.get_errno(), f"mincore of {path}")
        # The other bits of each byte are not defined.
        return sum(page & 1 for page in pages.raw)
    finally:
        _libc.munmap(address, size)
