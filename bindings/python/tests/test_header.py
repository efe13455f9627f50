"""The header for parsers, and this package's declarations, against each other."""

from __future__ import annotations

import ctypes
from pathlib import Path

import cffi
import pytest
from endpoint import REPOSITORY

from flagstore import _ctypes_calls, _library, errors


@pytest.fixture(scope="module")
def ffi() -> cffi.FFI:
    parser = cffi.FFI()
    parser.cdef(Path(REPOSITORY / "include/flagstore_cdef.h").read_text())
    return parser


def test_cffi_calls_the_library_through_the_header(ffi: cffi.FFI) -> None:
    library = ffi.dlopen(_library.load().path)
    assert library.store_abi_version() == library.STORE_ABI_VERSION == _library.ABI
    assert ffi.string(library.store_code_name(library.STORE_ERROR_TIMEOUT)) == b"STORE_ERROR_TIMEOUT"


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("store_error", _ctypes_calls.CError),
        ("store_item", _ctypes_calls.CItem),
        ("store_collection", _ctypes_calls.CCollection),
    ],
)
def test_structs_are_laid_out_as_the_header_says(
    ffi: cffi.FFI, name: str, declared: type[ctypes.Structure]
) -> None:
    in_header = {field: (place.offset, ffi.sizeof(place.type)) for field, place in ffi.typeof(name).fields}
    here = {field[0]: getattr(declared, field[0]) for field in declared._fields_}
    assert {field: (place.offset, place.size) for field, place in here.items()} == in_header
    assert ctypes.sizeof(declared) == ffi.sizeof(name)


def test_an_item_is_read_at_once_as_it_is_laid_out() -> None:
    item = _ctypes_calls.CItem(1, 2, 3, 4, 5, 6, 7, 8)
    assert _ctypes_calls._ITEM.unpack_from(item) == (1, 2, 3, 4, 5, 6, 7, 8)
    assert _ctypes_calls._ITEM.size == ctypes.sizeof(_ctypes_calls.CItem)


@pytest.mark.parametrize(
    ("name", "result", "arguments"),
    _ctypes_calls.FUNCTIONS,
    ids=[name for name, *_ in _ctypes_calls.FUNCTIONS],
)
def test_functions_take_what_the_header_says(
    ffi: cffi.FFI, name: str, result: object, arguments: tuple[object, ...]
) -> None:
    function = ffi.typeof(getattr(ffi.dlopen(_library.load().path), name))
    assert [_shape_in_header(argument) for argument in function.args] == [_shape(kind) for kind in arguments]
    assert _shape_in_header(function.result) == _shape(result)


def _shape_in_header(kind: cffi.FFI.CType) -> str:
    if kind.kind == "function":
        return "pointer"
    if kind.kind in ("pointer", "void"):
        return str(kind.kind)
    unsigned = kind.cname.startswith("u") or kind.cname == "size_t"
    return f"{'u' if unsigned else 'i'}{cffi.FFI().sizeof(kind) * 8}"


def _shape(kind: object) -> str:
    if kind is None:
        return "void"
    if kind in (ctypes.c_char_p, ctypes.c_void_p) or hasattr(kind, "contents"):
        return "pointer"
    assert isinstance(kind, type)
    unsigned = kind(-1).value > 0
    return f"{'u' if unsigned else 'i'}{ctypes.sizeof(kind) * 8}"


def test_every_error_has_a_class_of_its_own_meaning(ffi: cffi.FFI) -> None:
    library = ffi.dlopen(_library.load().path)
    codes = {name: getattr(library, name) for name in dir(library) if name.startswith("STORE_ERROR_")}
    assert len(codes) >= 33
    plain = {
        name
        for name, code in codes.items()
        if type(errors.failure(code, name, "", False)) is errors.FlagstoreError
    }
    retriable = ("THROTTLED", "TIMEOUT", "CONNECTION", "SERVICE", "UNEXPECTED_RESPONSE", "RUNTIME")
    others = ("PANIC", "TOO_MANY_STORES", "REJECTED")
    assert plain == {f"STORE_ERROR_{name}" for name in (*retriable, *others)}
    assert isinstance(errors.failure(codes["STORE_ERROR_TIMEOUT"], "", "", True), errors.UnavailableError)
    assert all(_library.load().code_name(code) == name for name, code in codes.items())
