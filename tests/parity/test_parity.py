"""Reference, DuckDB and the online engine agree to the last bit on generated programs.

`make parity N=` runs more of them.
"""

from __future__ import annotations

import pytest

from tests.parity.coverage import required
from tests.parity.harness import check, explain

PROGRAMS = 1_200
CHUNK = 20
"""Programs per test, so that the workers of pytest-xdist share them evenly."""

ENOUGH = 1_000
"""Programs in which every construct must occur."""


@pytest.mark.parametrize("first", range(0, PROGRAMS, CHUNK))
def test_engines_agree(first: int) -> None:
    for seed in range(first, first + CHUNK):
        whole = seed % 10 == 0
        report = check(seed, quick=not whole, sampled=not whole)
        if report.differences:
            pytest.fail(f"seed {seed}:\n{explain(report)}", pytrace=False)


def test_every_construct_is_generated() -> None:
    from tests.parity.coverage import plan_tags
    from tests.parity.engines import compile_case
    from tests.parity.generator import generate

    missing = set(required())
    for seed in range(ENOUGH):
        case = generate(seed)
        missing -= {tag for tag in case.tags if not tag.startswith(("fn.", "lookup."))}
        if any(tag.startswith(("fn.", "lookup.")) for tag in missing):
            missing -= plan_tags(compile_case(case).plan)
        if not missing:
            return
    assert not missing, f"never generated in {ENOUGH} programs: {sorted(missing)}"


def test_a_seed_always_gives_the_same_case() -> None:
    from tests.parity.generator import generate

    for seed in (0, 17, 4242):
        assert repr(generate(seed)) == repr(generate(seed))
