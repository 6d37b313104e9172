# === of the language
# %% jobq
{}["missing"]


# === of the notebook
class Oops(Exception): ...


# %% jobq
raise Oops("no", 3)


# === of the notebook, with keywords only
class Bad(Exception):
    def __init__(self, *, code):
        super().__init__(code)
        self.code = code


# %%
caught = None
# %% jobq
try:
    raise Bad(code=3)
except Bad as error:
    caught = error.code
caught

# === chained, and not to be told
# %% jobq
try:
    {}["k"]
except KeyError:
    raise ValueError("clean") from None

# === a group, caught by except*
# %% jobq
found = []
try:
    raise ExceptionGroup("several", [ValueError("a"), TypeError("b")])
except* ValueError as group:
    found.append(len(group.exceptions))
except* TypeError:
    found.append("type")
found


# === with notes
# %% jobq
def fail():
    error = ValueError("x")
    error.add_note("look here")
    raise error


fail()


# === raised in a function of the notebook
def f(x):
    return g(x)


def g(x):
    raise ValueError(x)


# %% jobq
f("deep")

# === an assertion
x = 3
# %% jobq
assert x == 4, f"x is {x}"


# === kept as a value
class Oops(Exception):
    def __init__(self, a):
        super().__init__(a)
        self.a = a


# %% jobq
try:
    raise Oops([1])
except Oops as e:
    kept = e
# %%
type(kept) is Oops, kept.a, kept.args

# === of the operating system
# %% jobq
open("/not/there")


# === with a class of the cell
# %% jobq
class Mine(ValueError): ...


raise Mine("of the cell")

# === a warning made an error
import warnings

warnings.simplefilter("error")
# %% jobq
warnings.warn("careful")

# === a stop that is no failure
# %% jobq
import sys

x = 1
print("before")
x


# === of a hierarchy of the notebook
class Base(Exception): ...


class Child(Base): ...


def risky():
    raise Child("c")


# %% jobq
try:
    risky()
except Base as error:
    kind = type(error)
kind is Child
# %%
kind is Child

# === of the notebook, with attributes
class Bad(Exception):
    def __init__(self, code, why):
        super().__init__(f"{code}: {why}")
        self.code, self.why = code, why
# %% jobq
raise Bad(3, "because")

# === chained, on purpose
class Outer(Exception): ...
# %% jobq
try:
    {}["k"]
except KeyError as error:
    raise Outer("wrapped") from error

# === chained, by accident
# %% jobq
try:
    {}["k"]
except KeyError:
    raise ValueError("on the way")

# === a group, as a value
class Oops(Exception): ...
# %% jobq
group = ExceptionGroup("several", [ValueError("a"), ExceptionGroup("inner", [Oops("b")])])
# %%
type(group.exceptions[1].exceptions[0]) is Oops, group.message

# === chained, and kept as a value
class Oops(Exception):
    def __init__(self, code, *, more):
        super().__init__(f"code {code}")
        self.code, self.more = code, more
# %% jobq
try:
    try:
        {}["k"]
    except KeyError as error:
        raise Oops(3, more=[1]) from error
except Oops as error:
    kept = error
# %%
type(kept) is Oops, kept.code, kept.more, type(kept.__cause__).__name__, kept.__suppress_context__

# === an exception that travels there and back
class Oops(Exception):
    def __init__(self, code, *, more):
        super().__init__(f"code {code}")
        self.code, self.more = code, more
error = Oops(3, more=[1])
# %% jobq
error.more.append(2)
error.code
# %%
error.more, type(error) is Oops
