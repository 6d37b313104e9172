# === a decorator
import functools


# %%
def twice(f):
    @functools.wraps(f)
    def w(*a):
        return f(*a) * 2

    return w


# %%
@twice
def g(x):
    return x


# %% jobq
g(5), g.__name__


# === a decorator that calls a helper
def deco(f):
    return wrap(f)


# %%
def wrap(f):
    return lambda: f() + 1


# %%
@deco
def a():
    return 1


# %% jobq
a()


# === a decorator with arguments
def times(n):
    def d(f):
        return lambda *a: f(*a) * n

    return d


# %%
factor = 3


# %%
@times(factor)
def g(x):
    return x


# %% jobq
g(2)

# === lru_cache
from functools import lru_cache


# %%
@lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


# %% jobq
fib(30)

# === lru_cache by call
from functools import lru_cache


# %%
def slow(x):
    return x + 1


# %%
fast = lru_cache(slow)
# %% jobq
fast(1)

# === lru_cache in data
from functools import lru_cache


# %%
@lru_cache
def f(x):
    return x + 1


# %%
fs = [f]
# %% jobq
fs[0](1), fs[0] is f

# === singledispatch
from functools import singledispatch


# %%
@singledispatch
def show(x):
    return "any"


# %%
@show.register
def _(x: int):
    return "int"


# %%
@show.register(str)
def _(x):
    return "str"


# %% jobq
show(1), show("a"), show(1.5)

# === a context manager
from contextlib import contextmanager


# %%
@contextmanager
def cm():
    yield 4


# %% jobq
with cm() as v:
    w = v
w

# === decorators with arguments, twice
import functools


def retry(n):
    def d(f):
        @functools.wraps(f)
        def w(*a, **k):
            return [f(*a, **k) for _ in range(n)]

        return w

    return d


# %%
@retry(2)
def g(x: int = 3) -> int:
    "doc"
    return x


# %%
h = retry(3)(g)
# %% jobq
g(), h(), g.__doc__


# === a registry in a class
class Hub:
    handlers = {}

    @classmethod
    def on(cls, name):
        def keep(f):
            cls.handlers[name] = f
            return f

        return keep


@Hub.on("x")
def handle(v):
    return v * 2


# %% jobq
Hub.handlers["x"](4), sorted(Hub.handlers)

# === wraps keeps what was wrapped
from functools import wraps


def loud(f):
    @wraps(f)
    def inner(*a):
        return str(f(*a)) + "!"

    return inner


@loud
def hi(n):
    "says hi"
    return n


# %% jobq
hi(1), hi.__doc__, hi.__wrapped__(1), hi.__name__


# === two decorators, one above the other
def plus(f):
    return lambda *a: f(*a) + 1


def times(f):
    return lambda *a: f(*a) * 10


@plus
@times
def f(x):
    return x


# %% jobq
f(1)

# === lru_cache that holds answers
from functools import lru_cache


@lru_cache(maxsize=8)
def f(x):
    return [x]


kept = f(1)
# %% jobq
f(1), f.cache_parameters()["maxsize"]

# === a method with lru_cache
from functools import lru_cache


class A:
    @lru_cache(maxsize=None)
    def f(self, x):
        return x * 2


a = A()
_ = a.f(3)
# %% jobq
a.f(3), a.f(4)

# === a method that dispatches on type
from functools import singledispatchmethod


class Show:
    @singledispatchmethod
    def it(self, x):
        return "any"

    @it.register
    def _(self, x: int):
        return "int"


# %% jobq
Show().it(1), Show().it("a")

# === singledispatch over classes of the notebook
from functools import singledispatch


class A: ...


class B(A): ...


@singledispatch
def name(x):
    return "?"


@name.register(A)
def _name_a(x):
    return "A"


# %%
@name.register
def _name_b(x: B):
    return "B"


# %% jobq
name(A()), name(B()), name(1)

# === a context manager made of a generator, with state
from contextlib import contextmanager

log = []


@contextmanager
def logged(name):
    log.append("in " + name)
    yield
    log.append("out " + name)


