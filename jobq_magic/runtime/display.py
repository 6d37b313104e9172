"""`display` and its kin, in the job: what is displayed becomes MIME bundles, as a kernel would send them."""

from __future__ import annotations

import os
import sys
from operator import methodcaller

from .afterimport import after_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "application/pdf": "_repr_pdf_",
    "text/latex": "_repr_latex_",
    "application/json": "_repr_json_",
    "application/javascript": "_repr_javascript_",
}
# For these the kernel's own text differs from `repr`; for everything else it is `repr` (IPython.lib.pretty).
_PRETTY = (dict, list, tuple, set, frozenset, type, type(lambda: 0))

sink: Callable[[dict[str, Any]], None] | None = None
"""Where displays go; set by the runner."""


def bundle(value: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """The MIME bundle of a value and its metadata, by the rich display protocol of IPython.

    A `_repr_*_` that raises is told on stderr and left out, as in a kernel.
    """
    data: dict[str, Any] = {"text/plain": _text(value)}
    metadata: dict[str, Any] = {}
    if isinstance(value, type):
        return data, metadata
    figure = sys.modules.get("matplotlib.figure")
    if figure is not None and isinstance(value, figure.Figure):
        from . import figures

        return data | {"image/png": figures.png(value)}, metadata
    if (own := _call(value, "_repr_mimebundle_")) is not None:
        own, metadata = own if isinstance(own, tuple) else (own, {})
        data |= own
    for mime, method in _METHODS.items():
        if mime in data or (made := _call(value, method)) is None:
            continue
        if isinstance(made, tuple):
            made, metadata[mime] = made
        data[mime] = made
    return {mime: _jsonable(made) for mime, made in data.items()}, metadata


def _jsonable(made: Any) -> Any:
    """What a representation holds, as JSON can hold it: bytes in base64, numbers of numpy as numbers, else its text."""
    if isinstance(made, bytes):
        import binascii

        return binascii.b2a_base64(made, newline=False).decode()
    if isinstance(made, str):
        return made
    import json

    def plain(value: Any) -> Any:
        return value.tolist() if hasattr(value, "tolist") else str(value)

    try:
        return json.loads(json.dumps(made, default=plain, skipkeys=True))
    except (ValueError, RecursionError):
        return str(made)


def _call(value: object, method: str) -> Any:
    # Looked up on the class first: objects that invent every attribute (mocks, proxies) would claim all formats.
    if not callable(getattr(type(value), method, None)) and method not in getattr(value, "__dict__", {}):
        return None
    try:
        return getattr(value, method)()
    except NotImplementedError:
        return None
    except Exception as error:
        from .returns import print_exception

        print_exception(type(error), error)
        return None


def _text(value: object) -> str:
    if isinstance(value, _PRETTY) or hasattr(type(value), "_repr_pretty_") or type(value).__repr__ is object.__repr__:
        try:
            from IPython.lib.pretty import pretty

            return str(pretty(value))
        except ImportError:
            pass
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"


def display(
    *values: Any,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
    transient: dict[str, Any] | None = None,
    display_id: bool | str | None = None,
    raw: bool = False,
    clear: bool = False,
    update: bool = False,
    **_: Any,
) -> Any:
    """`IPython.display.display`, in the job."""
    if clear:
        clear_output(wait=True)
    if display_id is True:
        display_id = os.urandom(16).hex()
    transient = {**(transient or {}), **({"display_id": display_id} if display_id else {})}
    for value in values:
        data, own = ({mime: _jsonable(made) for mime, made in value.items()}, {}) if raw else bundle(value)
        kept = {k: v for k, v in data.items() if (not include or k in include) and k not in (exclude or ())}
        publish_display_data(kept, {**own, **(metadata or {})}, transient=transient, update=update)
    return Handle(display_id) if display_id else None


class Handle:
    """What `display(..., display_id=...)` returns."""

    def __init__(self, display_id: str | None = None) -> None:
        self.display_id = display_id or os.urandom(16).hex()

    def __reduce__(self) -> tuple[Any, ...]:
        from .ours import Named

        # In the notebook it is IPython's own, which goes on with the same display.
        return methodcaller("DisplayHandle", self.display_id), (Named("IPython.display"),)

    def display(self, value: object, **options: Any) -> None:
        """Displays once more under the same id."""
        display(value, display_id=self.display_id, **options)

    def update(self, value: object, **options: Any) -> None:
        """Replaces what is displayed under the id."""
        display(value, display_id=self.display_id, update=True, **options)


def update_display(value: object, *, display_id: str, **options: Any) -> None:
    """`IPython.display.update_display`, in the job."""
    display(value, display_id=display_id, update=True, **options)


def publish_display_data(
    data: dict[str, Any],
    metadata: dict[str, Any] | None = None,
    *,
    transient: dict[str, Any] | None = None,
    update: bool = False,
    **_: Any,
) -> None:
    """`IPython.display.publish_display_data`, in the job."""
    kind = "update_display_data" if update else "display_data"
    _send(kind, data=data, metadata=metadata or {}, transient=transient or {})


def clear_output(wait: bool = False) -> None:
    """`IPython.display.clear_output`, in the job."""
    _send("clear_output", wait=wait)


def _send(kind: str, **content: Any) -> None:
    if sink is None:
        raise RuntimeError("display() works in a job only")
    sink({"type": kind, **content})


_TAKEN_OVER = ("display", "update_display", "publish_display_data", "clear_output")


def _take_over(module: ModuleType) -> None:
    """Puts the functions above in the place of IPython's own, which only print where no shell is in the process."""
    for name in _TAKEN_OVER:
        setattr(module, name, globals()[name])
    module.DisplayHandle = Handle  # type: ignore[attr-defined]


def install(to: Callable[[dict[str, Any]], None]) -> None:
    """Sends displays to `to`, from now on, also those made through IPython's own functions."""
    global sink
    sink = to
    after_import("IPython.core.display_functions", _take_over)
