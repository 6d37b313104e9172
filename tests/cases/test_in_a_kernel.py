"""Some of the cases as a whole: a real kernel, the magic, the job, and the way back."""

from __future__ import annotations

import pytest

from tests.cases.judge import LASTING
from tests.cases.table import Case, cases
from tests.notebooks.conftest import environment, headless

__all__ = ["environment", "headless"]

PLAIN = [case for case in cases() if case.refused is None and not case.differs and case.theme not in LASTING]
SAMPLE = [case for case in PLAIN if not any(cell.only for cell in case.cells)][::16]
LOOK = """
import re as _re
{n: _re.sub('0x[0-9a-fA-F]+', '0x', repr(v)) for n, v in sorted(globals().items())
 if n[0] != '_' and n not in ('In', 'Out', 'get_ipython', 'exit', 'quit', 'open')
 and type(v).__name__ not in ('function', 'type', 'module')}
"""


def executed(kernel, case: Case, *, magics: bool) -> list[object]:
    """What its cells say, and what its names hold in the end."""
    kernel.run("%reset -f")
    said: list[object] = []
    for cell in case.cells:
        travels = magics and cell.jobq is not None
        reply = kernel.run(f"%%jobq {cell.jobq}".rstrip() + f"\n{cell.code}" if travels else cell.code)
        said.append((cell.code, reply.value, reply.error))
    return [*said, kernel.run(LOOK).value]


@pytest.mark.parametrize("case", SAMPLE, ids=[case.id for case in SAMPLE])
def test_a_cell_that_travels_means_the_same_in_a_kernel(headless, case):
    assert executed(headless, case, magics=True) == executed(headless, case, magics=False)


def test_it_is_a_sample_of_twenty():
    assert len(SAMPLE) >= 20
