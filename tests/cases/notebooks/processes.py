# === a thread pool
# differs: pool
from concurrent.futures import ThreadPoolExecutor


def f(x):
    return x * 2


# %% jobq
with ThreadPoolExecutor(2) as pool:
    out = list(pool.map(f, range(3)))
out

# === threads and a lock made there
import threading

total = [0]


def add(lock, n):
    for _ in range(n):
        with lock:
            total[0] += 1


# %% jobq
lock = threading.Lock()
ts = [threading.Thread(target=add, args=(lock, 50)) for _ in range(2)]
[t.start() for t in ts]
[t.join() for t in ts]
done = total[0]
del lock, ts
done
# %%
total

# === a child process by fork
# differs: pool
import multiprocessing


def f(x):
    return x * factor


factor = 3
# %% jobq
with multiprocessing.get_context("fork").Pool(1) as pool:
    out = pool.map(f, [1, 2])
out

# === another program
import subprocess, sys

# %% jobq
subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout
