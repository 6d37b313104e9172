# === a list appended to
xs = [1]
# %% jobq
xs.append(2)
# %%
xs

# === a key of a dictionary
d = {"a": 1}
# %% jobq
d["b"] = 2
del d["a"]
# %%
d

# === a column of a frame
import pandas as pd

df = pd.DataFrame({"a": [1, 2]})
# %% jobq
df["c"] = df.a * 2
# %%
df.to_dict()

# === a slice of an array
import numpy as np

arr = np.zeros(4)
# %% jobq
arr[1:3] = 5
# %%
arr

# === an array in place, by an operator
import numpy as np

arr = np.arange(3)
same = arr
# %% jobq
arr += 1
# %%
same, same is arr


# === a model that is fitted
class Model:
    def fit(self, xs):
        self.mean = sum(xs) / len(xs)
        return self


model, data = Model(), [1, 2, 3]
# %% jobq
model.fit(data)
# %%
model.mean


# === a model that is fitted, as the last value
class Model:
    def fit(self, xs):
        self.mean = sum(xs) / len(xs)
        return self

    def __repr__(self):
        return f"Model({vars(self)})"


model = Model()
# %% jobq
model.fit([4])
# %%
model, _ is model

# === a set added to
s = {1}
# %% jobq
s.add(2)
s.discard(1)
# %%
s


# === an attribute of an instance
class A: ...


a = A()
# %% jobq
a.x = [1]
# %%
a.x, type(a) is A

# === something nested
deep = {"a": [{"b": (1, [2])}]}
# %% jobq
deep["a"][0]["b"][1].append(3)
# %%
deep

# === by an alias
xs = [1]
ys = xs
# %% jobq
ys.append(2)
# %%
xs, xs is ys

# === by a function
xs = []


def note(x):
    xs.append(x)


# %% jobq
note("a")
note("b")
# %%
xs

# === by a function, through its argument
xs = [3, 1, 2]


def order(v):
    v.sort()


# %% jobq
order(xs)
# %%
xs

# === a deque, rotated
from collections import deque

q = deque([1, 2, 3], maxlen=3)
# %% jobq
q.append(4)
q.rotate(1)
# %%
q

# === bytes in place
b = bytearray(b"abc")
# %% jobq
b[0] = 120
b.extend(b"!")
# %%
b

# === a counter updated
from collections import Counter

c = Counter("ab")
# %% jobq
c.update("bcc")
c["a"] -= 1
# %%
c

# === an ordered dictionary, moved
from collections import OrderedDict

o = OrderedDict(a=1, b=2)
# %% jobq
o.move_to_end("a")
# %%
o, list(o)

# === a defaultdict that answered
from collections import defaultdict

d = defaultdict(list)
# %% jobq
d["new"].append(1)
d["seen"]
# %%
d

# === the order of a dictionary
d = {"a": 1, "b": 2}
# %% jobq
d["a"] = d.pop("a")
# %%
list(d)

# === an array of the standard library
from array import array

a = array("i", [1, 2])
# %% jobq
a.append(3)
# %%
a

# === a heap
import heapq

h = [5, 7]
# %% jobq
heapq.heappush(h, 1)
heapq.heappop(h)
# %%
h

# === what two names share, inside
shared = [0]
a, b = {"s": shared}, {"s": shared}
# %% jobq
a["s"].append(1)
b["s"].append(2)
shared.append(3)
# %%
a["s"] is b["s"] is shared, shared

# === a list in itself
xs = [1]
xs.append(xs)
# %% jobq
xs.append(2)
# %%
xs[1] is xs, len(xs)

# === a global by augmented assignment
xs = [1]
ys = xs
# %% jobq
xs += [2]
# %%
ys, xs is ys

# === a value that is read and not changed stays the same object
xs = [1]
box = {"xs": xs}
# %% jobq
n = len(xs)
# %%
box["xs"] is xs


# === an instance that knows its parent
class Node:
    def __init__(self, parent=None):
        self.parent, self.kids = parent, []
        if parent:
            parent.kids.append(self)


root = Node()
leaf = Node(root)
# %% jobq
Node(leaf)
leaf.kids[0].tag = "new"
len(root.kids)
# %%
leaf.kids[0].tag, leaf.parent is root, root.kids[0] is leaf

# === a frame whose index is changed
import pandas as pd

df = pd.DataFrame({"k": ["a", "b"], "v": [1, 2]})
# %% jobq
df.set_index("k", inplace=True)
df.loc["a", "v"] = 9
# %%
df.v.to_dict(), df.index.name

# === a series out of a frame
import pandas as pd

df = pd.DataFrame({"a": [1, 2]})
s = df["a"].copy()
# %% jobq
s.iloc[0] = 5
# %%
s.tolist(), df.a.tolist()

# === an iterator that is advanced
it = iter([1, 2, 3])
# %% jobq
next(it)
# %%
next(it)

# === a file in memory
import io

f = io.StringIO()
# %% jobq
f.write("hello")
# %%
f.getvalue(), f.tell()


# === a class attribute stays there
# differs:
class A:
    count = 0


# %% jobq
A.count += 1
A.count
# %% there
assert A.count == 0


# === inside of what a function holds
def f(x, seen=[]):
    seen.append(x)
    return seen


# %% jobq
f(1)
# %% there
assert f(2) == [2]

# === two names change places, and then one of the two changes
a, b, c = [1], [2], {3}
# %% jobq
a, b, c = b, c, a
a.append(9)
# %%
a, b, c

# === something changes, and goes on under another name
rows = [1]
same = rows
# %% jobq
rows.append(2)
before, rows = rows, []
# %%
before is same, same, rows
