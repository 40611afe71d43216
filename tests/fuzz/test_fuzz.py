"""A small run of the fuzzer; ``make fuzz`` makes a large one."""

from __future__ import annotations

import time

import pytest

from tests.fuzz.inputs import corpus, make
from tests.fuzz.run import BLOCK, TooLong, block, limited


@pytest.mark.parametrize("first", range(0, 5 * BLOCK, BLOCK))
def test_damaged_projects_get_diagnostics_and_nothing_worse(first: int) -> None:
    outcomes = block(range(first, first + BLOCK))
    failures = [f"seed {one.seed}: {one.failure}" for one in outcomes if one.failure]
    assert failures == []
    assert len({code for one in outcomes for code in one.codes}) > 30


def test_the_same_seed_makes_the_same_input() -> None:
    assert make(11) == make(11)
    assert len({make(seed) for seed in range(50)}) > 45
    assert len(corpus()) > 300


def test_the_time_of_an_input_is_limited() -> None:
    began = time.process_time()
    with pytest.raises(TooLong), limited(0.05):
        while True:
            pass
    assert time.process_time() - began < 10
