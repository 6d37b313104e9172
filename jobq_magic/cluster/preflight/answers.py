"""Answer: what the API server said to one question, so that what follows from it can be told without asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Answer", "Answers", "given"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    how: Literal["there", "missing", "forbidden", "failed", "refused", "unasked"] = "there"
    """`missing`: the server knows of no such thing. `refused`: it will not have what it was
    shown. `failed`: no answer, or one that says nothing of the question.
    `unasked`: nobody wanted to know."""
    value: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    """One sentence, where there is no value."""
    do: str = ""

    def __bool__(self) -> bool:
        return self.how == "there"

    @property
    def items(self) -> tuple[Mapping[str, Any], ...]:
        """Of a list: what it holds."""
        return tuple(self.value.get("items") or ())

    def named(self, name: str) -> Mapping[str, Any] | None:
        """Of a list: the object of that name."""
        return next((one for one in self.items if one["metadata"]["name"] == name), None)

    def names(self) -> tuple[str, ...]:
        """Of a list: the names of what it holds."""
        return tuple(sorted(one["metadata"]["name"] for one in self.items))


Answers = Callable[[str], Answer]
"""The answer to a question by its name; waits for it where it is still on its way."""


def given(known: Mapping[str, Answer]) -> Answers:
    """The answers that are there; of all others, nobody asked."""
    return lambda question: known.get(question, Answer("unasked"))
