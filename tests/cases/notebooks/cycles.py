# === a dictionary in itself
d = {}
d["me"] = d
# %% jobq
d["me"]["me"] is d

# === two lists in each other
a, b = [], []
a.append(b)
b.append(a)
# %% jobq
a[0][0] is a, a[0] is b
# %%
a[0] is b, b[0] is a

# === a function in a list that it reads
fs = []


def f():
    return len(fs)


fs.append(f)
# %% jobq
f(), fs[0] is f


# === an instance that holds its class
class A: ...


a = A()
a.kind = A
# %% jobq
a.kind is A, a.kind is type(a)


# === a closure that holds itself
def make():
    def fact(n):
        return 1 if n < 2 else n * fact(n - 1)

    return fact


fact = make()
# %% jobq
fact(5)

# === a partial that holds what reads it
from functools import partial


def f(x):
    return x + len(tables)


tables = {}
tables["f"] = partial(f, 1)
# %% jobq
tables["f"]()


# === an instance reached by its own bound method
class A:
    def __init__(self):
        self.hook = self.run
        self.n = 1

    def run(self):
        return self.n


a = A()
# %% jobq
a.n = 5
a.hook(), a.hook.__self__ is a
# %%
a.hook(), a.hook.__self__ is a

# === a default of a function that is an instance of what reads it
class A:
    def make(self):
        return f()
def f(a=None):
    return a
f.__defaults__ = (A(),)
# %% jobq
type(f()) is A, type(A().make()) is A
