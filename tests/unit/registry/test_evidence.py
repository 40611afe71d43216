"""Trying two definitions of a feature on generated timelines: what differs is found, with rows."""

from __future__ import annotations

import pytest

from astrafs.registry.evidence import CASES, compare_values
from tests.unit.registry.test_compare import BEFORE, PROGRAM, compiled, named

DIFFERENT = [
    ("n", "count() over 7d", "count() over 8d"),
    ("n", "count() over 7d", "count() over 7d including now"),
    ("n", "count() over 7d", "count() over (7d, 0s)"),
    ("n", "count() over 7d", "count() over last 3"),
    ("mean_amount", "mean(amount) over 7d", "mean(amount) over 7d offset 1h"),
    ("mean_amount", "mean(amount) over 7d", "mean(amount) over 7d every 1h"),
    ("last_kind", "last(kind)", "first(kind)"),
    ("large_n", "[7d, 1h)", "[7d, 1h]"),
    ("large_n", "more > 1.0", "more >= 1.0"),
    ("large_n", "amount - 10.0", "10.0 - amount"),
    ("fourfold", "double * 2 - n", "n - double * 2"),
    ("rate", "key user_id time at {", "key user_id time at max_age 1d {"),
    ("rate", "key user_id time at {", "key user_id time at delay 1m {"),
    ("n", "key id time at {", "key id time at delay 1m {"),
]

ALIKE = [
    ("large_n", "amount > 10.0", "amount >= 10.0"),  # more > 1.0 asks for more than that
    ("last_kind", "last(kind)", "last_row(kind)"),  # it is never null
    ("double", "n * 2", "n + n"),
]


@pytest.mark.parametrize(("feature", "old", "new"), DIFFERENT)
def test_a_difference_is_found_and_shown(feature: str, old: str, new: str) -> None:
    after = compiled(PROGRAM.replace(old, new, 1)).plan
    found = compare_values(BEFORE.plan, named(feature), after, named(feature))
    assert found.difference is not None, str(found)
    assert found.difference.before != found.difference.after
    assert str(found).startswith("differs: ")


@pytest.mark.parametrize(("feature", "old", "new"), ALIKE)
def test_alike_is_not_called_proved(feature: str, old: str, new: str) -> None:
    after = compiled(PROGRAM.replace(old, new, 1)).plan
    found = compare_values(BEFORE.plan, named(feature), after, named(feature))
    assert found.difference is None
    assert not found.proved
    assert found.cases >= CASES
    assert "no proof" in str(found)


def test_one_form_is_a_proof() -> None:
    after = compiled(PROGRAM.replace("n * 2", "2 * n")).plan
    found = compare_values(BEFORE.plan, named("double"), after, named("double"))
    assert found.proved


def test_the_same_worlds_every_time() -> None:
    after = compiled(PROGRAM.replace("count() over 7d", "count() over 8d")).plan
    one, two = (compare_values(BEFORE.plan, named("n"), after, named("n")) for _ in range(2))
    assert one == two


def test_what_cannot_be_compared_says_so() -> None:
    text = PROGRAM.replace("entity User { user_id: int }", "entity User { user_id: string }")
    text = text.replace("rates[int(user_id)].rate", "1.0")
    after = compiled(text).plan
    found = compare_values(BEFORE.plan, named("n"), after, named("n"))
    assert found.obstacle == "the entity has other keys"
