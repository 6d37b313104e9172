"""Answer: what the API server said to one question, so that what follows from it can be told without asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jobq_magic.findings import Finding

__all__ = ["Answer", "Answers", "Unanswered", "given", "heard", "unread"]


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


class Unanswered(Exception):
    """A question that somebody needs has no answer.

    Args:
        answer: what became of it.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.why)
        self.answer = answer


def heard(answer: Answer) -> Answer:
    """The same; where the cluster was silent, nothing can be said that hangs on it.

    Raises:
        Unanswered: there is none.
    """
    if answer.how == "failed":
        raise Unanswered(answer)
    return answer


def unread(code: str, what: str, answer: Answer, *, needed: bool = False) -> Iterator[Finding]:
    """That something may not be read; nothing where nobody asked for it.

    Args:
        code: of the finding.
        what: the sentence, up to the reason.
        answer: the one that says so.
        needed: a cell that finds it otherwise than it should be does not run.
    """
    if heard(answer).how != "unasked":
        yield Finding(code, "unknown", f"{what}: {answer.why}", answer.do, needed=needed)
