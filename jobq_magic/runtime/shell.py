"""`get_ipython()`, in the job: the few magics that travel, doing there what they do in a notebook."""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any

_FIELD = r"\{([^{}]+)\}|\$\$|\$(\w+)"


class Shell:
    """Stands where IPython's shell stands in a kernel, with the part of its surface that transformed cells call."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.user_ns = namespace

    def __call__(self) -> Shell:
        """`get_ipython()` gives the shell that it is."""
        return self

    def __getattr__(self, name: str) -> Any:
        """What only a kernel's shell has."""
        raise AttributeError(f"get_ipython().{name} is the kernel's, and is not there in a job", name=name, obj=self)

    def expand(self, line: str) -> str:
        """`{expr}` and `$name` by their values; what cannot be evaluated stays, as in IPython."""
        import re

        def value(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            try:
                return str(eval(match[1] or match[2], self.user_ns))
            except Exception:
                return match[0]

        return re.sub(_FIELD, value, line)

    def system(self, command: str) -> None:
        """`!command`: its output goes where the job's goes."""
        import subprocess

        self.user_ns["_exit_code"] = subprocess.call(self.expand(command), shell=True)

    def getoutput(self, command: str) -> list[str]:
        """`lines = !command`."""
        import subprocess

        done = subprocess.run(
            self.expand(command), shell=True, stdout=subprocess.PIPE, text=True, errors="replace", check=False
        )
        self.user_ns["_exit_code"] = done.returncode
        lines = done.stdout.splitlines()
        try:
            from IPython.utils.text import SList  # what a kernel gives: a list with .s, .n, .grep
        except ImportError:
            return lines
        made: list[str] = SList(lines)
        return made

    def run_line_magic(self, name: str, line: str, *_: Any, **__: Any) -> Any:
        """`%name line`."""
        return self._magic(name, "%")(line, None)

    def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
        """`%%name line`, then the cell."""
        return self._magic(name, "%%")(line, cell)

    def _magic(self, name: str, mark: str) -> Any:
        method = getattr(self, f"_{name}_magic", None)
        if method is None:
            raise NameError(f"{mark}{name} does not work in a job")
        return method

    def _run(self, code: str) -> Any:
        from .execute import execute

        return execute(code, "<magic>", self.user_ns)

    def _time_magic(self, line: str, cell: str | None) -> Any:
        wall, cpu = time.perf_counter(), os.times()
        value = self._run(cell if cell is not None else line)
        after, wall = os.times(), time.perf_counter() - wall
        user, kernel = after.user - cpu.user, after.system - cpu.system
        print(f"CPU times: user {_span(user)}, sys: {_span(kernel)}, total: {_span(user + kernel)}")
        print(f"Wall time: {_span(wall)}")
        return value

    def _timeit_magic(self, line: str, cell: str | None) -> None:
        import statistics
        import timeit

        asked, line = _options(line, "n:r:tcp:qov:")
        setup, statement = (line, cell) if cell is not None else ("pass", line)
        timer = timeit.Timer(statement, setup.strip() or "pass", globals=self.user_ns)
        number = int(asked.get("n", 0)) or timer.autorange()[0]
        repeat = int(asked.get("r", 7))
        runs = [took / number for took in timer.repeat(repeat, number)]
        print(
            f"{_span(statistics.mean(runs))} ± {_span(statistics.pstdev(runs))} per loop "
            f"(mean ± std. dev. of {repeat} run{'s' * (repeat > 1)}, {number:,} loop{'s' * (number > 1)} each)"
        )

    def _prun_magic(self, line: str, cell: str | None) -> None:
        import cProfile
        import pstats

        _, line = _options(line, "l:s:T:D:rq")
        profile = cProfile.Profile()
        profile.runctx(cell if cell is not None else line, self.user_ns, self.user_ns)
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(30)

    def _capture_magic(self, line: str, cell: str | None) -> None:
        import contextlib
        import io
        from types import SimpleNamespace

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self._run(cell or "")
        if name := line.strip():
            self.user_ns[name] = SimpleNamespace(stdout=out.getvalue(), stderr=err.getvalue(), outputs=[])

    def _bash_magic(self, line: str, cell: str | None, shell: str = "bash") -> None:
        import shlex
        import subprocess

        words, streams, check = shlex.split(line), {"--out": "", "--err": ""}, True
        while words and words[0].startswith("--"):
            option, _, value = words.pop(0).partition("=")
            if option in streams:
                streams[option] = value or words.pop(0)
            check = check and option != "--no-raise-error"
        piped = [subprocess.PIPE if name else None for name in streams.values()]
        done = subprocess.run([shell, *words], input=cell, text=True, check=check, stdout=piped[0], stderr=piped[1])
        for name, text in zip(streams.values(), (done.stdout, done.stderr), strict=True):
            if name:
                self.user_ns[name] = text

    def _sh_magic(self, line: str, cell: str | None) -> None:
        self._bash_magic(line, cell, "sh")

    def _env_magic(self, line: str, _: str | None) -> Any:
        name, equals, value = line.partition("=") if "=" in line else line.partition(" ")
        if not line.strip():
            return dict(os.environ)
        if not equals:
            return os.environ.get(name)
        os.environ[name.strip()] = self.expand(value.strip())
        print(f"env: {name.strip()}={os.environ[name.strip()]}")
        return None


def _options(line: str, known: str) -> tuple[dict[str, str], str]:
    """The short options that a magic's line begins with, and the rest of the line as it is."""
    found: dict[str, str] = {}
    while (line := line.lstrip()).startswith("-") and (at := known.find(line[1:2])) >= 0 and line[1:2].isalpha():
        letter, line = line[1], line[2:]
        if known[at + 1 : at + 2] == ":":
            found[letter], _, line = line.lstrip().partition(" ")
        else:
            found[letter] = ""
    return found, line


def _span(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
