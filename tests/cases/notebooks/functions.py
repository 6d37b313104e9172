# === a function
def f(x):
    return x * 2


# %% jobq
f(21)

# === a function that reads a global
k = 10


# %%
def f(x):
    return x * k


# %% jobq
f(2)


# === a function that was defined before its global
def f(x):
    return x * k


# %%
k = 10
# %% jobq
f(2)


# === a chain of functions
def h(x):
    return x + 1


# %%
def g(x):
    return h(x) * 2


# %%
def f(x):
    return g(x) - 3


# %% jobq
f(4)


# === functions that call each other
def even(n):
    return n == 0 or odd(n - 1)


# %%
def odd(n):
    return n != 0 and even(n - 1)


# %% jobq
even(10), odd(7)


# === recursion
def fact(n):
    return 1 if n < 2 else n * fact(n - 1)


# %% jobq
fact(5)

# === a lambda
sq = lambda x: x * x
# %% jobq
sq(7)

# === a lambda that reads a global
n = 3
# %%
times = lambda x: x * n
# %% jobq
times(7)

# === lambdas in data
ops = {"inc": lambda x: x + 1, "dbl": lambda x: x * 2}
# %% jobq
ops["inc"](1), ops["dbl"](4)

# === a lambda in data that reads a global
k = 5
# %%
ops = [lambda x: x + k]
# %% jobq
ops[0](1)


# === a function made by a function
def adder(n):
    return lambda x: x + n


# %%
add5 = adder(5)
# %% jobq
add5(1)

# === a function made by a function, reading a global
base = 100


# %%
def adder(n):
    def add(x):
        return helper(x) + n + base

    return add


# %%
def helper(x):
    return -x


# %%
add5 = adder(5)
# %% jobq
add5(1)

# === partial
from functools import partial


# %%
def f(a, b):
    return a - b


# %%
g = partial(f, 10)
# %% jobq
g(3)

# === defaults
n = 5


# %%
def f(x=n, *, y=n * 2):
    return x, y


# %% jobq
f()

# === defaults from before a change
n = 5


# %%
def f(x=n, *, y=n * 2):
    return x, y


# %%
n = 7
# %% jobq
f(), n


# === a mutable default that was used
def f(x, seen=[]):
    seen.append(x)
    return list(seen)


# %%
_ = f(1)
# %% jobq
f(2)


# === attributes set on a function
def f():
    f.calls += 1
    return f.calls


# %%
f.calls = 41
# %% jobq
f()


# === an alias of a function
def f(x):
    return x + 1


# %%
g = f
# %% jobq
g(1), g is f


# === a function redefined
def f():
    return "old"


# %%
def f():
    return "new"


# %% jobq
f()


# === an older function under another name
def f():
    return "old"


# %%
g = f


# %%
def f():
    return "new"


# %% jobq
g(), f()

# === a definition in a branch
import sys

# %%
if sys.version_info > (3,):

    def f():
        """multi
        line"""
        return f.__doc__
else:

    def f():
        return 0


# %% jobq
f()

# === globals changed by a function
total = 1


# %%
def add(n):
    global total
    total += n


# %% jobq
add(5)
total


# === a global that only a function makes
def start():
    global state
    state = {"on": True}


# %% jobq
start()
state


# === the notebook's name
def f():
    return __name__


# %% jobq
f(), __name__


# === guards of scripts
def f():
    return 1


# %% jobq
if __name__ == "__main__":
    r = f()
r

# === overloads
from typing import overload


# %%
@overload
def f(x: int) -> int: ...
@overload
def f(x: str) -> str: ...
def f(x):
    return x


# %% jobq
f(3)

# === two definitions on one line
f = lambda: 1
g = lambda: 2
# %% jobq
f(), g()

# === a lambda as a key
rows = [3, 1]
# %%
key = lambda r: -r
# %% jobq
sorted(rows, key=key)

# === a default that is a value too
import numpy as np

w = np.ones(3)


def f(x=w):
    return x is w


# %% jobq
f()

# === a list that a function appends to
log = []


def note(x):
    log.append(x)


# %% jobq
note(1)
log


# === a bound method
class A:
    def __init__(self):
        self.n = 2

    def m(self):
        return self.n


# %%
m = A().m
# %% jobq
m()


# === two functions over one cell
def mk():
    n = [0]

    def inc():
        n[0] += 1

    def get():
        return n[0]

    return inc, get


