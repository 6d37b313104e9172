"""Makes bytecode that is never checked against its source; run by its path, in a process of its own.

The bytes are the same from every process: whatever code was compiled from or with, it is written as it is read back,
since marshal tells what is referred to from elsewhere. So bytecode that lies beside an equal file will do as well, and
takes a tenth of the time. Standard library only.
"""
# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import json
import marshal
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from types import CodeType

_UNCHECKED = (0b01).to_bytes(4, "little")
"""Flags of a file of bytecode that goes by a hash, and that nobody compares (PEP 552)."""
_HEADER = 16


def main() -> None:
    """Reads a list of `[source, name, target, equals]` from stdin; what does not compile has no target."""
    warnings.simplefilter("ignore")  # what they say is for those who wrote the files
    for number in range(256):
        # There is one object of each in a process, and marshal tells whether somebody has interned it.
        sys.intern(chr(number))
    for source, name, target, equals in json.load(sys.stdin):
        text = _read(source)
        code = _found(text, equals) or _compiled(text, name)
        if code is not None:
            with open(target, "wb") as file:
                file.write(MAGIC_NUMBER + _UNCHECKED + source_hash(text) + _written(code, name))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _compiled(text: bytes, name: str) -> bytes | None:
    try:
        return marshal.dumps(compile(text, name, "exec", dont_inherit=True, optimize=0))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # a template, or for another version of Python


def _found(text: bytes, equals: Sequence[str]) -> bytes | None:
    """The bytecode of a file that may be equal, as Python itself would take it (PEP 552)."""
    for path in equals:
        try:
            data = _read(cache_from_source(path, optimization=""))
            if data[:4] != MAGIC_NUMBER or _read(path) != text:
                continue
            if data[4:8] == bytes(4):
                known = os.stat(path)
                if data[8:_HEADER] == _little(int(known.st_mtime)) + _little(known.st_size):
                    return data[_HEADER:]
            elif data[8:_HEADER] == source_hash(text):
                return data[_HEADER:]
        except (OSError, NotImplementedError):
            continue
    return None


def _little(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


def _written(data: bytes, name: str) -> bytes:
    # Nothing else may refer to the code meanwhile: that would be told.
    return marshal.dumps(_renamed(marshal.loads(data), name))  # noqa: S302 - what this Python would execute itself


def _renamed(code: CodeType, name: str) -> CodeType:
    inner = tuple(_renamed(one, name) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_filename=name, co_consts=inner)


if __name__ == "__main__":
    main()
