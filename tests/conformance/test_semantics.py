"""Every snippet of the table of semantics compiles, or is refused with the code that it names."""

from __future__ import annotations

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile
from tests.conformance.semantics import PROGRAM, SECTIONS, Said

ROWS = [said for rows in SECTIONS.values() for said in rows]
BASE = PROGRAM.read_text(encoding="utf-8")


@pytest.mark.parametrize("said", ROWS, ids=lambda said: said.semantic)
def test_the_snippet_is_what_the_table_says(said: Said) -> None:
    sink = Sink()
    compile_project((SourceFile("semantics.afs", f"{BASE}\n{said.program('it')}"),), sink)
    assert [found.code.id for found in sink] == ([said.refused] if said.refused else [])


def test_there_is_a_row_for_each_semantic_of_the_list() -> None:
    assert len(ROWS) >= 100
    for rows in SECTIONS.values():
        assert len({said.semantic for said in rows}) == len(rows)
