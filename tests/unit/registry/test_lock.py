"""The lock file: canonical text, comparison with a plan, and the error for a changed meaning."""

from __future__ import annotations

import tomllib

import pytest

from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.registry.compare import changed_meanings, compare, comparison_text
from astrafs.registry.lock import lock_plan, read_lock, write_lock
from astrafs.source import SourceFile

PROGRAM = """
owner "a@b.test"
entity User { user_id: int }

## Orders.
source orders from parquet("o.parquet") key id time at {
  id: int
  user_id: User
  kind: enum("new", "used")
  amount: float
  at: timestamp
}

features for User from orders {
  ## N.
  n: int = count() over 7d
  ## Mean.
  mean_amount: float? = mean(amount) over 7d
  ## Kind.
  last_kind: enum("new", "used")? = last(kind) over all
}
features for User {
  ## Twice.
  double: int = n * 2
  ## Four times.
  fourfold: int = double * 2
}
"""
N, DOUBLE, FOUR = (ir.FeatureId("m.User", name) for name in ("n", "double", "fourfold"))


def compiled(text: str) -> Program:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", text),), sink)
    assert program is not None
    assert [found.title for found in sink if found.is_error] == []
    return program


def test_text_is_canonical_and_comes_back() -> None:
    plan = compiled(PROGRAM).plan
    lock = lock_plan(plan, "2026-11-23")
    text = write_lock(lock)
    assert read_lock(text) == lock
    assert write_lock(read_lock(text)) == text
    data = tomllib.loads(text)
    assert list(data["features"]) == sorted(data["features"])
    entry = data["features"]["m.User.last_kind@1"]
    assert entry["type"] == 'enum("new", "used")?'
    assert entry["dependencies"] == ["m.orders"]
    assert data["features"]["m.User.double@1"]["dependencies"] == ["m.User.n@1"]
    assert sum(line.startswith('"m.User.') for line in text.splitlines()) == len(plan.features)


def test_layout_and_unused_columns_change_nothing() -> None:
    lock = lock_plan(compiled(PROGRAM).plan, "2026-11-23")
    other = compiled(
        PROGRAM.replace("  amount: float\n", "  amount: float\n  note: string?\n").replace(
            "## N.", '## The number of orders.\n  ## In a week.\n  @tags("x")'
        )
    )
    found = compare(lock, other.plan)
    assert found.is_same
    assert len(found.unchanged) == len(other.plan.features)
    later = lock_plan(other.plan, "2027-01-01", lock)
    assert {entry.created for entry in later.features.values()} == {"2026-11-23"}


def test_a_changed_meaning_is_reported_where_it_begins() -> None:
    lock = lock_plan(compiled(PROGRAM).plan, "2026-11-23")
    program = compiled(PROGRAM.replace("count() over 7d", "count() over 8d"))
    found = compare(lock, program.plan)
    assert [change.feature for change in found.changed] == [DOUBLE, FOUR, N]
    assert [change.because for change in found.changed] == [(N,), (DOUBLE,), ()]
    places = {name: origin.name for name, origin in program.features.items()}
    (error,) = changed_meanings(found, program.plan, places)
    assert error.code.id == "AFS0802"
    assert error.title == "`User.n` has changed its meaning since it was locked"
    assert error.primary is not None
    assert error.primary.span == places[N]
    assert "locked 2026-11-23" in error.primary.text
    assert "`User.double`, `User.fourfold`" in " ".join(error.notes)
    assert "`n@2: ...`" in error.helps[0]
    assert "`n@1`" in error.helps[0]


def test_a_new_version_beside_the_old_is_fine() -> None:
    lock = lock_plan(compiled(PROGRAM).plan, "2026-11-23")
    newer = PROGRAM.replace(
        "  ## Mean.", "  ## More.\n  n@2: int = count() over 8d\n  ## Mean."
    ).replace("= n * 2", "= n@1 * 2")
    found = compare(lock, compiled(newer).plan)
    assert found.new == (ir.FeatureId("m.User", "n", 2),)
    assert found.changed == ()
    text = comparison_text(found)
    assert text == "+ m.User.n@2\n1 new, 0 removed, 0 changed, 5 unchanged\n"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("mean_amount: float? = mean(amount)", "mean_amount: float = sum(amount)", "its type was"),
        ("double: int = n * 2", "double: int = 4", "no longer reads m.User.n@1"),
        ("last(kind) over all", "first(kind) over all", "its expression has changed, or that of"),
        ("time at {", "time at delay 5m {", "or that of m.orders"),
    ],
)
def test_the_reason_is_told(old: str, new: str, words: str) -> None:
    lock = lock_plan(compiled(PROGRAM).plan, "2026-11-23")
    program = compiled(PROGRAM.replace(old, new))
    found = compare(lock, program.plan)
    errors = changed_meanings(found, program.plan, {})
    assert errors
    assert any(words in note for error in errors for note in error.notes)
    assert words in comparison_text(found)


def test_removed_features_are_listed() -> None:
    lock = lock_plan(compiled(PROGRAM).plan, "2026-11-23")
    found = compare(lock, compiled(PROGRAM.split("features for User {")[0]).plan)
    assert found.removed == (DOUBLE, FOUR)
    assert "- m.User.double\n" in comparison_text(found)
    assert not found.is_same


GOOD = write_lock(lock_plan(compiled(PROGRAM).plan, "2026-11-23"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "format has version None"),
        ("version = 2\n[features]\n", "format has version 2"),
        ("version = 1\n", "other parts"),
        ("version = 1\n[features]\nx", "not TOML"),
        (GOOD + "<<<<<<< mine\n", "merge conflict"),
        (GOOD.replace('m.User.n@1" = {', 'n" = {', 1), "not the name of a feature version"),
        (GOOD.replace('m.User.n@1" = {', 'm.User.n@0" = {', 1), "not the name"),
        (GOOD.replace("created", "made", 1), "must have just"),
        (GOOD.replace('"active"', '"lively"', 1), "value of a wrong form"),
        (GOOD.replace('identity = "', 'identity = "zz', 1), "value of a wrong form"),
        (GOOD.replace("[", "[" * 5_000, 1), ""),
    ],
)
def test_other_texts_are_refused(text: str, words: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        read_lock(text)
    (found,) = caught.value.diagnostics
    assert found.code.id == "AFS0801"
    assert words in " ".join(found.notes)
