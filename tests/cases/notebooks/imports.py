# === a module
import math

# %% jobq
math.sqrt(16)

# === a module under another name
import collections as c

# %% jobq
c.Counter("aab")

# === a name from a module
from math import pi, floor as f

# %% jobq
f(pi)

# === a sub-module reached by attribute
import xml.dom.minidom

# %% jobq
xml.dom.minidom.parseString("<a/>").toxml()

# === a sub-module that another cell imported
import os

# %%
import concurrent.futures
import concurrent

# %% jobq
concurrent.futures.Future.__name__

# === a sub-module reached by getattr
import xml.etree.ElementTree


# %%
def tag(t):
    return getattr(xml, "etree").ElementTree.fromstring(t).tag


# %% jobq
tag("<q/>")

# === an import in a try
try:
    import json as j
except ImportError:
    j = None
# %% jobq
j.dumps([1])

# === a name bound by star import
# %% jobq
from math import *

floor(pi)

# === a name from an earlier star import
from math import *

# %% jobq
floor(pi)

# === names imported from numpy
from numpy import sin, float32, ndarray

# %%
from numpy.linalg import norm

# %% jobq
float(sin(0)), float32(1), norm([3, 4]), ndarray

# === an import that fell back
try:
    import nonexist as q
except ImportError:
    q = None
# %% jobq
q is None

# === a module beside the notebook
import pathlib

_ = pathlib.Path("helper_one.py").write_text("K = 4\ndef double(x):\n    return x * 2 + K\n")
import helper_one

# %% jobq
helper_one.double(1)

# === a name from a module beside the notebook
import pathlib

_ = pathlib.Path("helper_two.py").write_text("class P:\n    def __init__(self, v):\n        self.v = v\n")
from helper_two import P

p = P(3)
# %% jobq
q = P(p.v + 1)
q.v, type(p) is P
# %%
type(q) is P

# === a package beside the notebook, with a relative import
import pathlib

pathlib.Path("pkg_a").mkdir()
_ = pathlib.Path("pkg_a/__init__.py").write_text("from .core import run\n")
_ = pathlib.Path("pkg_a/core.py").write_text("from . import base\ndef run(x):\n    return base.N + x\n")
_ = pathlib.Path("pkg_a/base.py").write_text("N = 10\n")
import pkg_a

# %% jobq
pkg_a.run(1), pkg_a.base.N

# === a sub-module by its full name
import os.path, collections.abc

# %% jobq
os.path.basename("/a/b"), issubclass(list, collections.abc.Sequence)


# === an import within a function
def f(x):
    import json

    return json.dumps(x)


# %% jobq
f([1])

# === an import in the cell of what an earlier cell imported too
import math

# %% jobq
import math, json as j
from math import sqrt as root

j.dumps(root(math.pow(2, 2)))

# === names that are imported under others
from collections import OrderedDict as OD, namedtuple as nt

# %% jobq
P = nt("P", "x")
OD(a=1), P(1).x

# === importlib by a name
import importlib

m = importlib.import_module("json")
# %% jobq
m.dumps([1])

# === a module in data
import math, json

tools = {"m": math, "j": json}
# %% jobq
tools["m"].floor(2.5), tools["j"].dumps(1)

# === a constant of a module
from math import pi
from string import digits

# %% jobq
round(pi, 2), digits[:3]

# === a constant of a module, bound anew
from math import pi

pi = 3
# %% jobq
pi

# === what is set on a module of the standard library stays here
import math

tau = math.tau
# %% jobq
tau == math.tau

# === an import that fails in the cell
# %% jobq
import not_there_at_all

# === __future__ in the cell
# %% jobq
from __future__ import annotations


def f(x: Undefined) -> None: ...


f.__annotations__

# === a star import in the cell, and a name of the notebook
factor = 2
# %% jobq
from operator import *

mul(factor, 3)
