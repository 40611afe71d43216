"""The harness notices bugs.

Every planted bug still fits the code, and a few are hunted on each run.
"""

from __future__ import annotations

import pytest

from tests.parity.bug import Bug
from tests.parity.bugs import BUGS
from tests.parity.planted import ROOT, hunt, patched

PROMPT = (
    "skew_sign",
    "digits_not_carried",
    "covariance_divisor",
    "max_age_edge",
    "lookup_offset_sign",
    "lookup_offset_ignored",
)
"""Bugs that a few programs show, one after the other hunted on each run. Others need hundreds of
programs, and a few thousands: ``make planted`` hunts all.
"""


def test_there_are_at_least_forty() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 40


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_bug_still_fits_the_code(bug: Bug) -> None:
    text = (ROOT / bug.file).read_text("utf-8")
    assert patched(bug, text) != text


@pytest.mark.parametrize("name", PROMPT)
def test_bug_is_found(name: str) -> None:
    (bug,) = (bug for bug in BUGS if bug.name == name)
    verdict = hunt(bug, programs=400)
    assert verdict.found, f"{bug.name} ({bug.description}) was not noticed:\n{verdict.output}"
