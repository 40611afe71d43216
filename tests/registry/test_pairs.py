"""The verdict of ``astrafs plan`` on every pair, against the one written by hand."""

from __future__ import annotations

import functools

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan.program import Program
from astrafs.registry.compare import compare
from astrafs.registry.definitions import Definition, define
from astrafs.registry.lock import Locked, lock_plan
from astrafs.source import SourceFile
from tests.registry.edge_pairs import EDGE_PAIRS
from tests.registry.later_pairs import LATER_PAIRS
from tests.registry.pairs import PAIRS, Pair

ALL = (*PAIRS, *LATER_PAIRS, *EDGE_PAIRS)


def compiled(text: str) -> Program:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", text),), sink)
    problems = [f"{found.code.id} {found.title}" for found in sink if found.is_error]
    assert problems == []
    assert program is not None
    return program


@functools.cache
def locked(text: str) -> Program:
    return compiled(text)


def edited(pair: Pair) -> str:
    text = pair.base
    for old, new in pair.edits:
        assert old in text, f"{pair.name}: nothing to edit"
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("pair", ALL, ids=[pair.name for pair in ALL])
def test_verdict(pair: Pair) -> None:
    before = locked(pair.base)
    lock = lock_plan(before.plan, "2026-01-01")

    def recall(locked: Locked) -> Definition | None:
        return define(before.plan, before.bindings, locked.feature)

    found = compare(lock, compiled(edited(pair)).plan, "2026-01-02", recall)
    told = {
        change.feature.name
        if change.feature.version == 1
        else f"{change.feature.name}@{change.feature.version}": str(change.verdict)
        for change in found.changes
        if change.verdict != "identical"
    }
    assert told == pair.changed


def test_there_are_enough_pairs() -> None:
    assert len(ALL) >= 100
    assert sum(pair.adversarial for pair in ALL) >= len(ALL) // 2
    assert len({pair.name for pair in ALL}) == len(ALL)
