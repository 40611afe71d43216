"""The lock file: canonical text, what may not be read, and the definitions kept beside it."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.program import Program
from astrafs.registry import lock as lock_file
from astrafs.registry.compare import compare
from astrafs.registry.definitions import define, read_definition, write_definition
from astrafs.registry.lock import EMPTY, Lock, lock_plan, read_lock, write_lock
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
    assert list(data["feature"]) == sorted(data["feature"])
    entry = data["feature"]["m.User.last_kind@1"]
    assert entry["type"] == 'enum("new", "used")?'
    rows = data["rows"]["m.orders"]
    assert rows["columns"][:2] == ["id: int", "user_id: User"]
    assert entry["reads"] == [f"m.orders {rows['identity']}"]
    n = data["feature"]["m.User.n@1"]["identity"]
    assert data["feature"]["m.User.double@1"]["reads"] == [f"m.User.n@1 {n}"]


def test_removed_versions_stay_with_their_date() -> None:
    lock = lock_plan(compiled(PROGRAM).plan, "2026-11-23")
    smaller = compiled(PROGRAM.split("features for User {")[0]).plan
    later = lock_plan(smaller, "2027-01-01", lock)
    gone = later.features[DOUBLE]
    assert (gone.status, gone.created, gone.ended) == ("removed", "2026-11-23", "2027-01-01")
    assert lock_plan(smaller, "2028-01-01", later) == later
    back = lock_plan(compiled(PROGRAM).plan, "2028-01-01", later).features[DOUBLE]
    assert (back.status, back.created, back.ended) == ("active", "2026-11-23", "")
    assert read_lock(write_lock(later)) == later


def test_a_definition_comes_back_alone() -> None:
    program = compiled(PROGRAM)
    kept = read_definition(write_definition(define(program.plan, program.bindings, FOUR)))
    assert kept.feature == FOUR
    assert {feature.id for feature in kept.plan.features} == {N, DOUBLE, FOUR}
    assert [source.name for source in kept.plan.sources] == ["m.orders"]
    assert kept.bindings["m.orders"].patterns == ("o.parquet",)
    before = lock_plan(program.plan, "2026-11-23").features[FOUR].identity
    assert lock_plan(kept.plan, "2026-11-23").features[FOUR].identity == before


@pytest.mark.parametrize(
    "text", ["", "{}", "{}\n{}", '{"format": 9}\n{}', '{"format": 1, "feature": 1, "files": {}}\n']
)
def test_other_texts_are_no_definitions(text: str) -> None:
    with pytest.raises(PlanError):
        read_definition(text)


GOOD = write_lock(lock_plan(compiled(PROGRAM).plan, "2026-11-23"))
HEAD = "".join(GOOD.partition("[rows")[0])


def test_engines_are_recorded_and_decide_nothing() -> None:
    plan = compiled(PROGRAM).plan
    lock = lock_plan(plan, "2026-11-23", engines=("duckdb 2.0.0", "pyarrow 26.0.0"))
    text = write_lock(lock)
    assert 'engines = [\n  "duckdb 2.0.0",\n  "pyarrow 26.0.0",\n]' in text
    assert lock_file._quickly(text) is not None
    assert read_lock(text) == lock
    found = compare(lock, plan, "2026-11-24", lambda _: None, ("duckdb 3.0.0",))
    assert found.is_same
    with pytest.raises(AstrafsError):
        read_lock(text.replace('"duckdb 2.0.0"', "3"))


def test_a_lock_of_nothing() -> None:
    assert read_lock(write_lock(EMPTY)) == EMPTY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "which version of the format"),
        ("version = 3\n", "format has version 3"),
        ("version = 2\n", "head must give"),
        (HEAD + "[other]\n", "parts that no lock file has"),
        (HEAD + "feature = 1\n", "parts that no lock file has"),
        ("version = 2\nx", "not TOML"),
        (GOOD + "<<<<<<< mine\n", "merge conflict"),
        (GOOD.replace('m.User.n@1"]', 'n"]', 1), "not the name of a feature version"),
        (GOOD.replace('m.User.n@1"]', 'm.User.n@0"]', 1), "not the name"),
        (GOOD.replace("created", "made", 1), "has no created"),
        (GOOD.replace("created", 'more = "x"\ncreated', 1), "must not have more"),
        (GOOD.replace("plan_schema = ", "plan_schema = 9", 1), "a newer version of this program"),
        (GOOD.replace("identities = ", "identities = 9", 1), "a newer version of this program"),
        (GOOD[: GOOD.index('[feature."m.User.n@1"]')], "which the file lacks"),
        (GOOD[: len(GOOD) - 5], "not TOML"),
        (GOOD + GOOD[GOOD.rindex("[feature.") :], "not TOML"),
        (GOOD.replace("columns", "cells", 1), "must have just"),
        (GOOD.replace('"active"', '"lively"', 1), "value of a wrong form"),
        (GOOD.replace('identity = "', 'identity = "zz', 1), "value of a wrong form"),
        (GOOD.replace('"m.orders ', '"m.orders zz', 1), "value of a wrong form"),
        (GOOD.replace("[", "[" * 5_000, 1), ""),
    ],
)
def test_other_texts_are_refused(text: str, words: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        read_lock(text)
    (found,) = caught.value.diagnostics
    assert found.code.id == "AFS0801"
    assert words in " ".join(found.notes)
    assert found.primary is None or found.primary.span.path in caught.value.files


@pytest.mark.parametrize(
    "text",
    [
        "version = 2\nversion = 2\n",
        'version = 2\nedition = "a" "b"\n',
        'version = 2\nedition = "a\\/b"\n',
        "version = 02\n",
        'version = 2\nx = ["a"]\n',
        'x = "\\ud800"\n',
        "version = 2\nx = 'a'\n",
        "version = 2 # two\n",
        '[feature."a"]\n[feature."a"]\n',
        'x = [\n  "a"\n]\n',
        'x = [\n  "a",\n',
        'x = "a\tb\x7f"\n',
    ],
)
def test_the_quick_reader_reads_what_toml_reads(text: str) -> None:
    found = lock_file._quickly(text)
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert found is None
    else:
        assert found is None or {k: v for k, v in found.items() if v != {}} == whole


def test_the_quick_reader_reads_what_is_written() -> None:
    wild = 'a"b\\c\n\t\u2028 \x7f ö \U0001f600 ]\n  "x",'
    lock = lock_plan(compiled(PROGRAM).plan, "2026-11-23")
    locked = replace(lock.features[N], doc=wild, owner=wild, tags=(wild,))
    text = write_lock(Lock({N: locked}, lock.rows))
    found = lock_file._quickly(text)
    assert found is not None
    assert found == tomllib.loads(text)
    assert read_lock(text).features[N] == locked


def test_the_place_of_what_is_wrong_is_shown() -> None:
    for text, line in (
        (GOOD.replace("created", "made", 1), '[feature."m.User.double@1"]'),
        (GOOD + "<<<<<<< mine\n", "<<<<<<<"),
        (GOOD.replace('identity = "', 'identity = zz"', 1), "identity = zz"),
        (GOOD.replace("version = 2", "version = 3", 1), "version ="),
    ):
        with pytest.raises(AstrafsError) as caught:
            read_lock(text)
        span = caught.value.diagnostics[0].primary.span
        assert text[span.start : span.end].startswith(line)
        assert span.path == "astrafs.lock"
