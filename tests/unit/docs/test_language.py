"""What the language pages say is what the compiler does: windows, aggregates, refusals, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile
from astrafs.syntax.parse import parse_module

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = sorted([*DOCS.glob("language/*.md"), DOCS / "tutorial.md", DOCS / "conformance.md"])

PROGRAM = """\
owner "docs@astrafs.example"
entity User {{ user_id: int }}
## Events, known ahead or not.
source rows
  from  parquet("rows.parquet")
  key   id
  time  at
  {knowledge}
{{
  id:           int
  user_id:      User
  at:           timestamp
  published_at: timestamp
  x:            float
  cond:         bool
}}
{more}
features for User from rows {{
  ## One feature.
  f: {type} = {value}
}}
"""


def codes(value: str, type_: str = "int", *, ahead: bool = False, more: str = "") -> list[str]:
    """Compile a program with one feature; return the codes of what is found."""
    knowledge = "known published_at ahead" if ahead else "delay 5m"
    text = PROGRAM.format(knowledge=knowledge, value=value, type=type_, more=more)
    sink = Sink()
    compile_project((SourceFile("page.afs", text),), sink)
    return [found.code.id for found in sink]


def cells(page: str, first_header: str) -> list[tuple[str, str]]:
    """Return the first two cells of every row of the table whose first header is given."""
    lines = (DOCS / "language" / page).read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first_header} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        first, second, *_ = [cell.strip() for cell in line.strip("|").split(" | ")]
        rows.append((first, second))
    return rows


def quoted(cell: str) -> list[str]:
    """Return the texts in back-quotes."""
    return re.findall(r"`([^`]+)`", cell)


WINDOWS = [
    text.removeprefix("over ") for cell, _ in cells("time.md", "window") for text in quoted(cell)
]


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_of_the_page_compile(window: str) -> None:
    ahead = "next" in window or "-" in window
    assert codes(f"count() over {window}", ahead=ahead) == []


AGGREGATES = [
    (name if "(" in name else f"{name}(x)", empty)
    for cell, empty in cells("features.md", "aggregate")
    for name in quoted(cell)
]


@pytest.mark.parametrize(("call", "empty"), AGGREGATES)
def test_aggregates_of_the_page_are_null_when_they_say_so(call: str, empty: str) -> None:
    kind = "bool" if "cond" in call else "int" if "count" in call else "float"
    assert codes(f"{call} over 7d", f"{kind}?") == []
    assert codes(f"{call} over 7d", kind) == (["AFS0302"] if empty == "null" else [])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_codes_and_links_of_a_page_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [code for code in re.findall(r"AFS\d{4}", text) if code not in ALL] == []
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (page.parent / target).exists(), target


FRAGMENTS = [
    (page.name, text)
    for page in PAGES
    for text in re.findall(r"^```text\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    if re.match(r"(##|use|source|stream|features|view) ", text)
]


@pytest.mark.parametrize(("page", "text"), FRAGMENTS)
def test_fragments_of_a_page_are_well_formed(page: str, text: str) -> None:
    sink = Sink()
    parse_module(SourceFile(page, text), "page", sink)
    assert list(sink) == []


def test_there_are_fragments() -> None:
    assert len(FRAGMENTS) >= 6


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_programs_of_a_page_compile(page: Path) -> None:
    for text in re.findall(r"^```afs\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S):
        sink = Sink()
        compile_project((SourceFile("page.afs", text),), sink)
        assert list(sink) == []
