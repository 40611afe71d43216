"""``astrafs explain``: what a code means, with a program that raises it and one that does not; or
what a feature is.
"""

from __future__ import annotations

import json
import re
import sys
from enum import StrEnum
from typing import Annotated

import typer

from astrafs.cli import console
from astrafs.cli.project import compile_path, usable_program
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.examples import STAGES, example_files
from astrafs.diagnostics.model import Code, Sink
from astrafs.diagnostics.render import text as text_form
from astrafs.diagnostics.render.cells import wrap
from astrafs.diagnostics.render.excerpt import Style
from astrafs.diagnostics.suggest import closest

_CODE = re.compile(r"(?i:AFS)\w*|[A-Z]{2,4}\d{3,5}|\d+")


class ExplainFormat(StrEnum):
    """How the explanation is printed."""

    TEXT = "text"
    JSON = "json"


@console.command
def run(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="[CODE|FEATURE]",
            help="A code such as AFS0301, or a feature such as User.spend; else all codes.",
            show_default=False,
        ),
    ] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The feature's project.")
    ] = ".",
    form: Annotated[
        ExplainFormat, typer.Option("--format", "-f", help="How it is printed.")
    ] = ExplainFormat.TEXT,
) -> int:
    """Explain a diagnostic code or a feature; without either, list all codes."""
    as_json = form is ExplainFormat.JSON
    if not subject:
        shown = _as_json(list(map(_data, ALL.values()))) if as_json else _listing()
        console.write(shown)
        return console.OK
    if _CODE.fullmatch(subject.strip()) is None:
        return _feature(subject, project, as_json)
    return _code(subject, as_json)


def _feature(name: str, project: str, as_json: bool) -> int:
    compiled = compile_path(project)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    from astrafs.cli.explain_feature import feature_page

    console.write(feature_page(program, name, as_json))
    return console.OK


def _code(code: str, as_json: bool) -> int:
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
    console.write(_as_json(_data(found)) if as_json else _page(found))
    return console.OK


def _as_json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _data(code: Code) -> dict[str, str]:
    return {
        "code": code.id,
        "severity": str(code.severity),
        "stage": STAGES.get(code.id[3:5], ""),
        "title": code.title,
        "explanation": code.explain.strip(),
        "refused": code.bad,
        "accepted": code.good,
    }


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
