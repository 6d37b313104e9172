# === only what is asked for
# %% jobq -o a
a, b = [1], [2]
# %%
a
# %% there
assert "b" not in globals()
# %% here
del b

# === nothing, where nothing is wanted
x = [1]
# %% jobq --no-out
x.append(2)
y = 3
len(x)
# %% there
assert x == [1] and "y" not in globals()
# %% here
x.pop()
del y

# === a lock is told by name, and the others come
# %% jobq
import threading

lock, n = threading.Lock(), 5
# %%
n
# %% there
assert "lock" not in globals()
# %% here
del lock

# === two names, one object
# %% jobq
a = [1]
b = a
c = {"a": a}
# %%
a is b, c["a"] is a

# === a large array
import numpy as np

# %% jobq
big = np.arange(2_000_000)
half = big[:10]
int(big.sum())
# %%
int(big[-1]), big.flags.writeable, half.tolist()

# === a large array there and back
import numpy as np

big = np.ones(1_000_000)
# %% jobq
big[3] = 7
float(big.sum())
# %%
float(big[3]), big.flags.writeable


# === an instance of a class that only the cell knows
# %% jobq
class Local:
    def __init__(self):
        self.v = [1]

    def get(self):
        return self.v


it = Local()
# %%
it.get(), type(it).__name__


# === an instance of a class of the notebook, in data
class A:
    def __init__(self, n):
        self.n = n


# %% jobq
made = {"a": [A(1), A(2)]}
made["b"] = made["a"][0]
# %%
[type(a) is A for a in made["a"]], made["b"] is made["a"][0]

# === the last value is what a name holds
# %% jobq
x = [1]
x
# %%
_ is x, x

# === the last value is what was there before
x = [1]
# %% jobq
x
# %%
_ == x

# === a last value that cannot come back is shown
import threading

# %% jobq
n = 1
threading.Lock() and n

# === a semicolon hides the last value
# %% jobq
x = 5
x
# === no last value
# %% jobq
x = 5
print("only printed")

# === a lambda and a closure
k = 2


# %% jobq
def make(n):
    return lambda x: x * n + k


f = make(10)
# %%
f(1)

# === a generator is told by name
# %% jobq
g = (i for i in range(3))
n = 1
# %% there
assert "g" not in globals()
# %% here
del g
# %%
n

# === a module bound to another name
# differs: m
# %% jobq
import math

m = math
r = m.sqrt(4)
# %%
r

# === what earlier names held is replaced
x, y = "old", "old"
# %% jobq
x = "new"
# %%
x, y

# === what a failing cell bound stays there
# differs: b
a = "before"
# %% jobq
a, b = "after", 1
1 / 0
# %% there
assert a == "before" and "b" not in globals()
# %% here
a = "before"
