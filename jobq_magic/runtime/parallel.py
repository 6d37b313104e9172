"""`parallel_map` and its family: on the workers of Ray where the process has Ray, else in this process.

On Ray, items travel in batches that are sized by the time they took so far, through a sliding window that keeps every
worker busy; results come back in the order of the items. Elsewhere the same calls run here, one item after the other,
or in `max_concurrency` threads. Standard library at import; Ray is imported by the first call that uses it.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from itertools import islice

from .progress import progress as tell_progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

__all__ = [
    "get_num_workers",
    "get_ray_resources",
    "get_total_cpus",
    "is_ray_available",
    "parallel_map",
    "parallel_starmap",
    "scatter_gather",
]

BATCH_SECONDS = 0.03
"""Work in one task: a task costs about 0.7 ms, so 30 ms of work hide it, and the last ones still end together."""
LONGEST_SECONDS = 0.3
"""A batch that turns out longer hands back what it did not begin: its first items said too little about the others."""
connected = False
"""Whether it was a call of this module that connected to Ray, so that a `ray.init` of the cell is its first one."""
GROWTH = 4
LARGEST = 4096


def parallel_map(
    func: Callable[..., Any],
    items: Iterable[Any],
    *,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    max_concurrency: int | None = None,
    return_exceptions: bool = False,
    progress: bool | str = True,
    **kwargs: Any,
) -> list[Any]:
    """`[func(item, **kwargs) for item in items]`, on all workers.

    Args:
        func: what to call; defined in the notebook or imported.
        items: what to call it with; read as it is needed, so that a generator is never held as a whole.
        num_cpus: CPUs that each call takes; as many as a worker has if not given.
        num_gpus: GPUs that each call takes; as many as a worker has if not given.
        max_concurrency: the most calls at a time. Without Ray, the number of threads; not given, there are none.
        return_exceptions: puts an exception in the place of the result. Otherwise the first one that is seen is
            raised as itself, with the worker's traceback and the item's place as notes, and what has not run is
            cancelled. A worker that dies is an exception of all the calls that it had at hand; they are not tried
            again.
        progress: whether to say how far it is, or the label to say it under.
        kwargs: further arguments of each call.

    Returns:
        The results, in the order of the items.
    """
    calls = ((item,) for item in items)
    return _all(
        _Work(func, kwargs, num_cpus, num_gpus, max_concurrency, return_exceptions, _label(func, progress)),
        calls,
        _length(items),
    )


def parallel_starmap(
    func: Callable[..., Any],
    items: Iterable[Sequence[Any]],
    *,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    max_concurrency: int | None = None,
    return_exceptions: bool = False,
    progress: bool | str = True,
    **kwargs: Any,
) -> list[Any]:
    """`[func(*item, **kwargs) for item in items]`, on all workers; otherwise as `parallel_map`."""
    calls = (tuple(item) for item in items)
    return _all(
        _Work(func, kwargs, num_cpus, num_gpus, max_concurrency, return_exceptions, _label(func, progress)),
        calls,
        _length(items),
    )


def scatter_gather(
    tasks: Iterable[tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]],
    *,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    max_concurrency: int | None = None,
    return_exceptions: bool = False,
    progress: bool | str = True,
) -> list[Any]:
    """`[func(*args, **kwargs) for func, args, kwargs in tasks]`, on all workers; otherwise as `parallel_map`."""
    return _all(
        _Work(_call, {}, num_cpus, num_gpus, max_concurrency, return_exceptions, _label(None, progress)),
        ((func, tuple(args), dict(kwargs)) for func, args, kwargs in tasks),
        _length(tasks),
    )


def _call(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return func(*args, **kwargs)


def is_ray_available() -> bool:
    """Whether this process has Ray to work with: it runs as a job on Ray, or has called `ray.init`."""
    ray = sys.modules.get("ray")
    return "JOBQ_RAY" in os.environ or (ray is not None and hasattr(ray, "is_initialized") and ray.is_initialized())


def get_num_workers() -> int:
    """The workers that this job asked for, whether they are there yet or not.

    Elsewhere the nodes of Ray beside its head; 1 without Ray.
    """
    if (asked := os.environ.get("JOBQ_WORKERS")) is not None:
        return int(asked)
    if not is_ray_available():
        return 1
    nodes = [node["Resources"] for node in _ray().nodes() if node["Alive"]]
    return max(1, sum("node:__internal_head__" not in resources for resources in nodes))


def get_ray_resources() -> dict[str, float]:
    """All that Ray has now, in use or not: `CPU`, `memory`, ...; nothing without Ray."""
    return dict(_ray().cluster_resources()) if is_ray_available() else {}


def get_total_cpus() -> int:
    """The CPUs of all workers together, those that are not there yet among them.

    Without Ray, those of this machine that this process may use.
    """
    if is_ray_available():
        return int(resources(_ray()).get("CPU", 0))
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def resources(ray: Any) -> dict[str, float]:
    """What tasks may count on: all that Ray has, and in a cluster of the job's own, what was asked for.

    There the first line of a cell does not wait for the last worker, but its tasks do.
    """
    has = dict(ray.cluster_resources())
    if "JOBQ_RAY_STATE" in os.environ:
        for kind, asked in {"CPU": "JOBQ_WORKER_CPUS", "GPU": "JOBQ_WORKER_GPUS"}.items():
            has[kind] = max(has.get(kind, 0), float(os.environ.get(asked) or 0) * get_num_workers())
    return has


class _Work:
    def __init__(
        self,
        func: Callable[..., Any],
        kwargs: Mapping[str, Any],
        num_cpus: float | None,
        num_gpus: float | None,
        max_concurrency: int | None,
        return_exceptions: bool,
        label: str | None,
    ) -> None:
        self.func, self.kwargs = func, kwargs
        self.num_cpus, self.num_gpus, self.max_concurrency = num_cpus, num_gpus, max_concurrency
        self.return_exceptions, self.label = return_exceptions, label

    def say(self, done: int, total: int | None) -> None:
        if self.label is not None:
            tell_progress(done, total, self.label)


def _label(func: object, wanted: bool | str) -> str | None:
    if isinstance(wanted, str):
        return wanted
    name = getattr(func, "__name__", "")
    return ("" if name == "<lambda>" else name) if wanted else None


def _length(items: object) -> int | None:
    return len(items) if hasattr(items, "__len__") else None


def _all(work: _Work, calls: Iterator[tuple[Any, ...]], total: int | None) -> list[Any]:
    if work.max_concurrency is not None and work.max_concurrency < 1:
        raise ValueError(f"max_concurrency must be 1 or more, not {work.max_concurrency}")
    if is_ray_available():
        return _on_ray(work, calls, total)
    return _in_threads(work, calls, total) if (work.max_concurrency or 1) > 1 else _here(work, calls, total)


def _once(work: _Work, number: int, call: tuple[Any, ...]) -> Any:
    try:
        return work.func(*call, **work.kwargs)
    except Exception as error:
        if work.return_exceptions:
            return error
        error.add_note(_place(number))
        raise


def _place(number: int) -> str:
    return f"This was item {number}, counted from 0."


def _here(work: _Work, calls: Iterator[tuple[Any, ...]], total: int | None) -> list[Any]:
    results = []
    for number, call in enumerate(calls):
        results.append(_once(work, number, call))
        work.say(len(results), total)
    return results


def _in_threads(work: _Work, calls: Iterator[tuple[Any, ...]], total: int | None) -> list[Any]:
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

    assert work.max_concurrency is not None
    results: dict[int, Any] = {}
    with ThreadPoolExecutor(work.max_concurrency, thread_name_prefix="parallel_map") as pool:
        flying: dict[Future[Any], int] = {}
        numbered = enumerate(calls)
        try:
            while True:
                for number, call in islice(numbered, work.max_concurrency - len(flying)):
                    flying[pool.submit(_once, work, number, call)] = number
                if not flying:
                    break
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    results[flying.pop(future)] = future.result()
                    work.say(len(results), total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[number] for number in range(len(results))]


def _ray() -> Any:
    import ray  # the only place: half a second that only a job on Ray should spend

    if not ray.is_initialized():
        # In a job, the address is in the environment.
        ray.init(address=os.environ.get("RAY_ADDRESS"), logging_level=30)  # its greetings are not the cell's
        global connected
        connected = True
    return ray


def _on_ray(work: _Work, calls: Iterator[tuple[Any, ...]], total: int | None) -> list[Any]:
    ray = _ray()
    cpus = work.num_cpus if work.num_cpus is not None else float(os.environ.get("JOBQ_WORKER_CPUS", "1"))
    gpus = work.num_gpus if work.num_gpus is not None else float(os.environ.get("JOBQ_WORKER_GPUS", "0"))
    slots = _slots(ray, {"CPU": cpus, "GPU": gpus})
    if work.max_concurrency is None:
        window = 2 * slots  # the next batch lies ready where one ends
    else:
        slots = min(slots, work.max_concurrency)
        window = work.max_concurrency
    # No retries: what died in the middle of a batch had done part of it.
    remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_task())
    shared = ray.put((work.func, dict(work.kwargs)))
    return _Flight(ray, work, remote, shared, _Batches(calls, total, slots), total).land(window)


def _slots(ray: Any, needs: dict[str, float]) -> int:
    """How many calls can run at a time.

    Raises:
        ValueError: not even one.
    """
    has, slots = resources(ray), []
    for kind, need in needs.items():
        if need > 0:
            if (there := has.get(kind, 0)) < need:
                raise ValueError(f"each call asks for {need:g} {kind}s, and this Ray has {there:g}")
            slots.append(int(there // need))
    return max(1, min(slots, default=4 * get_num_workers()))


def _task() -> Callable[..., Any]:
    """The function that Ray's workers run.

    A new function without names of this module, so that it goes by value to workers that do not have the module.
    """

    def parallel_map(shared: Any, calls: list[Any], seconds: float, stop_at_error: bool) -> Any:
        import time

        func, kwargs = shared
        outcomes: list[Any] = []
        began = time.perf_counter()
        for call in calls:
            try:
                outcomes.append((True, func(*call, **kwargs)))
            except Exception as error:
                outcomes.append((False, _portable(error)))
                if stop_at_error:
                    break
            if time.perf_counter() - began > seconds:
                break
        return time.perf_counter() - began, outcomes

    def _portable(error: Exception) -> tuple[Any, str]:
        """The exception in parts that can be pickled, and its traceback as text."""
        import traceback

        from ray import cloudpickle

        frames = error.__traceback__.tb_next if error.__traceback__ is not None else None
        text = "".join(traceback.format_exception(type(error), error, frames)).rstrip()
        error.with_traceback(None).__context__ = error.__cause__ = None
        # As it is; or by its parts, for one whose __init__ takes other arguments than it hands on; or in words.
        for parts in ((error,), (type(error), error.args, vars(error))):
            try:
                cloudpickle.loads(cloudpickle.dumps(parts))
            except Exception:  # noqa: S112  any that pickling raises: the next form is tried
                continue
            return parts, text
        return (RuntimeError(f"{type(error).__name__}: {error}"),), text

    return parallel_map


class _Batches:
    """Cuts the calls into batches that take about `BATCH_SECONDS`, and smaller ones near the end."""

    def __init__(self, calls: Iterator[tuple[Any, ...]], total: int | None, slots: int) -> None:
        self.calls, self.total, self.slots = calls, total, slots
        self.size, self.cut = 1, 0
        self.returned: deque[tuple[int, tuple[Any, ...]]] = deque()

    def next(self) -> list[tuple[int, tuple[Any, ...]]]:
        size = self.size
        if self.total is not None:
            left = self.total - self.cut + len(self.returned)
            size = min(size, max(1, left // (2 * self.slots)))
        batch = [self.returned.popleft() for _ in range(min(size, len(self.returned)))]
        fresh = [(number, call) for number, call in enumerate(islice(self.calls, size - len(batch)), self.cut)]
        self.cut += len(fresh)
        return batch + fresh

    def learn(self, count: int, seconds: float) -> None:
        fits = int(BATCH_SECONDS * count / seconds) if seconds > 0 else LARGEST
        self.size = max(1, min(fits, self.size * GROWTH, LARGEST))


class _Flight:
    """One parallel call: batches on their way, results as they come back."""

    def __init__(self, ray: Any, work: _Work, remote: Any, shared: Any, batches: _Batches, total: int | None) -> None:
        self.ray, self.work, self.remote, self.shared = ray, work, remote, shared
        self.batches, self.total = batches, total
        self.results: dict[int, Any] = {}
        self.flying: dict[Any, list[tuple[int, tuple[Any, ...]]]] = {}

    def land(self, window: int) -> list[Any]:
        try:
            while True:
                while len(self.flying) < window and (batch := self.batches.next()):
                    calls = [call for _, call in batch]
                    reference = self.remote.remote(self.shared, calls, LONGEST_SECONDS, not self.work.return_exceptions)
                    self.flying[reference] = batch
                if not self.flying:
                    break
                # All that are there, not one at a time: a wait costs more than a small result.
                done, _ = self.ray.wait(list(self.flying), num_returns=1, fetch_local=True)
                more, _ = self.ray.wait(list(self.flying), num_returns=len(self.flying), timeout=0)
                for reference in {*done, *more}:
                    self._take(reference, self.flying.pop(reference))
        except BaseException:
            self._cancel()
            raise
        return [self.results[number] for number in range(len(self.results))]

    def _take(self, reference: Any, batch: list[tuple[int, tuple[Any, ...]]]) -> None:
        try:
            seconds, outcomes = self.ray.get(reference)
        except Exception as error:  # the worker was lost, or a result cannot travel
            problem = _own(error)
            if not self.work.return_exceptions:
                raise problem from None
            self.results |= {number: problem for number, _ in batch}
        else:
            self.batches.learn(len(outcomes), seconds)
            self.batches.returned.extend(batch[len(outcomes) :])
            for (number, _), (fine, outcome) in zip(batch, outcomes, strict=False):
                self.results[number] = outcome if fine else self._failed(number, *outcome)
        self.work.say(len(self.results), self.total)

    def _failed(self, number: int, parts: tuple[Any, ...], text: str) -> BaseException:
        error = assembled(*parts)
        error.add_note(f"On the worker:\n{text}")
        if not self.work.return_exceptions:
            error.add_note(_place(number))
            raise error from None
        return error

    def _cancel(self) -> None:
        deadline = time.monotonic() + 1.0  # what does not answer by then ends with the job
        for reference in self.flying:
            if time.monotonic() > deadline:
                return
            try:
                self.ray.cancel(reference, recursive=True)
            except (ValueError, RuntimeError):  # it ended meanwhile, or Ray did
                continue


def assembled(error: Any, arguments: tuple[Any, ...] = (), state: Mapping[str, Any] | None = None) -> BaseException:
    """An exception as it came, or out of its class, arguments and attributes, without calling its `__init__`."""
    if state is not None:
        kind, error = error, error.__new__(error, *arguments)
        assert isinstance(error, kind)
        error.__dict__.update(state)
    made: BaseException = error
    return made


def _own(error: Exception) -> Exception:
    """The user's error in Ray's wrapping, if there is one."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else error
