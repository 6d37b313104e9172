# === a class
class P:
    def __init__(self, x):
        self.x = x

    def twice(self):
        return self.x * 2


# %% jobq
P(4).twice()


# === an instance
class P:
    def __init__(self, x):
        self.x = x


# %%
p = P(4)
# %% jobq
same = type(p) is P
p.x, same


# === an instance in data
class P:
    pass


# %%
ps = [P(), P()]
ps[0].v = 1
# %% jobq
ps[0].v, isinstance(ps[1], P)


# === inheritance
class A:
    def who(self):
        return "A"


# %%
class B(A):
    def who(self):
        return "B" + super().who()


# %% jobq
B().who()


# === a base class defined after a class of the alphabet
class Z:
    k = 1


# %%
class A(Z):
    pass


# %% jobq
A.k


# === a nested class
class Outer:
    class Inner:
        v = 7


# %%
i = Outer.Inner()
# %% jobq
i.v, type(i) is Outer.Inner

# === a class body that reads globals
size = 3


# %%
class Grid:
    cells = [0] * size
    rows = [i for i in range(size)]


# %% jobq
Grid.cells, Grid.rows

# === a class in a function that reads a global
limit = 9


# %%
def make():
    class C:
        top = limit

    return C


# %% jobq
make().top

# === an abstract class
import abc


# %%
class Base(abc.ABC):
    @abc.abstractmethod
    def f(self): ...


# %%
class D(Base):
    def f(self):
        return 1


# %% jobq
D().f()


# === a metaclass
class Meta(type):
    def __new__(m, n, b, d):
        d["tag"] = n.lower()
        return super().__new__(m, n, b, d)


# %%
class K(metaclass=Meta):
    pass


# %% jobq
K.tag


# === an exception class
class Oops(Exception):
    pass


# %% jobq
try:
    raise Oops("x")
except Oops as e:
    got = str(e)
got


# === slots and properties
class S:
    __slots__ = ("v",)

    def __init__(self):
        self.v = 2

    @property
    def w(self):
        return self.v + 1


# %%
s = S()
# %% jobq
s.w


# === static and class methods
class S:
    n = 3

    @staticmethod
    def a():
        return 1

    @classmethod
    def b(cls):
        return cls.n


# %% jobq
S.a(), S.b()


# === attributes set on a class
class A:
    n = 0
    cache = {}


# %%
A.n = 5
A.cache["k"] = 1
A.extra = "e"
# %% jobq
A.n, A.cache, A.extra


# === a method put in later
class A:
    def m(self):
        return 1


# %%
def other(self):
    return 2


# %%
A.m = other
# %% jobq
A().m()


# === a counter in a class
class A:
    count = 0

    def __init__(self):
        type(self).count += 1


# %%
made = [A(), A()]
# %% jobq
A(), A.count
A.count


# === an alias of a class
class A:
    pass


# %%
B = A
# %%
b = B()
# %% jobq
type(b) is A, B is A


# === a class redefined, with an old instance
class A:
    v = "old"


# %%
a = A()


# %%
class A:
    v = "new"


# %% jobq
a.v, A.v, type(a) is A


# === a decorated class
def reg(c):
    c.extra = 1
    return c


# %%
@reg
class A:
    pass


# %%
A.more = 2
# %% jobq
A.extra


# === a lambda put into a class
class A:
    pass


A.f = lambda self: 3
# %% jobq
A().f()

# === a class made by exec
exec("class E:\n    def f(self):\n        return helper()")


def helper():
    return 5


# %% jobq
E().f()


# === a class made by a function
def mk(n):
    class K:
        v = n

    return K


# %%
K3 = mk(3)
k = K3()
# %% jobq
type(k) is K3, k.v

# === a class made by type
T = type("T", (), {"v": 1})
# %%
t = T()
# %% jobq
type(t) is T, t.v

# === a protocol
from typing import Protocol


class P(Protocol):
    def f(self) -> int: ...


# %%
class I:
    def f(self):
        return 1


# %% jobq
I().f()


# === a base class that writes into its subclasses
class A:
    def __init_subclass__(cls, tag="", **k):
        super().__init_subclass__(**k)
        cls.tag = tag


# %%
class B(A, tag="t"):
    pass


# %% jobq
B.tag


# === a class that holds an instance of itself
class A:
    pass


A.root = A()
# %% jobq
type(A.root) is A


# === a property put in later
class A:
    def __init__(s):
        s._v = 1


# %%
A.v = property(lambda s: s._v + 1)
# %% jobq
A().v


# === a metaclass that keeps a registry
class Meta(type):
    reg = {}

    def __init__(c, n, b, d):
        Meta.reg[n] = c


class X(metaclass=Meta):
    pass


# %% jobq
sorted(Meta.reg)

# === definitions that need values and each other
base = 2


# %%
class C:
    k = base**2

    def f(self, p=base):
        return p


# %%
class D(C):
    j = C.k + base


# %% jobq
D.j, D().f()

# === instances as keys
from dataclasses import dataclass


