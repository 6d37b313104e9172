# === a generator
# refused: cannot-travel: gen is a generator
gen = (i for i in range(3))
# %% jobq
next(gen)

# === a generator in data
# refused: cannot-travel: box['g'] is a generator
box = {"g": (i for i in range(3)), "n": 1}
# %% jobq
box["n"]

# === an open file
# refused: cannot-travel: f is an open file
f = open(__import__("os").devnull)
# %% jobq
f.name

# === a socket
# refused: cannot-travel: s is a socket
import socket
s = socket.socket()
# %% jobq
s.fileno()

# === a running thread
# refused: cannot-travel: t
import threading
t = threading.Thread(target=print)
# %% jobq
t.name

# === a connection to a database
# refused: cannot-travel: db is a connection to a database
import sqlite3
db = sqlite3.connect(":memory:")
# %% jobq
db.execute("select 1").fetchall()

# === a lock deep inside
# refused: cannot-travel: trainer.parts[1]['lock'] is a lock
import threading
class Trainer: ...
trainer = Trainer()
trainer.parts = [1, {"lock": threading.Lock()}]
# %% jobq
trainer.parts[0]

# === a lock that a function reads is named with the way to it
# refused: cannot-travel: used by: cell → fit
import threading
class State: ...
state = State()
state.lock = threading.Lock()
def fit():
    with state.lock:
        return 1
# %% jobq
fit()

# === a coroutine that was not awaited
# refused: cannot-travel: coro is a coroutine
async def f():
    return 1
coro = f()
# %% jobq
await coro
# %%
coro.close()

# === a lock that a closure holds
# refused: cannot-travel: a lock
import threading
def make():
    lock = threading.Lock()
    def f():
        with lock:
            return 1
    return f
f = make()
# %% jobq
f()

# === what cannot travel and is not needed
import threading, socket
lock, sock, gen = threading.Lock(), socket.socket(), (i for i in "ab")
data = [1]
# %% jobq
data + [2]
# %%
sock.close()

# === what cannot travel, left out
import threading
lock = threading.Lock()
def f(safe):
    if safe:
        with lock:
            return 1
    return 2
# %% jobq --exclude lock
f(False)

# === what cannot travel, made anew
import sqlite3
db = sqlite3.connect(":memory:")
# %% jobq --remake db
db.execute("select 40 + 2").fetchone()

# === a secret
# refused: secret-in-value: token
api_token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
# %% jobq
len(api_token)

# === a question
# refused: input-in-cell: input()
# %% jobq
input("name? ")

# === an empty cell
# refused: empty-cell: empty
# %% jobq
# nothing but a comment

# === a cell that does not compile
# refused: syntax-error: does not compile
# %% jobq
def f(:
    pass

# === a name that the cell does not bind
# refused: unknown-out: does not bind 'b'
# %% jobq -o b
a = 1

