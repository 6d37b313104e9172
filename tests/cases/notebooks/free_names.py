# === a name that only a nested function reads
k = 3


def outer():
    def inner():
        return k

    return inner


# %% jobq
outer()()

# === a name that only a default reads
k = 3


# %% jobq
def f(x=k):
    return x


f()

# === a name that only an annotation reads
from decimal import Decimal as D


# %% jobq
def f(x: D) -> D:
    return x


f.__annotations__["x"].__name__

# === a parameter that hides a global
x = object()
g = (i for i in range(3))


# %% jobq
def f(g):
    return g + 1


f(1)

# === a local that hides what cannot travel
import threading

lock = threading.Lock()


def f():
    lock = 3
    return lock


# %% jobq
f()

# === an attribute that is named as what cannot travel
import threading

lock = threading.Lock()


class A:
    lock = 1


# %% jobq
A.lock

# === a keyword argument that is named as what cannot travel
gen = (i for i in range(3))


def f(gen=1):
    return gen


# %% jobq
f(gen=5)

# === a class attribute that a comprehension cannot see
size = 2


class A:
    size = 5
    cells = [size for _ in range(2)]


# %% jobq
A.cells

# === a class body that reads a name before it binds it
v = 1


# %% jobq
class A:
    v = v + 1


got = A.v
got, v

# === a lambda in a default in a class body
n = 4


class A:
    key = lambda self, x, m=n: x * m


# %% jobq
A().key(2)

# === a name read in an f-string within an f-string
w, name = 6, "é"
# %% jobq
f"{f'{name!r:>{w}}'}|"

# === a name that a handler binds and drops
e = "before"
# %% jobq
try:
    1 / 0
except ZeroDivisionError as err:
    text = str(err)
text, e

# === a name that is bound in one branch only
flag, y = False, "old"
# %% jobq
if flag:
    y = "new"
y

# === a name that is bound after it was read, in a loop
acc = 10
# %% jobq
for i in range(3):
    acc = acc + i
acc

# === a global that a nested function declares
count = 5


def up():
    def inner():
        global count
        count += 1

    inner()
    return count


# %% jobq
up(), count
# %%
count


# === a nonlocal is no global
def counter():
    n = 0

    def up():
        nonlocal n
        n += 1
        return n

    return up


# %% jobq
c = counter()
c(), c()

# === names that only the function of a function reads
import math

scale = 2


def area(r):
    return math.pi * square(r) * scale


def square(x):
    return helper(x) ** 2


helper = lambda x: float(x)
# %% jobq
round(area(1), 3)

# === a name in a star expression and in a slice
xs, lo = [1, 2, 3, 4], 1
# %% jobq
[*xs[lo:], *{**{"a": lo}}]


# === a name read by a decorator in the cell
def twice(f):
    return lambda *a: f(*a) * 2


# %% jobq
@twice
def g(x):
    return x + 1


g(1)


# === a name read by a base class in the cell
class Base:
    def who(self):
        return type(self).__name__


# %% jobq
class Child(Base):
    pass


Child().who()

# === a name that is not there
# refused: missing-name: name 'valeu' is not defined
value = 1
# %% jobq
valeu + 1


# === a name that is not there, behind a function, is the function's own error
def f():
    return not_there


# %% jobq
f()

# === a name that is asked for politely
# %% jobq
try:
    maybe
except NameError as error:
    got = str(error)
got

# === globals() tells what is bound
a, b = 1, 2
# %% jobq --include a,b
g = {name: globals()[name] for name in ("a", "b")}
g

# === locals() at top level is globals()
q = 1
# %% jobq
locals() is globals(), q

# === eval of an expression with names of its own
# %% jobq
eval("x + 1", {"x": 2})

# === the history of the kernel
# refused: history-name: _2 is this kernel's history
1 + 1
# %% jobq
_2 + 1
