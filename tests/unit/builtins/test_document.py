"""The page of builtins is what the rows say."""

from __future__ import annotations

from pathlib import Path

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.document import render
from astrafs.builtins.registry import FUNCTIONS, INTERNAL

PAGE = Path(__file__).parents[3] / "docs" / "builtins.md"


def test_the_page_is_current() -> None:
    """Write it with ``python -m astrafs.builtins.document > docs/builtins.md``."""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_the_page_names_everything_that_a_program_can_write() -> None:
    page = render()
    for name, row in FUNCTIONS.items():
        assert (row.doc in page) == (name not in INTERNAL), name
    for name, aggregate in AGGREGATES.items():
        assert f"### `{name}({aggregate.params})`" in page
