"""Comparing a plan with its lock: the verdict on each feature version, the reason, the readers."""

from __future__ import annotations

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.registry.compare import Change, Comparison, Verdict, changed_meanings, compare
from astrafs.registry.definitions import Definition, define
from astrafs.registry.lock import Lock, Locked, lock_plan
from astrafs.source import SourceFile

PROGRAM = """
owner "a@b.test"
unit usd
entity User { user_id: int }

## Orders.
source orders from parquet("o.parquet") key id time at {
  id: int
  user_id: User
  kind: enum("new", "used")
  amount: float
  at: timestamp
}

## Rates.
table rates from csv("r.csv") key user_id time at {
  user_id: int
  rate: float
  at: timestamp
}

## Large ones.
stream large from orders where amount > 10.0 {
  more: float = amount - 10.0
}

features for User from orders {
  ## N.
  n: int = count() over 7d
  ## Mean.
  mean_amount: float? = mean(amount) over 7d
  ## Kind.
  last_kind: enum("new", "used")? = last(kind) over all
}
features for User from large {
  ## Large.
  large_n: int = count(where more > 1.0 and kind == "new") over [7d, 1h)
}
features for User {
  ## Twice.
  double: int = n * 2
  ## Four times.
  fourfold: int = double * 2 - n
  ## Rate.
  rate: float? = rates[int(user_id)].rate
}
view v for User { fourfold mean_amount }
"""


def named(name: str, version: int = 1) -> ir.FeatureId:
    return ir.FeatureId("m.User", name, version)


def compiled(text: str) -> Program:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", text),), sink)
    assert program is not None
    assert [found.title for found in sink if found.is_error] == []
    return program


BEFORE = compiled(PROGRAM)
LOCK = lock_plan(BEFORE.plan, "2026-11-23")
KEPT = {
    locked.kept_as: define(BEFORE.plan, BEFORE.bindings, name)
    for name, locked in LOCK.features.items()
}


def recall(locked: Locked) -> Definition | None:
    return KEPT.get(locked.kept_as)


def against(program: Program, lock: Lock = LOCK) -> Comparison:
    return compare(lock, program.plan, "2027-01-01", recall)


def verdicts(found: Comparison) -> dict[str, Verdict]:
    return {
        change.feature.name: change.verdict
        for change in found.changes
        if change.verdict is not Verdict.IDENTICAL
    }


def change_of(found: Comparison, name: str) -> Change:
    return next(change for change in found.changes if change.feature == named(name))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  amount: float\n", "  amount: float\n  note: string?\n"),
        ("## Orders.", "# a comment\n## All orders."),
        ("amount > 10.0", "10.0 < amount"),
        ('more > 1.0 and kind == "new"', '"new" == kind and more > 1.0'),
        ("n * 2", "2 * n"),
        ("stream large", "stream big"),
        ("over [7d, 1h)", "over [168h, 60m)"),
        ("features for User {\n  ## Twice.", "features for User { # here\n\n\n  ## Twice."),
    ],
)
def test_what_is_no_change(old: str, new: str) -> None:
    text = PROGRAM.replace(old, new)
    if "stream big" in text:
        text = text.replace("from large", "from big")
    assert text != PROGRAM
    assert against(compiled(text)).is_same


CHANGES: list[tuple[str, str, dict[str, Verdict], tuple[str, ...]]] = [
    (
        "count() over 7d",
        "count() over 8d",
        dict.fromkeys(("n", "double", "fourfold"), Verdict.VALUE),
        ("n",),
    ),
    (
        "count() over 7d",
        "count() over 7d including now",
        dict.fromkeys(("n", "double", "fourfold"), Verdict.VALUE),
        ("n",),
    ),
    ("[7d, 1h)", "[7d, 1h]", {"large_n": Verdict.VALUE}, ("large_n",)),
    ("more > 1.0", "more >= 1.0", {"large_n": Verdict.VALUE}, ("large_n",)),
    ("amount - 10.0", "10.0 - amount", {"large_n": Verdict.VALUE}, ("large_n",)),
    ("amount > 10.0", "amount >= 10.0", {"large_n": Verdict.VALUE}, ("large_n",)),
    ("double * 2 - n", "n - double * 2", {"fourfold": Verdict.VALUE}, ("fourfold",)),
    ("last(kind)", "last_row(kind)", {"last_kind": Verdict.VALUE}, ("last_kind",)),
    (
        "key user_id time at {",
        "key user_id time at max_age 1d {",
        {"rate": Verdict.VALUE},
        ("rate",),
    ),
    (
        "key id time at {",
        "key id time at delay 1m {",
        dict.fromkeys(
            ("n", "mean_amount", "last_kind", "large_n", "double", "fourfold"), Verdict.VALUE
        ),
        ("large_n", "last_kind", "mean_amount", "n"),
    ),
    ("## N.", '## N.\n  @owner("c@d.test")', {"n": Verdict.CONTRACT}, ()),
    ("## N.", "## The number.", {"n": Verdict.CONTRACT}, ()),
    (
        "## N.",
        '## N.\n  @tags("pii")',
        {"n": Verdict.CONTRACT, "double": Verdict.CONTRACT, "fourfold": Verdict.CONTRACT},
        (),
    ),
    ("  ## Rate.", '  ## Rate.\n  @deprecated("none")', {"rate": Verdict.DEPRECATED}, ()),
    ("  ## Rate.", "  ## More.\n  extra: int = 1\n  ## Rate.", {"extra": Verdict.NEW}, ()),
    (
        "  ## Rate.\n  rate: float? = rates[int(user_id)].rate\n",
        "",
        {"rate": Verdict.REMOVED},
        (),
    ),
]


