"""``astrafs why``: the rows that made one value of a feature, and those near by that did not."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from astrafs.cli import console
from astrafs.cli.options import EnvOption
from astrafs.cli.project import compile_path, usable_program
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.cells import reveal
from astrafs.diagnostics.render.excerpt import Style

if TYPE_CHECKING:
    from astrafs.plan import ir
    from astrafs.plan.program import Program
    from astrafs.runtime.why import Explanation


class WhyFormat(StrEnum):
    """How the explanation is printed."""

    TEXT = "text"
    JSON = "json"


@console.command
def run(
    feature: Annotated[
        str, typer.Argument(help="A feature such as User.txn_count_1h.", show_default=False)
    ],
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="T",
            help="The prediction time: 2026-01-01T10:00:00Z or a date.",
            show_default=False,
        ),
    ],
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key", "-k", metavar="[NAME=]VALUE", help="The key, or one column or field of it."
        ),
    ] = None,
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of",
            metavar="T",
            help="What was known at this time; else at --at, or when a label is mature.",
        ),
    ] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
    rows: Annotated[
        int,
        typer.Option("--rows", metavar="N", min=1, max=1000, help="Rows listed on either side."),
    ] = 10,
    form: Annotated[
        WhyFormat, typer.Option("--format", "-f", help="How it is printed.")
    ] = WhyFormat.TEXT,
    env: EnvOption = None,
) -> int:
    """Show which rows of the data made a value of a feature, and why others did not."""
    from astrafs.values.times import instant

    t = instant(at, "--at")
    given = instant(as_of, "--as-of") if as_of else None
    compiled = compile_path(project, env)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    from astrafs.plan.find import find_feature
    from astrafs.runtime.answer import Place
    from astrafs.runtime.keys import parse_keys
    from astrafs.runtime.why import explain_value

    name = find_feature(program, feature)
    entity = next(one for one in program.plan.entities if one.name == name.entity)
    config = compiled.config
    cutoff = _cutoff(program, name, t, given)
    place = Place(config.root, config.roots, config.sources)
    key = parse_keys(entity, keys or ())
    try:
        found = explain_value(program, place, name, key, t, cutoff, rows)
    except AstrafsError as error:  # of the data: shown with the declarations it breaks
        return console.fail(*error.diagnostics, files=compiled.files)
    declared = next(one for one in program.plan.features if one.id == name)
    console.write(_json(found) if form is WhyFormat.JSON else _text(found, declared))
    return console.OK if found.agree else console.PROBLEMS


def _cutoff(program: Program, name: ir.FeatureId, t: int, given: int | None) -> int:
    """Return the cutoff: as given; else t, or for a label the moment when it is mature."""
    if not any(feature.id == name and feature.label for feature in program.plan.features):
        return t if given is None else given
    from astrafs.plan.text import timestamp_text
    from astrafs.temporal.datasets import label_horizons

    mature = t + label_horizons(program.plan)[name]
    if given is not None and given < mature:
        console.tell(
            f"the label is mature at {timestamp_text(mature)}: until then it is null in a dataset, "
            "and this is what is known of it"
        )
    return mature if given is None else given


def _text(found: Explanation, declared: ir.Feature) -> str:
    from astrafs.plan.values import value_text
    from astrafs.reference.trace_text import trace_lines

    first, *rest = trace_lines(found.step)
    lines: Sequence[str] = [console.styled(reveal(first), Style.BOLD, sys.stdout)]
    lines = [*lines, *(reveal(line) for line in rest)]
    if not found.agree:
        value = value_text(found.value, declared.type)
        lines = [
            *lines,
            "",
            f"DuckDB gives {value}: this is a mistake in AstraFS, please report it",
        ]
    return "\n".join(lines) + "\n"


def _json(found: Explanation) -> str:
    from astrafs.plan.values import value_text
    from astrafs.reference.trace_text import trace_json

    made = {
        "schema": "astrafs.why/1",
        "engines_agree": found.agree,
        "duckdb": value_text(found.value, found.step.type),
        "trace": trace_json(found.step),
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