@dataclass(frozen=True)
class K:
    a: int


# %%
m = {K(1): "x"}
# %% jobq
m[K(1)]

# === a wrapped method
from functools import cached_property


# %%
class A:
    @cached_property
    def v(self):
        return [1]


# %%
a = A()
# %% jobq
a.v is a.v


# === a descriptor
class Typed:
    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, it, owner=None):
        return self if it is None else getattr(it, self.name, None)

    def __set__(self, it, value):
        setattr(it, self.name, int(value))


class A:
    x = Typed()


a = A()
a.x = "5"
# %% jobq
a.x = "7"
a.x
# %%
a.x, type(vars(A)["x"]) is Typed


# === slots, inherited
class A:
    __slots__ = ("x",)


class B(A):
    __slots__ = ("y",)


b = B()
b.x, b.y = 1, [2]
# %% jobq
b.y.append(3)
b.x
# %%
b.y, hasattr(b, "__dict__")


# === a property with a setter
class A:
    def __init__(self):
        self._v = 1

    @property
    def v(self):
        return self._v

    @v.setter
    def v(self, value):
        self._v = value * 2


a = A()
# %% jobq
a.v = 5
a.v
# %%
a.v


# === class methods as constructors
class A:
    made = 0

    def __init__(self, v):
        self.v = v

    @classmethod
    def of(cls, v):
        return cls(v + 1)


class B(A): ...


# %% jobq
b = B.of(1)
b.v
# %%
type(b) is B


# === super without arguments, through three classes
class A:
    def f(self):
        return ["A"]


class B(A):
    def f(self):
        return ["B", *super().f()]


class C(A):
    def f(self):
        return ["C", *super().f()]


class D(B, C):
    def f(self):
        return ["D", *super().f()]


# %% jobq
D().f(), [k.__name__ for k in D.__mro__]


# === classes that name each other
class Tree:
    def leaf(self):
        return Leaf(self)


class Leaf:
    def __init__(self, tree):
        self.tree = tree

    def up(self):
        return isinstance(self.tree, Tree)


# %% jobq
t = Tree().leaf()
t.up()
# %%
type(t) is Leaf, type(t.tree) is Tree


# === a metaclass that counts its instances
class Meta(type):
    def __call__(cls, *args):
        it = super().__call__(*args)
        it.by = "meta"
        return it


class A(metaclass=Meta):
    pass


a = A()
# %% jobq
a.by, A().by, type(A).__name__


# === a metaclass with __prepare__
class Meta(type):
    @classmethod
    def __prepare__(mcs, name, bases):
        return {"given": name}


class A(metaclass=Meta):
    twice = given * 2


# %% jobq
A.twice

# === an abstract class that refuses
import abc


class Base(abc.ABC):
    @abc.abstractmethod
    def f(self): ...


# %% jobq
try:
    Base()
except TypeError as error:
    said = "abstract" in str(error)
said


# === a class that is compared and hashed its own way
class K:
    def __init__(self, k):
        self.k = k

    def __eq__(self, other):
        return self.k == other.k

    def __hash__(self):
        return hash(self.k)

    def __repr__(self):
        return f"K({self.k})"


seen = {K(1): "one", K(2): "two"}
# %% jobq
seen[K(1)] = "eins"
len(seen), seen[K(1)]
# %%
seen[K(1)], list(seen)


# === __getattr__ that answers everything
class Any_:
    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name.upper()


a = Any_()
# %% jobq
a.hello
# %%
a.asked

# === state by __getstate__ and __setstate__
import threading


class Conn:
    def __init__(self):
        self.lock, self.n = threading.Lock(), 1

    def __getstate__(self):
        return {"n": self.n}

    def __setstate__(self, state):
        self.__init__()
        self.n = state["n"] + 10


c = Conn()
# %% jobq
c.n >= 1, hasattr(c, "lock")


# === state by __reduce__
class P:
    def __init__(self, v):
        self.v = v

    def __reduce__(self):
        return P, (self.v,)

    def __repr__(self):
        return f"P({self.v})"


ps = [P(1), P([2])]
# %% jobq
[p.v for p in ps]
# %%
ps


# === arguments of __new__
class Money(float):
    def __new__(cls, value, unit):
        it = super().__new__(cls, value)
        it.unit = unit
        return it

    def __getnewargs__(self):
        return float(self), self.unit


m = Money(3, "€")
# %% jobq
n = Money(m + 1, m.unit)
n.unit, float(n)
# %%
type(n) is Money, n.unit


# === a class derived from a container
class Stack(list):
    def push(self, x):
        self.append(x)
        self.last = x


s = Stack([1])
# %% jobq
s.push(2)
s, s.last
# %%
s, s.last, type(s) is Stack


# === a class derived from a dictionary, with __missing__
class Count(dict):
    def __missing__(self, key):
        return 0


c = Count(a=1)
# %% jobq
c["b"] += 2
c["zz"]
# %%
c, type(c) is Count


# === nested classes and their instances
class Outer:
    class Inner:
        class Core:
            v = 1

        def __init__(self):
            self.core = Outer.Inner.Core()