@pytest.mark.parametrize(("old", "new", "expected", "starts"), CHANGES)
def test_verdicts(
    old: str, new: str, expected: dict[str, Verdict], starts: tuple[str, ...]
) -> None:
    text = PROGRAM.replace(old, new, 1)
    assert text != PROGRAM
    program = compiled(text)
    found = against(program)
    assert verdicts(found) == expected
    places = {name: origin.name for name, origin in program.features.items()}
    errors = changed_meanings(found, places)
    shown = sorted(
        name.name
        for name, span in places.items()
        if span in [e.primary.span for e in errors if e.primary]
    )
    assert tuple(shown) == starts


def test_reasons_and_readers_of_a_change() -> None:
    found = against(compiled(PROGRAM.replace("count() over 7d", "count() over 8d")))
    n = change_of(found, "n")
    assert n.diff == (
        "-   = count() over 7d from m.orders by user_id",
        "+   = count() over 8d from m.orders by user_id",
    )
    assert n.readers == ("feature m.User.double", "feature m.User.fourfold", "view m.v")
    double = change_of(found, "double")
    assert double.diff == ()
    assert double.reasons == ("reads `User.n`, which has changed",)
    assert double.because == (named("n"),)


def test_a_changed_source_is_shown() -> None:
    found = against(compiled(PROGRAM.replace("key id time at {", "key id time at delay 1m {")))
    assert "+   delay 1m" in change_of(found, "n").diff


def test_contract_changes_say_what() -> None:
    text = PROGRAM.replace("## N.", '## The number.\n  @owner("c@d.test")')
    assert change_of(against(compiled(text)), "n").reasons == (
        "its owner was `a@b.test` and is `c@d.test`",
        "its description has changed",
    )


def test_a_new_version_beside_the_old_is_fine() -> None:
    text = PROGRAM.replace("  ## Mean.", "  ## More.\n  n@2: int = count() over 8d\n  ## Mean.")
    text = text.replace("= n * 2", "= n@1 * 2").replace("* 2 - n", "* 2 - n@1")
    found = against(compiled(text))
    assert verdicts(found) == {"n": Verdict.NEW}
    assert changed_meanings(found, {}) == ()


def test_the_error_names_where_a_change_begins_and_the_next_version() -> None:
    program = compiled(PROGRAM.replace("count() over 7d", "count() over 8d"))
    places = {name: origin.name for name, origin in program.features.items()}
    (error,) = changed_meanings(against(program), places)
    assert error.title == "`User.n` has changed its meaning since it was locked"
    assert error.primary is not None
    assert "locked 2026-11-23" in error.primary.text
    assert "`User.double`, `User.fourfold`" in " ".join(error.notes)
    assert "`n@2: ...`" in error.helps[0]
    (fix,) = error.fixes
    assert [edit.text for edit in fix.edits] == ["n@2"]


def test_without_the_definition_the_reads_are_told() -> None:
    program = compiled(PROGRAM.replace("= n * 2", "= 4"))
    found = compare(LOCK, program.plan, "2027-01-01", lambda _identity: None)
    assert change_of(found, "double").reasons == (
        "no longer reads m.User.n@1",
        "the locked definition is not kept any more",
    )


def test_a_removed_version_can_come_back() -> None:
    gone = compiled(PROGRAM.replace("  ## Rate.\n  rate: float? = rates[int(user_id)].rate\n", ""))
    later = against(gone).lock
    assert against(gone, later).is_same
    assert verdicts(against(BEFORE, later)) == {"rate": Verdict.RESTORED}
