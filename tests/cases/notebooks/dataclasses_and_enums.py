# === a dataclass
from dataclasses import dataclass, field


# %%
@dataclass
class P:
    x: int
    tags: list = field(default_factory=list)


# %%
p = P(1)
# %% jobq
p, P(2, ["a"]) == P(2, ["a"])

# === a dataclass with postponed annotations
from __future__ import annotations
from dataclasses import dataclass
import typing


@dataclass
class Node:
    next: Node | None = None


# %% jobq
typing.get_type_hints(Node)["next"] == (Node | None)

# === an enumeration
from enum import Enum


# %%
class C(Enum):
    RED = 1
    BLUE = 2


# %%
c = C.BLUE
# %% jobq
c is C.BLUE, c.name

# === a named tuple by call
from collections import namedtuple

# %%
Pt = namedtuple("Pt", "x y")
# %%
o = Pt(1, 2)
# %% jobq
o.x, type(o) is Pt

# === a named tuple by class
from typing import NamedTuple


# %%
class Pt(NamedTuple):
    x: int
    y: int = 2


# %%
o = Pt(1)
# %% jobq
o, type(o) is Pt

# === a typed dictionary and type variables
from typing import TypedDict, TypeVar, Generic

# %%
T = TypeVar("T")


# %%
class Box(Generic[T]):
    def __init__(self, v):
        self.v = v


# %%
class M(TypedDict):
    a: int


# %% jobq
Box[int](3).v, M(a=1)

# === flags
import enum


class F(enum.Flag):
    A = enum.auto()
    B = enum.auto()


x = F.A | F.B
# %% jobq
x, x == F.A | F.B

# === a dataclass with slots
from dataclasses import dataclass


@dataclass(slots=True)
class K:
    a: int


k = K(2)
# %% jobq
k, type(k) is K

# === a model of pydantic
from pydantic import BaseModel


class M(BaseModel):
    x: int
    tags: list[str] = []


# %%
m = M(x=1)
# %% jobq
type(m) is M, m, M(x="3").x

# === a field with a factory of the notebook
from dataclasses import dataclass, field


def fresh():
    return {"n": start}


start = 7


@dataclass
class C:
    state: dict = field(default_factory=fresh)


c = C()
# %% jobq
c.state["n"] += 1
c, C()
# %%
c

# === a frozen dataclass, replaced
from dataclasses import dataclass, replace


@dataclass(frozen=True, order=True)
class P:
    x: int
    y: int = 0


ps = [P(2), P(1)]
# %% jobq
best = min(ps)
other = replace(best, y=5)
best, other
# %%
type(other) is P, best == ps[1]

# === a dataclass with __post_init__ and an InitVar
from dataclasses import dataclass, InitVar, field


@dataclass
class R:
    w: int
    scale: InitVar[int] = 2
    area: int = field(init=False)

    def __post_init__(self, scale):
        self.area = self.w * scale


# %% jobq
r = R(3)
r
# %%
r, type(r) is R

# === a dataclass that inherits
from dataclasses import dataclass, asdict


@dataclass
class A:
    x: int = 1


@dataclass
class B(A):
    y: list = None


b = B(y=[A(2)])
# %% jobq
asdict(b)

# === an enumeration with methods and a value of its own
from enum import Enum, IntEnum, auto


class Planet(Enum):
    EARTH = (1.0, 2)
    MARS = (0.5, 3)

    def __init__(self, mass, n):
        self.mass, self.n = mass, n

    @property
    def heavy(self):
        return self.mass > 0.7


class Level(IntEnum):
    LOW = auto()
    HIGH = auto()


# %% jobq
got = Planet.MARS, Level.HIGH
[p.heavy for p in Planet], max(Level)
# %%
got[0] is Planet.MARS, got[1] is Level.HIGH

# === an enumeration as a key
from enum import Enum


class C(Enum):
    R = 1
    G = 2


table = {C.R: "r", C.G: "g"}
# %% jobq
table[C.R] = "red"
table[C.G]
# %%
table[C.R], [k is C(k.value) for k in table]

# === an enumeration made by a call
from enum import Enum

C = Enum("C", "RED BLUE")
c = C.RED
# %% jobq
c is C.RED, [x.name for x in C]

# === a typed dictionary and its instance
from typing import TypedDict


class M(TypedDict, total=False):
    a: int


m: M = {"a": 1}
# %% jobq
m["a"] = 2
type(m) is dict, m
# %%
m

# === a named tuple with a method
from typing import NamedTuple


class P(NamedTuple):
    x: int
    y: int = 3

    def sum(self):
        return self.x + self.y


p = P(1)
# %% jobq
q = p._replace(x=5)
q.sum(), p
# %%
type(q) is P, q

# === a simple namespace
from types import SimpleNamespace

s = SimpleNamespace(a=[1], b=SimpleNamespace(c=2))
# %% jobq
s.a.append(2)
s.b.c = 5
s
# %%
s
