# === nothing from before
# %% jobq
x = 1 + 1
x

# === a number
a = 3
# %% jobq
b = a + 1
b

# === plain data
d = {"a": [1, (2, 3)], "b": {4}}
# %% jobq
out = d["a"][1]
out

# === two names, one list
a = [1]
# %%
b = a
# %% jobq
b.append(2)
a

# === two names that share a part
# differs: shared
shared = [1]
# %%
a = {"s": shared}
b = {"s": shared}
# %% jobq
a["s"].append(2)
b


# === a view kept beside its owner
class M:
    def __init__(self):
        self.w = [0]


# %%
m = M()
opt = {"params": m.w}
# %% jobq
opt["params"][0] = 9
m.w

# === f-strings
name = "x"
width = 5
# %% jobq
f"{name:>{width}}!"

# === a compiled expression and a path
import re
from pathlib import Path

# %%
p = re.compile("a+")
q = Path("/tmp/x")
# %% jobq
p.sub("b", "caat"), q.name

# === non-ASCII names and texts
größe = "ü\n"
# %% jobq
größe * 2


# === a cycle of instances
class N:
    def __init__(s, v, nxt=None):
        s.v, s.nxt = v, nxt


# %%
n = N(1)
n.nxt = N(2, n)
# %% jobq
n.nxt.nxt is n

# === values of the standard library
import datetime as dt, decimal, fractions, uuid, zoneinfo

d = [
    dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    decimal.Decimal("1.5"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=1),
]
# %% jobq
d

# === starred arguments
args = [1, 2]
kw = {"sep": "-"}
# %% jobq
"{}{}".format(*args), dict(**kw)

# === getters of operator
import operator as op

get = op.itemgetter("a")
import functools

add = functools.reduce
# %% jobq
get({"a": 2}), add(op.add, [1, 2])

# === the cell before the first
# %% jobq
total = sum(range(10))
total

# === a name that is also a builtin
sum = lambda xs: "mine"
# %% jobq
sum([1, 2])

# === a name bound, deleted, and bound again
x = 1
del x
x = 2
# %% jobq
x + 1

# === a value that is None
nothing = None
# %% jobq
found = nothing is None
found

# === truth that is no number
flag, one = True, 1
# %% jobq
flag is True, type(one).__name__, flag == one
kinds = [type(flag), type(one)]
# %%
kinds

# === large and negative numbers
big, less, no = 10**40, -0.0, float("nan")
# %% jobq
result = big + 1, str(less), no != no
result

# === bytes, and what can be written into
b, ba, mv = b"ab", bytearray(b"cd"), memoryview(b"xy").tobytes()
# %% jobq
ba += b
ba, mv
# %%
ba

# === an unpacking
pair = (1, [2, 3])
# %% jobq
first, (second, *rest) = pair
first, second, rest

# === a name that begins with an underscore
_hidden = [1]
# %% jobq
out = _hidden + [2]
out

# === a value too long to be shown
text = "x" * 100_000
# %% jobq
length = len(text)
length

# === a name that is a soft keyword
match, case, type_ = 1, 2, 3
# %% jobq
match + case + type_

# === a value that a cell only hands on
model = {"w": [1, 2]}
# %% jobq
same = model
# %%
same is model, same
