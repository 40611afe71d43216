"""``astrafs explain``: what a code means, with a program that raises it and one that does not."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from astrafs.cli import console
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import Code, Sink
from astrafs.diagnostics.render import text as text_form
from astrafs.diagnostics.render.cells import wrap
from astrafs.diagnostics.render.excerpt import Style
from astrafs.diagnostics.suggest import closest
from astrafs.source import SourceFile

STAGES = {
    "00": "command line",
    "01": "syntax",
    "02": "names",
    "03": "types",
    "04": "windows",
    "05": "leakage",
    "06": "plan",
    "07": "backend",
    "08": "registry",
    "09": "runs, data and project files",
}


@console.command
def run(
    code: Annotated[
        str, typer.Argument(help="A code such as AFS0301; all are listed without it.")
    ] = "",
) -> int:
    """Explain a diagnostic code; without one, list them all."""
    if not code:
        console.write(_listing())
        return console.OK
    name = code.strip().upper()
    if name.isdigit():
        name = f"AFS{int(name):04d}"
    found = ALL.get(name)
    if found is None:
        likely = closest(name, ALL)
        advice = f"did you mean `{likely}`?" if likely else "`astrafs explain` lists all codes"
        return console.fail(
            codes.EXPLAIN_UNKNOWN.nowhere(f"there is no code `{code}`").help(advice)
        )
    console.write(_page(found))
    return console.OK


def _listing() -> str:
    lines: list[str] = []
    stage = ""
    for name, code in ALL.items():
        if name[3:5] != stage:
            stage = name[3:5]
            lines += [*([""] if lines else []), _title(STAGES.get(stage, stage))]
        kind = "" if code.severity == "error" else f" ({code.severity})"
        lines.append(f"  {name}  {code.title}{kind}")
    return "\n".join(lines) + "\n"


def _page(code: Code) -> str:
    width = console.width(sys.stdout)
    lines = [_title(f"{code.id}: {code.title}"), ""]
    lines += _paragraphs(code.explain, width)
    if code.bad:
        lines += ["", _title("Refused" if code.severity == "error" else "Warned about"), ""]
        lines += _program(code.bad)
        drawn = _diagnosed(code.bad, width)
        if drawn:
            lines += ["", *drawn.rstrip("\n").split("\n")]
    if code.good:
        lines += ["", _title("Accepted"), "", *_program(code.good)]
    return "\n".join(lines) + "\n"


def _title(text: str) -> str:
    return console.styled(text, Style.BOLD, sys.stdout)


def _paragraphs(text: str, width: int) -> list[str]:
    """Rejoin hard-wrapped prose; indented lines and lists stay as they are."""
    lines: list[str] = []
    for paragraph in text.strip("\n").split("\n\n"):
        rows = paragraph.split("\n")
        if any(row.startswith((" ", "- ", "* ")) for row in rows):
            lines += rows
        else:
            lines += wrap(" ".join(row.strip() for row in rows), width)
        lines.append("")
    return lines[:-1]


def _program(text: str) -> list[str]:
    return [f"    {line}".rstrip() for line in text.strip("\n").split("\n")]


def _diagnosed(text: str, width: int) -> str:
    """Return what ``check`` prints about the program ``text``."""
    from astrafs.driver import compile_project

    sink = Sink()
    files = example_files(text)
    compile_project(files, sink)
    by_path = {file.path: file for file in files}
    return text_form.render(sink, by_path, width=width, colour=console.coloured(sys.stdout))


def example_files(text: str, first: str = "example.afs") -> tuple[SourceFile, ...]:
    """Part an example into its files: a line ``# file: path.afs`` starts each further one."""
    parts = re.split(r"^# file: (\S+)[ \t]*\n", text.lstrip("\n"), flags=re.MULTILINE)
    names = [first, *parts[1::2]]
    texts = [parts[0], *parts[2::2]]
    found = [
        SourceFile(name, body) for name, body in zip(names, texts, strict=True) if body.strip()
    ]
    return tuple(sorted(found, key=lambda file: file.path))
