"""Compiles Python files into bytecode that is never checked against them; run by its path, in a process of its own.

In another process than ours, because marshal tells what is referred to from elsewhere: the bytes would differ with all
that is imported. Standard library only.
"""

from __future__ import annotations

import json
import marshal
import sys
import warnings
from importlib.util import MAGIC_NUMBER, source_hash

_UNCHECKED = (0b01).to_bytes(4, "little")
"""Flags of a file of bytecode that goes by a hash, and that nobody compares (PEP 552)."""


def main() -> None:
    """Reads a list of `[source, name, target]` from stdin; what does not compile has no target."""
    warnings.simplefilter("ignore")  # what they say is for those who wrote the files
    for source, name, target in json.load(sys.stdin):
        with open(source, "rb") as file:  # noqa: PTH123 - pathlib would be 10 ms of the start
            text = file.read()
        try:
            code = compile(text, name, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # a template, or for another version of Python
        with open(target, "wb") as file:  # noqa: PTH123
            file.write(MAGIC_NUMBER + _UNCHECKED + source_hash(text) + marshal.dumps(code))


if __name__ == "__main__":
    main()
