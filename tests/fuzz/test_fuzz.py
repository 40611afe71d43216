"""A small run of the fuzzer; ``make fuzz N=200000`` makes a large one."""

from __future__ import annotations

import pytest

from tests.fuzz.inputs import make
from tests.fuzz.run import attempt

BLOCK = 60


@pytest.mark.parametrize("first", range(0, 5 * BLOCK, BLOCK))
def test_damaged_programs_get_diagnostics_and_nothing_worse(first: int) -> None:
    outcomes = [attempt(seed) for seed in range(first, first + BLOCK)]
    failures = [f"seed {one.seed}: {one.failure}" for one in outcomes if one.failure]
    assert failures == []
    assert len({code for one in outcomes for code in one.codes}) > 10


def test_the_same_seed_makes_the_same_input() -> None:
    assert make(11) == make(11)
    assert len({make(seed) for seed in range(50)}) > 45