# %% jobq
it = Outer.Inner()
it.core.v
# %%
type(it) is Outer.Inner, type(it.core) is Outer.Inner.Core


# === __class_getitem__
class Box:
    def __class_getitem__(cls, item):
        return f"Box of {item.__name__}"


# %% jobq
Box[int]


# === an instance whose class has gone another way since
class A:
    def v(self):
        return "old"


a = A()


# %%
class A:
    def v(self):
        return "new"


b = A()
# %% jobq
a.v(), b.v(), type(a) is type(b), type(b) is A
# %%
type(a) is type(b)


# === a class whose name is deleted, with an instance left
class Gone:
    v = [1]

    def f(self):
        return self.v


g = Gone()
del Gone
# %% jobq
g.f()


# === a class attribute that is appended to later
class Registry:
    items = []

    @classmethod
    def add(cls, x):
        cls.items.append(x)


Registry.add("a")
Registry.add("b")
# %% jobq
Registry.items

# === a weak reference to what travels
# refused: cannot-travel: weak
import weakref


class A: ...


a = A()
w = weakref.ref(a)
# %% jobq
w() is a

# === weak references made there
import weakref


class A: ...


# %% jobq
a = A()
w = weakref.WeakValueDictionary(k=a)
n = len(w)
del w
n


# === operators and the context protocol
class Timer:
    def __enter__(self):
        self.on = True
        return self

    def __exit__(self, *exc):
        self.on = False
        return True

    def __matmul__(self, other):
        return ("@", other)


t = Timer()
# %% jobq
with t as inside:
    was = inside.on
    1 / 0
was, t.on, t @ 2
# %%
t.on

# === a copy of an instance, deep and shallow
import copy


class N:
    def __init__(self):
        self.kids = [self]


n = N()
# %% jobq
d = copy.deepcopy(n)
s = copy.copy(n)
d.kids[0] is d, s.kids is n.kids
# %%
d.kids[0] is d, type(d) is N

# === pickle in the cell
import pickle


class P:
    def __init__(self, v):
        self.v = v


p = P(3)
# %% jobq
q = pickle.loads(pickle.dumps(p))
q.v, type(q) is P, type(q).__module__
# %%
type(q) is P


# === a class put into a module's place
class json:
    @staticmethod
    def dumps(x):
        return "mine"


# %% jobq
json.dumps(1)


# === a private name in a class
class A:
    __v = 3

    def get(self):
        return self.__v


A._A__v = 4
# %% jobq
A().get()


# === a method replaced by a lambda on one instance
class A:
    def f(self):
        return 1


a = A()
a.f = lambda: 2
# %% jobq
a.f(), A().f()


# === attributes set on a class by a function
class A: ...


def setup(cls, n):
    cls.n = n
    cls.get = lambda self: self.n
    return cls


_ = setup(A, 4)
# %% jobq
A.n, A().get()

# === an instance with a cached property, already there
from functools import cached_property


class A:
    calls = 0

    @cached_property
    def v(self):
        type(self).calls += 1
        return [type(self).calls]


a = A()
a.v
# %% jobq
a.v, a.v is a.v

# === total ordering
from functools import total_ordering


@total_ordering
class V:
    def __init__(self, n):
        self.n = n

    def __eq__(self, o):
        return self.n == o.n

    def __lt__(self, o):
        return self.n < o.n

    def __repr__(self):
        return f"V{self.n}"


vs = [V(2), V(1)]
# %% jobq
m = max(vs)
sorted(vs), V(1) >= V(0)
# %%
type(m) is V, m


# === a class attribute that holds an instance of another
class Config:
    def __init__(self, lr):
        self.lr = lr


class Model:
    config = Config(0.1)


Model.config.lr = 0.5
# %% jobq
Model.config.lr


# === a base class redefined after its child
class A:
    v = "old"


class B(A): ...


# %%
class A:
    v = "new"


# %% jobq
B.v, A.v, issubclass(B, A)


# === a method that is wrapped in its place, under its own name
import functools

calls = []


class Base:
    def f(self):
        return "base"


class A(Base):
    def f(self):
        return super().f() + "a"


def spy(kind, name):
    method = getattr(kind, name)

    @functools.wraps(method)
    def inner(self):
        calls.append(name)
        return method(self)

    setattr(kind, name, inner)


spy(A, "f")
# %% jobq
A().f(), calls
# %%
A().f(), calls


# === a property and a method of a dataclass, replaced
from dataclasses import dataclass


class A:
    @property
    def p(self):
        return 1


@dataclass
class P:
    x: int = 0

    def f(self):
        return 1


A.p = property(lambda self: 5)
P.f = lambda self: self.x + 2
# %% jobq
A().p, P(1).f()

# === data that a class made when it was executed
import types

import numpy as np


class Settings:
    weights = np.ones(3)
    seen = types.SimpleNamespace(n=0)


Settings.weights[1] = 9
Settings.seen.n += 1
# %% jobq
Settings.weights, Settings.seen
