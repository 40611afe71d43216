"""The harness notices bugs.

Every planted bug still fits the code, and a changing few are hunted on each run.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.parity.bug import Bug
from tests.parity.bugs import BUGS
from tests.parity.planted import ROOT, hunt, patched

HUNTED = 4
"""Bugs hunted per run; ``make planted`` hunts all of them."""


RARE = frozenset({"slope_unit", "late_rows_pushed_in_order", "newest_of_all_groups", "argmin_ties"})
"""Bugs that a few hundred programs need not show; only ``make planted`` hunts them."""

COMMON = tuple(bug for bug in BUGS if bug.name not in RARE)


def _of_today() -> list[Bug]:
    day = datetime.now(tz=UTC).toordinal()
    return [COMMON[(day * HUNTED + place) % len(COMMON)] for place in range(HUNTED)]


def test_there_are_at_least_forty() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 40


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_bug_still_fits_the_code(bug: Bug) -> None:
    text = (ROOT / bug.file).read_text("utf-8")
    assert patched(bug, text) != text


@pytest.mark.parametrize("place", range(HUNTED))
def test_bug_is_found(place: int) -> None:
    bug = _of_today()[place]
    verdict = hunt(bug, programs=400)
    assert verdict.found, f"{bug.name} ({bug.description}) was not noticed:\n{verdict.output}"
