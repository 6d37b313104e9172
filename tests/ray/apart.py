"""Cases that functions on workers do not tell as the cells of a notebook do, and why."""

from __future__ import annotations

THEMES = {
    "magics": "a function has no magics",
    "process wide state": "it is told to the job; workers are told where files are, and which warnings are meant",
    "processes": "what a worker starts by fork or spawn is no child of the job",
}

_READ_ONLY = "Ray hands arrays over as they lie in memory that processes share: they are read-only"
_TEXT = "a text names what is read, and a function takes along only what its code names"
_LAST = "`_` is the last value of a notebook"
_SOURCE = "the source of a function that was made of the cell is another text"
_CELL = "only a cell can do this"
_PICKLE = "what is in the class or around the function cannot be pickled by value"

_WHY = {
    _READ_ONLY: [
        "changed in place: a slice of an array",
        "changed in place: a frame whose index is changed",
        "changed in place: an array in place, by an operator",
        "changed in place: a series out of a frame",
        "functions: data in a default, changed since",
        "comes back: a large array there and back",
        "scientific: two arrays over one memory",
    ],
    _TEXT: [
        "classes: a class made by exec",
        "free names: globals() tells what is bound",
        "free names: locals() at top level is globals()",
        "looking inside: the module __main__",
        "scientific: a query that names a variable",
        "statements: eval of a constant",
        "statements: globals() of a constant",
        "statements: code made by exec",
    ],
    _LAST: [
        "changed in place: a model that is fitted, as the last value",
        "comes back: the last value is what a name holds",
        "comes back: the last value is what was there before",
    ],
    _SOURCE: [
        "looking inside: inspect.getsource",
        "looking inside: the source of a decorated function",
        "looking inside: the source of what the cell defines",
        "looking inside: the frame of a function",
        "looking inside: line numbers of the notebook",
        "looking inside: standard streams",
        "looking inside: a logger of the notebook",
    ],
    _CELL: [
        "dataclasses and enums: a dataclass with postponed annotations",
        "imports: a name bound by star import",
        "imports: __future__ in the cell",
        "imports: a star import in the cell, and a name of the notebook",
        "typing: annotations as text, resolved",
    ],
    _PICKLE: [
        "cannot travel: what cannot travel, left out",
        "cannot travel: what cannot travel and is not needed",
        "cannot travel: what cannot travel, made anew",
        "decorators: a method that dispatches on type",
        "exceptions: an exception that travels there and back",
    ],
    "a class that is made by a function has no other name than its own": ["classes: a class made by a function"],
    "its filter of warnings is that of the whole process": ["exceptions: a warning made an error"],
    "a private name is changed by the name of its class": ["classes: a private name in a class"],
}

CASES = {name: why for why, names in _WHY.items() for name in names}
"""Why, by case."""
