"""Rows that come one by one are judged as files are: the same values, the same rule first."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.driver import compile_project
from astrafs.online.given import cells
from astrafs.online.judging import Judge
from astrafs.online.values import parse_json
from astrafs.plan.contracts import expects_written
from astrafs.plan.program import Program
from astrafs.runtime import paths
from astrafs.runtime.session import Session
from astrafs.runtime.sources import SourceReader
from astrafs.source import SourceFile

PROGRAM = """
owner "a@b.test"
entity User { user_id: int }

source rows from jsonl("r.jsonl") key id time at known seen {
  id:      int
  user_id: User? from "user"
  at:      timestamp
  seen:    timestamp
  local:   timestamp? in "Europe/Paris"
  unix:    timestamp? in "unix:s"
  nanos:   timestamp? in "unix:ns"
  amount:  decimal(10, 2)?
  share:   float
  flag:    bool?
  word:    string?
  kind:    enum("a", "b")
  raw:     bytes?
  day:     date?
  length:  duration?
  words:   list[string]?
  kinds:   list[enum("a", "b")?]?
  counts:  map[string, int]?
  nested:  map[string, list[int]]?
  place:   vector[2]?
  expect amount > 0.00
  expect flag or word is not null
}

features for User from rows {
  ## Number.
  n: int = count() over 7d
}
view v for User { n }
"""

GOOD: dict[str, Any] = {
    "id": 1,
    "user": 7,
    "at": "2026-01-01T00:00:00Z",
    "seen": "2026-01-01T01:00:00+00:00",
    "local": "2026-03-29T02:30:00",
    "unix": 1_700_000_000,
    "nanos": 1_700_000_000_000_001_000,
    "amount": "1.50",
    "share": 0.5,
    "flag": True,
    "word": "x",
    "kind": "a",
    "raw": "AQI=",
    "day": "2026-01-01",
    "length": "1h30m",
    "words": ["x", "é"],
    "kinds": ["a", None],
    "counts": {"b": 1, "a": 2},
    "nested": {"z": [1, 2], "y": []},
    "place": [1.5, 0.1],
}

TIMES = (
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.0000010Z",
    "2026-01-01 02:00:00+02",
    "2026-01-01T00:00Z",
    "2026-01-01T00:00:00",
    "2025-10-26T02:30:00",
    "2026-01-01",
    "1500-01-01T00:00:00Z",
    "2300-01-01T00:00:00",
    "2026-02-30T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00+19:00",
    "2026-01-01T00:00:00.1234567Z",
    "",
)
NUMBERS = (0, 1, -1, 2**63 - 1, -(2**63), 2**63, 1.5, -0.0, 1e300, 7.0, 1_700_000_000, 10**12)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    "a",
    "b",
    "c",
    "1.5",
    "1.555",
    "-1.50",
    "+1.",
    "AQ",
    "AQ==",
    "2026-01-01",
    "0001-01-01",
    "2026-1-1",
    "1h",
    "-1h30m",
    "30m1h",
    "0s",
    [],
    [None],
    ["a"],
    ["c", None],
    [1, 2],
    [1.5, None],
    [1e39, 0],
    {},
    {"a": 1},
    {"a": None},
    {"a": [1, None]},
    {"a": "b"},
    {"a": [2**63]},
)


def compiled() -> Program:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", PROGRAM),), sink)
    assert program is not None
    assert [found.title for found in sink if found.is_error] == []
    return program


def generated(seed: int, count: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)
    choices = (*TIMES, *NUMBERS, *OTHERS)
    for number in range(count):
        row = {**GOOD, "id": number}
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            name = chance.choice(list(GOOD))
            if chance.random() < 0.1:
                del row[name]
                break
            row[name] = chance.choice(choices)
        if chance.random() < 0.2:
            row["seen"] = chance.choice(("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"))
        if chance.random() < 0.1:
            row["amount"], row["flag"], row["word"] = chance.choice(
                (("-1.50", True, "x"), ("1", False, None))
            )
        row["extra"] = "not declared"
        yield row


def offline(program: Program, file: Path) -> list[tuple[str, Any]]:
    """Return (rule, row) of each line as a run over files judges it; the rule is empty for none."""
    source = program.plan.sources[0]
    inspected = paths.inspect(file, file.parent)
    with Session([file], keep_order=True) as session:
        session.set_as_of(2**63 - 1)
        reader = SourceReader(
            session, source, "jsonl", [inspected], None, expects_written(program, source.name)
        )
        reader.open()
        found: list[tuple[str, Any]] = []
        for batch in reader.judged(1000):
            columns = [
                cells(batch.column(place), column.type)
                for place, column in enumerate(source.columns)
            ]
            rows = [
                dict(zip((one.name for one in source.columns), row, strict=True))
                for row in zip(*columns, strict=True)
            ]
            for row, bad in zip(rows, batch.column("@bad").to_pylist(), strict=True):
                found.append(("", row) if bad is None else (_rule(reader.rules[bad]), None))
    return found


def _rule(rule: Any) -> str:
    return str(rule.name if rule.name.endswith(".type") else rule.text)


def online(judge: Judge, line: str) -> tuple[str, Any]:
    row = parse_json(line, most_bytes=1 << 20, what="it")
    found = judge.judge(row, "row")
    if not isinstance(found, Diagnostic):
        return "", found
    assert found.code.id == "AFS0906"
    (rule,) = (note.removeprefix("rule: ") for note in found.notes if note.startswith("rule: "))
    name, sign, _ = rule.partition("` is a `")
    return (f"{name.removeprefix('`')}.type" if sign else rule), None


@pytest.mark.parametrize("seed", range(3))
def test_rows_one_by_one_are_judged_as_files_are(tmp_path: Path, seed: int) -> None:
    program = compiled()
    source = program.plan.sources[0]
    judge = Judge(source, expects_written(program, source.name))
    lines = [json.dumps(row) for row in generated(seed, 700)]
    file = tmp_path / "r.jsonl"
    file.write_text("\n".join(lines) + "\n")
    expected = offline(program, file)
    assert len(expected) == len(lines)
    for line, want in zip(lines, expected, strict=True):
        assert (repr(online(judge, line)), line) == (repr(want), line)
    rules = {rule for rule, _ in expected}
    assert "" in rules
    assert len(rules) > 20
    assert {rule for rule in rules if "known" in rule}
    assert len({rule for rule in rules if rule.startswith("expect")}) == 2