# %% jobq
with logged("a"):
    log.append("body")
log
# %%
log

# === a decorator that needs a global at definition
seen = []


# %%
def reg(f):
    seen.append(f.__name__)
    return f


# %%
@reg
def g():
    return 1


# %% jobq
g()

# === a registry of functions, filled by decorators
registry = {}


def register(f):
    registry[f.__name__] = f
    return f


@register
def one():
    return 1


@register
def two():
    return 2


# %% jobq
{name: f() for name, f in sorted(registry.items())}, registry["one"] is one

# === a list of functions, filled by decorators
hooks = []


def hook(f):
    hooks.append(f)
    return f


@hook
def a():
    return "a"


@hook
def b():
    return "b"


# %% jobq
[f() for f in hooks], hooks[0] is a
# %%
len(hooks), hooks[0] is a

# === a counter that a decorator drives
calls = {"n": 0}


def counted(f):
    calls["n"] += 1
    return f


@counted
def f():
    return calls["n"]


# %% jobq
f(), calls["n"]
# %%
calls


# === a registry in an instance
class App:
    def __init__(self):
        self.routes = []

    def route(self, path):
        def keep(f):
            self.routes.append((path, f))
            return f

        return keep


app = App()


@app.route("/")
def index():
    return "index"


@app.route("/x")
def x():
    return "x"


# %% jobq
[(path, f()) for path, f in app.routes]
# %%
len(app.routes)


# === a decorator that replaces a function by an instance
class Memo:
    def __init__(self, f):
        self.f, self.seen = f, {}

    def __call__(self, x):
        if x not in self.seen:
            self.seen[x] = self.f(x)
        return self.seen[x]


@Memo
def slow(x):
    return [x]


_ = slow(1)
# %% jobq
slow(2) is slow(2), sorted(slow.seen)


# === a decorator with state, that counts calls
def counted(f):
    def inner(*a):
        inner.calls += 1
        return f(*a)

    inner.calls = 0
    return inner


@counted
def f():
    return "f"


_ = f(), f()
# %% jobq
f(), f.calls


# === a class decorator with an argument
def tag(**kw):
    def put(cls):
        for k, v in kw.items():
            setattr(cls, k, v)
        return cls

    return put


@tag(colour="red", n=[1])
class A: ...


A.n.append(2)
# %% jobq
A.colour, A.n

# === plugins that announce themselves to their base class
plugins = []


class Plugin:
    def __init_subclass__(cls):
        plugins.append(cls)


class A(Plugin):
    pass


class B(Plugin):
    pass


# %% jobq
[p.__name__ for p in plugins], plugins[0] is A
# %%
len(plugins), plugins[0] is A

# === plugins that a metaclass writes down
table = {}


class Meta(type):
    def __init__(cls, name, bases, body):
        super().__init__(name, bases, body)
        table[name] = cls


class A(metaclass=Meta):
    v = 1


# %% jobq
sorted(table), table["A"] is A, A().v

# === a registry that only the functions know of
commands = {}


def command(name):
    def keep(f):
        commands[name] = f
        return f

    return keep


@command("hi")
def hi():
    return "hi " + str(len(commands))


def call(name):
    return commands[name]()


# %% jobq
call("hi")

# === a cache that a decorator writes into
cache = {}


def cached(f):
    def inner(x):
        if x not in cache:
            cache[x] = f(x)
        return cache[x]

    return inner


@cached
def f(x):
    return [x]


_ = f(1)
# %% jobq
f(2) is f(2), sorted(cache)
# %%
sorted(cache)


# === a cache that is an attribute too
def memo(f):
    cache = {}

    def inner(x):
        if x not in cache:
            cache[x] = f(x)
        return cache[x]

    inner.cache = cache
    return inner


@memo
def f(x):
    return [x]


_ = f(1)
# %% jobq
f(2)
sorted(f.cache)


# === a number that a decorator counts in
made = 0


def numbered(function):
    global made
    made += 1
    function.number = made
    return function


@numbered
def a(): ...


@numbered
def b(): ...


# %% jobq
a.number, b.number, made
