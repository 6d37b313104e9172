# === a lambda in a defaultdict
from collections import defaultdict

dd = defaultdict(lambda: [0])
# %%
dd["a"][0] = 3
# %% jobq
dd["b"], dd["a"]

# === containers of the standard library
from collections import deque, Counter, OrderedDict, ChainMap, UserDict
import array

c = [
    deque([1], 5),
    Counter("aab"),
    OrderedDict(a=1),
    ChainMap({"a": 1}, {"b": 2}),
    UserDict(k=1),
    array.array("d", [1.5]),
]
# %% jobq
got = c[0].maxlen, c[1]["a"], c[3]["b"], c[4]["k"], c[5][0]
got

# === a defaultdict of defaultdicts
from collections import defaultdict

tree = lambda: defaultdict(tree)
t = tree()
t["a"]["b"] = 1
# %% jobq
t["x"]["y"]["z"] = 2
t["a"]["b"]
# %%
t["x"]["y"]["z"], type(t["q"]).__name__

# === a mapping that cannot be written
from types import MappingProxyType

m = MappingProxyType({"a": 1})
# %% jobq
m["a"]

# === views of a dictionary
d = {"a": 1}
ks = d.keys()
# %% jobq
sorted(ks)

# === frozen sets, ranges, slices, ellipsis
vs = [frozenset({1}), range(1, 9, 2), slice(1, None), ..., NotImplemented]
# %% jobq
vs[1][1], vs[2] == slice(1, None), vs[3] is ..., vs[4] is NotImplemented
# %%
vs[3] is ...

# === a zip of iterators
z = zip([1, 2], "ab")
# %% jobq
list(z)

# === dates and times
import datetime as dt

when = dt.datetime(2024, 2, 29, tzinfo=dt.timezone.utc)
# %% jobq
later = when + dt.timedelta(days=1)
later
# %%
later > when
