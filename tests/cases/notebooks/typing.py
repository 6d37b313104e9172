# === string annotations
import typing


# %%
class Later:
    pass


# %%
def f(x: "Later") -> "Later": ...


# %% jobq
typing.get_type_hints(f)["x"] is Later

# === an alias of a type
Vec = list[float]


# %%
def f(v: Vec) -> Vec:
    return v


# %% jobq
f([1.0]), Vec

# === an optional type
from typing import Optional

Maybe = Optional[int]
# %% jobq
Maybe

# === type variables, protocols, generics
from typing import TypeVar, Generic, Protocol, runtime_checkable

T = TypeVar("T", bound="Base")


class Base:
    def f(self: T) -> T:
        return self


class Repo(Generic[T]):
    def __init__(self):
        self.items: list[T] = []


@runtime_checkable
class HasF(Protocol):
    def f(self): ...


repo = Repo[Base]()
# %% jobq
repo.items.append(Base().f())
isinstance(repo.items[0], HasF), T.__bound__.__forward_arg__
# %%
type(repo) is Repo, type(repo.items[0]) is Base

# === annotations as text, resolved
from __future__ import annotations
import typing
from dataclasses import dataclass


@dataclass
class A:
    b: B | None = None


@dataclass
class B:
    n: int = 0


# %% jobq
hints = typing.get_type_hints(A)
hints["b"] == (B | None), A(B(1))

# === NewType, Literal, Annotated
from typing import NewType, Literal, Annotated, get_args

UserId = NewType("UserId", int)
Mode = Literal["r", "w"]
Positive = Annotated[int, "gt 0"]
# %% jobq
u = UserId(5)
u, get_args(Mode), Positive.__metadata__

# === a type alias in data
types = {"i": int, "l": list[int], "u": int | str}
# %% jobq
types["i"]("3"), types["l"], types["u"]
