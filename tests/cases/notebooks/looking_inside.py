# === inspect.getsource
import inspect


# %%
def f(x):
    # a comment
    return x


# %% jobq
inspect.getsource(f)

# === standard streams
import sys


# %%
class W:
    pass


# %%
w = W()
w.out = sys.stdout
# %% jobq
w.out is sys.stdout

# === a logger
import logging

# %%
log = logging.getLogger("jobq.case")
# %% jobq
log.name

# === the source of a class
import inspect


class A:
    # a comment in it
    def f(self):
        return 1


# %% jobq
print(inspect.getsource(A))

# === the source of a decorated function
import inspect, functools


def deco(f):
    @functools.wraps(f)
    def inner():
        return f()

    return inner


@deco
def g():
    return "g"


# %% jobq
inspect.getsource(g)

# === the source of what the cell defines
import inspect


# %% jobq
def h():
    # of the cell
    return 1


inspect.getsource(h)

# === signatures
import inspect


def f(a, b: int = 3, *, c=None): ...


class A:
    def __init__(self, x, y=2): ...


# %% jobq
str(inspect.signature(f)), str(inspect.signature(A))


# === names of things
def f(): ...


class A:
    class B: ...

    def m(self): ...


# %% jobq
f.__module__, f.__qualname__, A.B.__qualname__, A.m.__qualname__, A.__module__

# === the module __main__
import sys

v = 3


def f():
    return sys.modules["__main__"].v


# %% jobq
import __main__

f() if "v" in globals() else None, v, __main__.__name__

# === prints and displays in order
# %% jobq
from IPython.display import display, HTML

print("a")
display({"x": 1})
print("b", end="")
display("c", [1])
print("d")

# === prints to nowhere and to a text
import io, contextlib

# %% jobq
with contextlib.redirect_stdout(io.StringIO()) as f:
    print("inside")
print("outside")
f.getvalue()

# === print with all its arguments
# %% jobq
print(1, "é", sep="|", end="\n\n")
print("\ttab", flush=True)


# === pretty repr of a class of the notebook
class A:
    def _repr_html_(self):
        return "<b>A</b>"

    def __repr__(self):
        return "A!"


a = A()
# %% jobq
display(a)
a

# === the frame of a function
import sys


def who():
    return sys._getframe(1).f_code.co_name, sys._getframe().f_globals["__name__"]


# %% jobq
who()


# === line numbers of the notebook
def f():
    import sys

    return sys._getframe().f_lineno


# %% jobq
f()

# === a logger of the notebook
import logging, sys

log = logging.getLogger("jobq.case.two")
log.setLevel(logging.INFO)
# %% jobq
log.name, log.parent.name
