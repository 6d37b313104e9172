# === a generator expression
xs = [1, 2, 3]
k = 2
# %% jobq
sum(x * k for x in xs)

# === comprehensions
xs = [1, 2]
y = 3
# %% jobq
[[x * y for x in xs] for _ in range(2)]

# === a walrus
data = [1, 5, 9]
# %% jobq
if (n := max(data)) > 4:
    big = n
big

# === augmented assignment
t = 4
# %% jobq
t += 1
t

# === loops and their leftovers
xs = [3, 4]
# %% jobq
for i, x in enumerate(xs):
    last = x
i, last

# === with, try, match
import io

cmd = ("go", 3)
# %% jobq
with io.StringIO() as _f:
    _f.write("a")
    t = _f.getvalue()
match cmd:
    case ("go", n):
        r = n
t, r

# === deleting a name
# differs: a
a = 1
b = 2
# %% jobq
del a
b

# === eval of a constant
q = 6
# %% jobq
eval("q + 1")

# === globals() of a constant
q = 6
# %% jobq
globals()["q"]

# === code made by exec
exec("def made(x):\n    return x + off")
off = 3
# %% jobq
made(1)

# === a walrus in a comprehension
xs = [1, 2, 3]
# %% jobq
[y for x in xs if (y := x * 2) > 2]
y

# === a walrus in a condition and in a call
xs = [3, 8]
# %% jobq
while (n := len(xs)) > 1:
    xs.pop()
print(m := max(xs))
n, m
# %%
xs

# === match with classes of the notebook
from dataclasses import dataclass


@dataclass
class P:
    x: int
    y: int


# %% jobq
match P(0, 5):
    case P(x=0, y=found):
        where = f"axis {found}"
    case _:
        where = "else"
where


# === match with constants of the notebook
class Colour:
    RED = 1


v = 1
# %% jobq
match v:
    case Colour.RED:
        got = "red"
    case _:
        got = "other"
got

# === for with else, and break
xs = [1, 2, 3]
# %% jobq
for x in xs:
    if x == 2:
        break
else:
    x = "never"
x

# === try with else and finally
log = []
# %% jobq
try:
    log.append("try")
except ValueError:
    log.append("except")
else:
    log.append("else")
finally:
    log.append("finally")
log
# %%
log

# === scopes of comprehensions
x, ys = "outer", [1, 2]
# %% jobq
a = [x for x in ys]
b = {x: [x for x in "ab"] for x in ys}
c = list(x for x in ys if all(x for y in ys))
x, a, b, c

# === a comprehension with a walrus and a condition
data, limit = [1, 5, 9], 3
# %% jobq
big = [y for v in data if (y := v * 2) > limit]
big, y

# === with several managers
from contextlib import ExitStack, nullcontext, suppress

# %% jobq
with nullcontext(1) as a, suppress(ZeroDivisionError), ExitStack() as stack:
    stack.callback(print, "closed")
    1 / 0
a

# === chained comparison and conditional expression
lo, hi = 1, 10
# %% jobq
v = 5
"in" if lo < v < hi else "out"

# === starred targets and swaps
a, b, c = 1, 2, [3, 4]
# %% jobq
a, b = b, a
first, *c = c
a, b, first, c

# === annotated names
n: int = 3
# %% jobq
total: float = n / 2
label: str
total

# === several statements on a line
# %% jobq
a = 1
b = 2
a + b

# === a cell of a comment, a text and a definition
# %% jobq
# a comment
"""a text"""


def f():
    return 3


# === a line that goes on
x = 1
# %% jobq
y = x + 2
z = y + 3
z

# === deleting parts
d, xs = {"a": 1, "b": 2}, [1, 2, 3]
# %% jobq
del d["a"], xs[0]
d, xs
# %%
d, xs

# === assertions and the debug flag
# %% jobq
assert __debug__
__debug__