inc, get = mk()
# %% jobq
inc()
get()


# === a class and a function that need each other
class A:
    def make(self):
        return build()


def build():
    return A()


# %% jobq
type(A().make()) is A


# === a function redefined twice, with an alias of each
def f():
    return 1


one = f


# %%
def f():
    return 2


two = f


# %%
def f():
    return 3


# %% jobq
one(), two(), f(), one is two
# %%
one(), two(), f()


# === a function that was edited by assignment of its code
def f():
    return 1


def g():
    return 2


f.__code__ = g.__code__
# %% jobq
f()

# === closures in a loop
fs = []
for i in range(3):

    def f(x, i=i):
        return x + i

    fs.append(f)
# %% jobq
[g(10) for g in fs]

# === closures in a loop, all over the same variable
fs = [lambda: i for i in range(3)]
# %% jobq
[g() for g in fs]


# === a closure over what a later call changes
def make():
    seen = []

    def add(x):
        seen.append(x)
        return list(seen)

    return add


add = make()
_ = add(1)
# %% jobq
add(2)
# %%
add(3)


# === two closures, one state, changed there
def account():
    balance = {"n": 0}

    def put(x):
        balance["n"] += x

    def get():
        return balance["n"]

    return put, get


put, get = account()
# %% jobq
put(5)
get()
# %%
get()

# === a partial of a partial, with keywords
from functools import partial


def f(a, b, *, c=0):
    return a, b, c


g = partial(partial(f, 1), c=3)
# %% jobq
g(2), g.func is f, g.keywords

# === a partial of a method
from functools import partial


class A:
    def __init__(self):
        self.n = 1

    def add(self, x):
        self.n += x
        return self.n


a = A()
plus = partial(a.add, 5)
# %% jobq
plus()
a.n
# %%
a.n, plus.func.__self__ is a


# === a bound method and its owner
class A:
    def __init__(self):
        self.items = []

    def add(self, x):
        self.items.append(x)


a = A()
add = a.add
# %% jobq
add(1)
a.items
# %%
a.items, add.__self__ is a


# === a generator function
def squares(n):
    for i in range(n):
        yield i * i


# %% jobq
list(squares(4)), sum(squares(3))


# === keyword-only, positional-only, and all the rest
def f(a, /, b, *args, c=1, **kw):
    return a, b, args, c, kw


# %% jobq
f(1, 2, 3, c=4, d=5)

# === a function that deletes a global
gone = [1]


def drop():
    global gone
    del gone


# differs: gone
# %% jobq
drop()
"gone" in globals()


# === a callable instance
class Times:
    def __init__(self, n):
        self.n = n

    def __call__(self, x):
        return x * self.n


twice = Times(2)
# %% jobq
list(map(twice, [1, 2]))


# === a function that returns a class of the notebook
class P:
    def __eq__(self, other):
        return type(self) is type(other)


def make():
    return P()


# %% jobq
p = make()
# %%
type(p) is P, p == P(), isinstance(p, P)


# === a function defined by the cell, in what comes back
# %% jobq
def f(x):
    return x + 1


table = {"inc": f}
# %%
table["inc"](2)


# === a function of the notebook in what comes back
def f(x):
    return x + 1


# %% jobq
table = {"inc": f, "again": f}
# %%
table["inc"] is f, table["again"] is f

# === recursion by a lambda
fact = lambda n: 1 if n < 2 else n * fact(n - 1)
# %% jobq
fact(6)

# === an operator as a function of the notebook
import operator

ops = {"+": operator.add, "first": operator.itemgetter(0), "up": operator.methodcaller("upper")}
# %% jobq
ops["+"](1, 2), ops["first"]("ab"), ops["up"]("x")


# === a function with a default that is a function of the notebook
def base(x):
    return x * 2


def f(x, how=base):
    return how(x)


# %%
def base(x):
    return x * 100


# %% jobq
f(1), base(1)


# === a function whose name is another one's
def f():
    return 1


f.__name__ = "other"
# %% jobq
f.__name__, f()


# === the documentation of a function, set later
def f():
    "first"


f.__doc__ = "second"
# %% jobq
f.__doc__


# === a function annotated, and its annotations changed later
def f(x: int): ...


f.__annotations__["y"] = str
# %% jobq
sorted(f.__annotations__)


# === data in a default, changed since
import numpy as np


def f(x, into=np.zeros(2)):
    into[0] += x
    return into


f(3)
# %% jobq
f(1)
