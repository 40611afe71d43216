"""The rules against brute force over ages, their fixes, and programs that are broken otherwise."""

from __future__ import annotations

from itertools import product

import pytest

from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.source import SourceFile

H = 3_600_000_000
STEP = H // 2  # rules are given in hours, rows may lie between
AGES = range(0, 60 * H, STEP)

HEAD = """
owner "a@b.test"
entity User {{ user_id: int }}

## Orders.
source orders from parquet("o.parquet") key id time at {clauses} {{
  id: int
  user_id: User
  flag: bool {flag}
  kind: enum("new", "used")
  amount: decimal(9, 2)?
  at: timestamp
  done_at: timestamp
}}
"""


def compiled(text: str) -> tuple[Program, list[Diagnostic]]:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", text),), sink)
    assert program is not None
    return program, list(sink)


def spellings() -> list[str]:
    found = [
        f"{left}{far}h, {near}h{right}"
        for (far, near), left, right in product(
            ((2, 1), (4, 2), (5, 3), (8, 6), (3, 0), (30, 0)), "[(", ")]"
        )
    ]
    found += ["1h", "2h", "3h", "24h", "2h offset 1h", "4h offset 2h", "3h offset 3h"]
    found += ["1h every 1h", "2h every 3h", "3h including now", "all", "all offset 3h"]
    found += ["all including now", "last 3", "last 3 within 2h", "last 1 within 24h"]
    return found


def program_of(clauses: str, flag: str, aggregate: str) -> str:
    lines = [
        f"  ## W.\n  w{index}: int = {aggregate} over {window}"
        for index, window in enumerate(spellings())
    ]
    head = HEAD.format(clauses=clauses, flag=flag)
    return f"{head}\nfeatures for User from orders {{\n" + "\n".join(lines) + "\n}\n"


def in_window(window: ir.Window, age: int, phase: int) -> bool:
    """The definition, ``phase`` after the last multiple of ``every``."""
    if isinstance(window, ir.LastWindow):
        return age > 0 and (window.within is None or age <= window.within)
    late = age - (phase % window.every if window.every else 0)
    near = window.near <= late if window.near_closed else window.near < late
    far = window.far is None or (late <= window.far if window.far_closed else late < window.far)
    return near and far


def ages(window: ir.Window) -> list[int]:
    phases = range(0, 6 * H, STEP)
    return [age for age in AGES if any(in_window(window, age, phase) for phase in phases)]


def windows(program: Program) -> dict[str, ir.Window]:
    return {
        feature.id.name: feature.expression.window
        for feature in program.plan.features
        if isinstance(feature.expression, ir.Aggregate)
    }


def accused(found: list[Diagnostic], code: str) -> set[str]:
    assert {diagnostic.code.id for diagnostic in found} <= {code}
    return {diagnostic.title.split("`User.")[1].split("`")[0] for diagnostic in found}


@pytest.mark.parametrize("hours", [1, 2, 3, 6, 40])
def test_settling_against_every_age(hours: int) -> None:
    text = program_of("", f"settles {hours}h", "count(where flag)")
    program, found = compiled(text)
    expected = {
        name
        for name, window in windows(program).items()
        if any(age < hours * H for age in ages(window))
    }
    assert accused(found, "AFS0502") == expected


@pytest.mark.parametrize("hours", [1, 2, 3, 6, 40])
def test_delay_against_every_age(hours: int) -> None:
    program, found = compiled(program_of(f"delay {hours}h", "", "count()"))
    expected = {
        name
        for name, window in windows(program).items()
        if not any(age >= hours * H for age in ages(window))
    }
    assert accused(found, "AFS0506") == expected


@pytest.mark.parametrize("hours", [1, 2, 3, 6, 40])
def test_retention_against_every_age(hours: int) -> None:
    program, found = compiled(program_of(f"retention {hours}h", "", "count()"))
    expected = {
        name
        for name, window in windows(program).items()
        if any(age > hours * H for age in ages(window))
    }
    assert accused(found, "AFS0507") == expected


