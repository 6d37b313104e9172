# === top-level await
import asyncio


# %%
async def f():
    await asyncio.sleep(0)
    return 5


# %% jobq
v = await f()
v


# === async comprehension at top level
async def gen():
    for i in range(3):
        yield i


# %% jobq
vs = [x async for x in gen()]
vs


# === an asynchronous generator
async def ag():
    yield 1


# %% jobq
[x async for x in ag()]

# === gather
import asyncio


async def work(x):
    await asyncio.sleep(0)
    return x * 2


# %% jobq
await asyncio.gather(*(work(i) for i in range(3)))


# === async with and async for
class Source:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        self.closed = True

    def __aiter__(self):
        self.n = 0
        return self

    async def __anext__(self):
        self.n += 1
        if self.n > 3:
            raise StopAsyncIteration
        return self.n


# %% jobq
source, seen = Source(), []
async with source:
    async for x in source:
        seen.append(x)
seen, source.closed
# %%
type(source) is Source


# === an exception in a coroutine
class Oops(Exception): ...


async def f():
    raise Oops("async")


# %% jobq
await f()

# === a task group
# differs: group
import asyncio

results = []


async def put(x):
    results.append(x)


# %% jobq
async with asyncio.TaskGroup() as group:
    for i in range(3):
        group.create_task(put(i))
sorted(results)
# %%
sorted(results)

# === await in the middle, and a value in the end
import asyncio

# %% jobq
a = await asyncio.sleep(0, "done")
b = len(a)
a, b
