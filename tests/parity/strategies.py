"""Generated cases as a Hypothesis strategy.

Failures shrink by leaving out outputs, rows and questions.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from tests.parity.generator import generate
from tests.parity.model import Case, Data


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a case: that of a seed, or a part of it.

    A case takes thousands of choices, more than Hypothesis follows; so it chooses the seed and
    what is left out.
    """
    case = generate(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        return case
    outputs = [piece.name for piece in case.pieces if "/" in piece.name]
    kept = {name for name in outputs if draw(st.booleans())} or set(outputs[:1])
    case = case.without(set(outputs) - kept)
    return replace(
        case,
        relations={name: _fewer(draw, data) for name, data in case.relations.items()},
        spines={name: _fewer(draw, data) for name, data in case.spines.items()},
    )


def _fewer(draw: st.DrawFn, data: Data) -> Data:
    return data.with_rows(data.rows[: draw(st.integers(0, len(data.rows)))])