def fixed(text: str, found: Diagnostic) -> str:
    for edit in sorted(found.fixes[0].edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


@pytest.mark.parametrize(
    "window",
    ["7d", "7d offset 1d", "all", "all offset 1d", "[7d, 1d)"],
)
def test_the_fix_for_a_settling_column_mends_it(window: str) -> None:
    head = HEAD.format(clauses="", flag="settles 60d")
    body = f"  ## W.\n  w: int = count(where flag) over {window}\n"
    text = f"{head}\nfeatures for User from orders {{\n{body}}}\n"
    _, (error,) = compiled(text)
    assert error.code.id == "AFS0502"
    mended = fixed(text, error)
    assert "60d" in mended.split("over")[1]
    program, left = compiled(mended)
    assert left == []
    (after,) = windows(program).values()
    assert isinstance(after, ir.RangeWindow)
    assert after.near == 60 * 24 * H


@pytest.mark.parametrize("window", ["next 7d", "next 1h every 1h"])
def test_the_fix_for_a_forward_window_mends_it(window: str) -> None:
    head = HEAD.format(clauses="", flag="")
    text = (
        f"{head}\nfeatures for User from orders {{\n  ## W.\n  w: int = count() over {window}\n}}\n"
    )
    _, (error,) = compiled(text)
    assert error.code.id == "AFS0501"
    assert compiled(fixed(text, error))[1] == []


def test_a_fix_in_a_template_serves_all_expansions() -> None:
    head = HEAD.format(clauses="", flag="settles 60d")
    text = f"""{head}
features for User from orders {{
  for w in [1h, 7d, 90d] {{
    ## W.
    n_{{w}}: int = count(where flag) over w
  }}
}}
"""
    _, (error,) = compiled(text)
    assert any("w = 7d" in note for note in error.notes)
    assert compiled(fixed(text, error))[1] == []


AGGREGATES = [
    "count(where flag)",
    "count(amount where flag)",
    "sum(amount where flag)",
    "mean(amount where flag)",
    "min(amount where flag)",
    "max(amount where flag)",
    "stddev(amount where flag)",
    "count_distinct(kind where flag)",
    "any(flag)",
    "all(flag)",
    "first(kind where flag)",
    "last(flag)",
    "last(id where flag)",
    'count(where flag and kind == "used")',
    "count(where flag and amount > 100)",
    "count(where flag and t_minus(at) > 1)",
    "count(where (if flag then 1 else 2) == 1)",
    "median(amount where flag)",
    "collect(amount, 2 where flag)",
    "nth_last(id, 1 where flag)",
    "argmax(amount, id where flag)",
    "count() by flag",
    "sum(amount where flag) by kind",
    "corr(amount, id where flag)",
]


def test_pictures_of_all_aggregates_show_a_change() -> None:
    """Every counterexample that can be evaluated shows two different values."""
    lines = []
    for index, aggregate in enumerate(AGGREGATES):
        text = aggregate.replace("t_minus(at) > 1", 'hour(at, "UTC") >= 0')
        made = {
            "sum": "decimal(38, 2)",
            "mean": "float?",
            "min": "decimal(9, 2)?",
            "max": "decimal(9, 2)?",
            "stddev": "float?",
            "any": "bool",
            "all": "bool",
            "first": 'enum("new", "used")?',
            "last": "int?" if "id" in aggregate else "bool?",
            "median": "decimal(9, 2)?",
            "argmax": "decimal(9, 2)?",
            "nth_last": "int?",
            "collect": "list[decimal(9, 2)]",
            "corr": "float?",
        }.get(aggregate.split("(")[0], "int")
        made = {"flag": "map[bool, int]", "kind": 'map[enum("new", "used"), decimal(38, 2)]'}.get(
            aggregate.partition(" by ")[2], made
        )
        lines.append(f"  ## A.\n  a{index:02}: {made} = {text} over 7d")
    head = HEAD.format(clauses="", flag="settles 60d")
    _, found = compiled(f"{head}\nfeatures for User from orders {{\n" + "\n".join(lines) + "\n}\n")
    assert [diagnostic.code.id for diagnostic in found] == ["AFS0502"] * len(AGGREGATES)
    for diagnostic, aggregate in zip(found, AGGREGATES, strict=True):
        outcome = diagnostic.picture.strip().splitlines()[-1]
        if aggregate.startswith(("stddev", "corr")):
            assert "depends on it" in outcome
            continue
        values = outcome.split(" over 7d: ")[1]
        before, after = values.split(" when served at t, ")
        assert before != after.removesuffix(" in the training set")


@pytest.mark.parametrize(
    "text",
    [
        # a source that is not there, a cycle, a stream based on itself, types that do not fit
        "features for User from nowhere {\n  ## N.\n  n: int = count() over next 7d\n}",
        "features for User {\n  ## A.\n  a: int = b + 1\n  ## B.\n  b: int = a + 1\n}",
        "stream s from s where flag\n"
        "features for User from s {\n  ## N.\n  n: int = count() over 1h\n}",
        "features for User from orders {\n  ## N.\n  n: int = count(where amount) over next 7d\n}",
        "stream s from orders time nothing\n"
        "features for User from s {\n  ## N.\n  n: int = count(where flag) over 1h\n}",
    ],
)
def test_other_mistakes_are_left_to_their_passes(text: str) -> None:
    head = HEAD.format(clauses="", flag="settles 1h")
    _, found = compiled(f"{head}\n{text}\n")
    assert found
    assert all(not diagnostic.code.id.startswith("AFS00") for diagnostic in found)
