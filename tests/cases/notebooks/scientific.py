# === numpy arrays
import numpy as np

# %%
a = np.arange(6).reshape(2, 3)
# %% jobq
s = a.sum(axis=0)
s.tolist()

# === a record array, whose class is of a module that is loaded lazily
import numpy as np

# %%
r = np.zeros(2, dtype=[("a", int)]).view(np.recarray)
# %% jobq
same = type(r) is np.recarray
same, repr(r)

# === a data frame
import pandas as pd

# %%
df = pd.DataFrame({"x": [1, 2, 3], "s": list("abc")})
# %% jobq
df["y"] = df.x * 2
df.y.tolist()

# === a query that names a variable
import pandas as pd

# %%
df = pd.DataFrame({"x": [1, 2, 3]})
low = 2
# %% jobq
n = len(df.query("x >= @low"))
n

# === a figure
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

# %%
fig, ax = plt.subplots()
_ = ax.plot([1, 2])
plt.close(fig)
# %% jobq
len(fig.axes[0].lines)

# === a closure over a data frame
import pandas as pd

# %%
df = pd.DataFrame({"a": [1]})


# %%
def mk(d):
    def f():
        return d.a.sum() + off

    return f


off = 2
f = mk(df)
# %% jobq
int(f())

# === arrays in data
import numpy as np

big = {"a": np.zeros(3), "b": [np.ones(2)]}
# %% jobq
big["b"][0].tolist()

# === dtypes and structured arrays
import numpy as np

a = np.array([(1, 2.5)], dtype=[("i", "i4"), ("f", "f8")])
o = np.array([{"x": 1}, None], dtype=object)
# %% jobq
a["i"][0], o[0]["x"], a.dtype.names

# === an array in Fortran's order, and a view
import numpy as np

f = np.asfortranarray(np.arange(6).reshape(2, 3))
v = np.arange(10)[::2]
# %% jobq
f.flags.f_contiguous, v.tolist(), f.sum()

# === an array that must not be written
import numpy as np

a = np.arange(3)
a.flags.writeable = False
# %% jobq
try:
    a[0] = 1
    ok = True
except ValueError:
    ok = False
ok

# === a subclass of an array
import numpy as np


class Tagged(np.ndarray):
    def __array_finalize__(self, obj):
        self.tag = getattr(obj, "tag", None)


t = np.arange(3).view(Tagged)
# %% jobq
u = t * 2
type(u).__name__, u.tolist()
# %%
type(u) is Tagged

# === grouped and merged frames
import pandas as pd

df = pd.DataFrame({"k": list("aab"), "v": [1, 2, 3]})
other = pd.DataFrame({"k": ["a", "b"], "w": [10, 20]})
# %% jobq
m = df.merge(other).groupby("k").agg({"v": "sum", "w": "first"})
m.to_dict()
# %%
type(m) is pd.DataFrame, m.v.tolist()

# === a frame with categories, times and a multi-index
import pandas as pd

df = pd.DataFrame({"c": pd.Categorical(["x", "y"]), "t": pd.to_datetime(["2024-01-01", "2024-01-02"])})
df.index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["l", "n"])
# %% jobq
df.loc[("a", 1), "c"], df.t.dt.day.tolist(), df.index.names

# === apply with a function of the notebook
import pandas as pd

df = pd.DataFrame({"v": [1, 2]})
bonus = 10


def plus(x):
    return x + bonus


# %% jobq
df["w"] = df.v.map(plus)
df.w.tolist()
# %%
df.w.tolist()

# === vectorized functions
import numpy as np

k = 3
f = np.vectorize(lambda x: x + k)
g = np.poly1d([1, 0, 2])
# %% jobq
f(np.arange(3)).tolist(), g(2)

# === a seed sequence and a child generator
import numpy as np

rng = np.random.default_rng(7)
_ = rng.random(3)
# %% jobq
v = rng.random(2)
# %%
v.tolist(), rng.random()

# === a masked array and a random state
import numpy as np

m = np.ma.array([1, 2, 3], mask=[0, 1, 0])
# %% jobq
m.sum(), m.filled(9).tolist()

# === two arrays over one memory
# differs: b
import numpy as np

a = np.arange(4)
b = a[1:]
# %% jobq
a[1] = 50
a.tolist(), b.sum() >= 0
# %% there
assert b.tolist() in ([1, 2, 3], [50, 2, 3])
