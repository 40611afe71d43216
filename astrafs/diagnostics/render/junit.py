"""Diagnostics as JUnit XML: a suite per file, a failed case per error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from astrafs.diagnostics.model import Diagnostic
from astrafs.diagnostics.render.cells import reveal
from astrafs.diagnostics.render.text import render as render_text
from astrafs.source import SourceFile

WHOLE = "project"
"""The suite of problems that have no place in a file."""


def render(diagnostics: Sequence[Diagnostic], files: Mapping[str, SourceFile]) -> str:
    """Return the document. A file without errors has one passed case; warnings are its output."""
    by_file: dict[str, list[Diagnostic]] = {path: [] for path in sorted(files)}
    for found in diagnostics:
        path = WHOLE if found.primary is None else found.primary.span.path
        by_file.setdefault(path, []).append(found)
    suites = [_suite(path, found, files) for path, found in by_file.items()]
    tests = sum(size for size, _ in suites)
    failures = sum(found.is_error for found in diagnostics)
    return "".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            f'<testsuites name="astrafs check" tests="{tests}" failures="{failures}" errors="0">\n',
            *(text for _, text in suites),
            "</testsuites>\n",
        ]
    )


def _suite(
    path: str, diagnostics: Sequence[Diagnostic], files: Mapping[str, SourceFile]
) -> tuple[int, str]:
    errors = [found for found in diagnostics if found.is_error]
    cases = [_failed(path, found, files) for found in errors]
    if not cases:
        said = "".join(render_text([found], files) for found in diagnostics)
        cases = [_case(path, "check", f"<system-out>{_text(said)}</system-out>" if said else "")]
        outputs = ""
    else:
        said = "".join(render_text([found], files) for found in diagnostics if not found.is_error)
        outputs = f"    <system-out>{_text(said)}</system-out>\n" if said else ""
    head = f'  <testsuite name={_attribute(path)} tests="{len(cases)}" failures="{len(errors)}">\n'
    return len(cases), head + "".join(cases) + outputs + "  </testsuite>\n"


def _failed(path: str, found: Diagnostic, files: Mapping[str, SourceFile]) -> str:
    name, file = found.code.id, files.get(path)
    if file is not None and found.primary is not None:
        line, column = file.position(min(found.primary.span.start, len(file.text)))
        name += f" at {line}:{column}"
    body = _text(render_text([found], files))
    opening = f"<failure type={_attribute(found.code.id)} message={_attribute(found.title)}>"
    return _case(path, name, f"{opening}{body}</failure>")


def _case(path: str, name: str, inner: str) -> str:
    head = f"    <testcase classname={_attribute(path)} name={_attribute(name)}"
    return f"{head}>{inner}</testcase>\n" if inner else f"{head}/>\n"


def _text(text: str) -> str:
    return escape("\n".join(reveal(line) for line in text.split("\n")))


def _attribute(text: str) -> str:
    return quoteattr(reveal(text))
