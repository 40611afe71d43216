"""The pages ``docs/codes/``: one per code and an index.

Write them with ``python -m astrafs.diagnostics.document [DIR]``; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.examples import STAGES, example_files
from astrafs.diagnostics.model import Code, Diagnostic, Sink
from astrafs.diagnostics.render.text import render
from astrafs.driver import compile_project

PLACE = "docs/codes"
INDEX = "README.md"
_FENCE = "````"
"""Longer than any that the programs contain."""


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    found = {f"{code.id}.md": "".join(f"{line}\n" for line in _page(code)) for code in ALL.values()}
    return {INDEX: "".join(f"{line}\n" for line in _index()), **found}


def _page(code: Code) -> Iterator[str]:
    yield f"# {code.id}: {code.title}\n"
    article = "An" if code.severity == "error" else "A"
    yield f"{article} {code.severity} of the stage *{STAGES[code.id[3:5]]}*.\n"
    yield f"{code.explain.strip()}\n"
    if code.bad:
        refused = "Refused" if code.severity == "error" else "Warned about"
        yield f"## {refused}\n"
        yield from _block("afs", code.bad)
        yield "What `astrafs check` says:\n"
        yield from _block("text", _report(code.bad))
    if code.good:
        yield "## Accepted\n"
        yield from _block("afs", code.good)
    if not code.bad:
        yield "It shows when a command runs, and no program by itself raises it.\n"
    yield f"[All codes]({INDEX})"


def _block(language: str, text: str) -> Iterator[str]:
    yield f"{_FENCE}{language}"
    yield text.strip("\n")
    yield f"{_FENCE}\n"


def _report(program: str) -> str:
    return render(_diagnosed(program), {file.path: file for file in example_files(program)})


@cache
def _diagnosed(program: str) -> tuple[Diagnostic, ...]:
    sink = Sink()
    compile_project(example_files(program), sink)
    return tuple(sink)


def _index() -> Iterator[str]:
    yield "# Codes\n"
    yield f"All {len(ALL)} diagnostics of AstraFS. `astrafs explain CODE` shows the same pages.\n"
    yield (
        "*Fix*: `astrafs fix` mends the example of the page by itself (safe), or with `--unsafe`.\n"
    )
    for stage, name in STAGES.items():
        codes = [code for code in ALL.values() if code.id[3:5] == stage]
        if not codes:
            continue
        yield f"## {stage}xx: {name}\n"
        yield "| code | says | fix |"
        yield "|---|---|---|"
        for code in codes:
            kind = "" if code.severity == "error" else f" ({code.severity})"
            yield f"| [{code.id}]({code.id}.md) | {code.title}{kind} | {_fixes(code)} |"
        yield ""


def _fixes(code: Code) -> str:
    found = [fix for one in _diagnosed(code.bad) for fix in one.fixes]
    if not found:
        return ""
    return "safe" if any(fix.safe for fix in found) else "unsafe"


def write(place: Path) -> None:
    """Make the directory ``place`` hold the pages and no others."""
    place.mkdir(parents=True, exist_ok=True)
    current = pages()
    for old in place.glob("*.md"):
        if old.name not in current:
            old.unlink()
    for name, text in current.items():
        (place / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else PLACE))
