# === random numbers after a seed
import random

# %%
random.seed(4)
# %%
_ = random.random()
# %% jobq
random.random()

# === numpy's random numbers after a seed
import numpy as np

# %%
np.random.seed(4)
# %% jobq
np.random.rand(2).tolist()

# === a generator of numpy
import numpy as np

# %%
rng = np.random.default_rng(1)
# %% jobq
rng.integers(0, 9, 3).tolist()

# === numpy's older generator, advanced
import numpy as np

np.random.seed(0)
_ = np.random.rand(3)
# %% jobq
np.random.rand(2).tolist()

# === a generator of random's own
import random

r = random.Random(3)
_ = r.random()
# %% jobq
r.random()
# %%
r.random()

# === options of pandas
import pandas as pd

pd.set_option("display.max_rows", 7)
pd.options.display.precision = 2
# %% jobq
pd.get_option("display.max_rows"), pd.options.display.precision

# === how numpy prints
import numpy as np

np.set_printoptions(precision=2, suppress=True)
# %% jobq
print(np.array([1.23456, 2e-9]))

# === filters of warnings
import warnings

warnings.filterwarnings("ignore", message="old")


def f():
    warnings.warn("old thing", DeprecationWarning)
    return 1


# %% jobq
f()

# === the working folder and files in it
import os, pathlib

_ = pathlib.Path("data.txt").write_text("hello")
# %% jobq
text = open("data.txt").read()
os.path.basename(os.getcwd()), text

# === a folder put on the path
import sys, pathlib

pathlib.Path("libs").mkdir()
_ = pathlib.Path("libs/far_module.py").write_text("V = 'far'")
sys.path.insert(0, "libs")
import far_module

# %% jobq
far_module.V

# === an environment variable that was set
import os

os.environ["JOBQ_CASE_X"] = "1"
# %% jobq
os.environ["JOBQ_CASE_X"], os.getenv("JOBQ_CASE_NOT", "none")

# === the precision of decimals stays here, and a note says so
import decimal

decimal.getcontext().prec = 5
# %% jobq
p = decimal.getcontext().prec
# %% there
assert p == 28
# differs: p
