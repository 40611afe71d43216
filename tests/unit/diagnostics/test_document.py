"""The pages of the codes in ``docs/codes`` say what the compiler says now."""

from __future__ import annotations

from pathlib import Path

import pytest

from astrafs.diagnostics import codes
from astrafs.diagnostics.document import INDEX, pages, write

PLACE = Path(__file__).parents[3] / "docs" / "codes"
PAGES = pages()


def test_there_is_a_page_for_every_code_and_no_other() -> None:
    """Write them with ``python -m astrafs.diagnostics.document``."""
    assert {path.name for path in PLACE.iterdir()} == set(PAGES)
    assert set(PAGES) == {INDEX, *(f"{name}.md" for name in codes.ALL)}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name: str) -> None:
    assert (PLACE / name).read_text(encoding="utf-8") == PAGES[name]


def test_index_links_every_page() -> None:
    for name in codes.ALL:
        assert f"[{name}]({name}.md)" in PAGES[INDEX]


def test_pages_of_codes_that_are_gone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "AFS9999.md").write_text("old")
    (tmp_path / "mine.txt").write_text("mine")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*PAGES, "mine.txt"}
