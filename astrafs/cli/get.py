"""``astrafs get``: the values of a view for one or many keys, from the online store."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from astrafs.cli import console
from astrafs.cli.options import EnvOption, StoreOption
from astrafs.cli.project import compile_path, usable_program
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.cells import reveal
from astrafs.diagnostics.render.excerpt import Style

if TYPE_CHECKING:
    import pyarrow as pa

    from astrafs.online.schemas import ViewSchema
    from astrafs.typesys import Type


class GetFormat(StrEnum):
    """How values are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"


@console.command
def run(
    view: Annotated[str, typer.Argument(help="The view to ask.", show_default=False)],
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", "-k", metavar="[NAME=]VALUE", help="A key, or one column of it; repeatable."
        ),
    ] = None,
    request: Annotated[
        list[str] | None,
        typer.Option(
            "--request",
            "-r",
            metavar="NAME=VALUE|JSON",
            help="A field of a request, or a whole one as a JSON object.",
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            help="Keys or requests from a file, one a row, each at its own `t` if it has one; "
            "`-` reads standard input.",
        ),
    ] = None,
    at: Annotated[
        str, typer.Option("--at", metavar="T", help="The prediction time; else now.")
    ] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
    store: StoreOption = None,
    form: Annotated[
        GetFormat, typer.Option("--format", "-f", help="How values are printed.")
    ] = GetFormat.TABLE,
    env: EnvOption = None,
) -> int:
    """Show the values of a view for keys, as the online store knows them.

    The same values as a backfill gives for the same keys and times.
    """
    from astrafs.values.times import instant

    if keys is not None and (key or request):
        option = "--key" if key else "--request"
        raise AstrafsError(codes.USAGE.nowhere(f"--keys and {option} exclude each other"))
    if form is GetFormat.ARROW and sys.stdout.isatty():
        found = codes.USAGE.nowhere("Arrow data is not for a terminal")
        raise AstrafsError(found.help("send it to a file or another program: `> values.arrow`"))
    t = instant(at, "--at") if at else None
    compiled = compile_path(project, env)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    from astrafs.cli.asking import typed_questions
    from astrafs.plan.find import find_view
    from astrafs.project import open_program

    found_view = find_view(program.plan, view)
    entity = next(one for one in program.plan.entities if one.name == found_view.entity)
    if keys is not None:
        from astrafs.runtime.asked import read_questions

        questions = read_questions(keys, entity)
    else:
        questions = typed_questions(entity, key or (), request or ())
    with open_program(compiled.config, program, store) as online:
        t = online.now() if t is None else t
        answers = online.get_many(found_view.name, questions, at=t)
        schema = online.view_schema(found_view.name)
    _print(answers, schema, t, form)
    return console.OK


def _print(answers: pa.Table, schema: ViewSchema, t: int, form: GetFormat) -> None:
    match form:
        case GetFormat.TABLE:
            console.write(_table(answers, schema, t))
        case GetFormat.JSON:
            console.write(_json(answers, schema))
        case GetFormat.CSV | GetFormat.ARROW:
            console.write_bytes(_file(answers, form.value))


def _types(answers: pa.Table, schema: ViewSchema) -> dict[str, Type]:
    """Return the types of the columns that are the view's own, in their order."""
    from astrafs.online.questions import TIME
    from astrafs.typesys import TIMESTAMP

    keys = {field.name: field.type.optional() for field in schema.keys}
    known = {TIME: TIMESTAMP, **keys, **{field.name: field.type for field in schema.outputs}}
    return {name: known[name] for name in answers.column_names if name in known}


def _table(answers: pa.Table, schema: ViewSchema, t: int) -> str:
    """Return one block of lines per question where values are many, else a line per question."""
    from astrafs.online.given import cells, engine_column
    from astrafs.plan.text import timestamp_text
    from astrafs.plan.values import value_text

    texts = {
        name: [
            reveal(value_text(value, type_, None))
            for value in cells(engine_column(answers.column(name), type_.optional()), type_)
        ]
        for name, type_ in _types(answers, schema).items()
    }
    head = f"{schema.name} at {timestamp_text(t)}" if "t" not in texts else schema.name
    lines = [console.styled(head, Style.BOLD, sys.stdout)]
    widths = {name: max(map(len, (name, *values))) for name, values in texts.items()}
    if answers.num_rows != 1 and sum(widths.values()) + 2 * len(widths) <= console.width(
        sys.stdout
    ):
        lines.append("  ".join(name.ljust(width) for name, width in widths.items()).rstrip())
        for row in range(answers.num_rows):
            parts = (texts[name][row].ljust(width) for name, width in widths.items())
            lines.append("  ".join(parts).rstrip())
        return "\n".join(lines) + "\n"
    longest = max(map(len, texts))
    for row in range(answers.num_rows):
        if row:
            lines.append("")
        lines += [f"  {name:<{longest}}  {values[row]}" for name, values in texts.items()]
    return "\n".join(lines) + "\n"


def _json(answers: pa.Table, schema: ViewSchema) -> str:
    """Return one JSON object a line: the key, the time where it has its own, the outputs."""
    from astrafs.online.given import cells, engine_column
    from astrafs.online.values import json_text, writer

    columns = {
        name: list(
            map(
                writer(type_),
                cells(engine_column(answers.column(name), type_.optional()), type_),
            )
        )
        for name, type_ in _types(answers, schema).items()
    }
    rows = zip(*columns.values(), strict=True)
    return "".join(f"{json_text(dict(zip(columns, row, strict=True)))}\n" for row in rows)


def _file(answers: pa.Table, form: str) -> bytes:
    import pyarrow as pa

    from astrafs.runtime.output import Writer

    sink = pa.BufferOutputStream()
    if form == "arrow":  # a stream, as a pipe cannot be sought in
        with pa.ipc.new_stream(sink, answers.schema) as stream:
            stream.write_table(answers)
    else:
        with Writer(sink, form, answers.schema) as writer:
            for batch in answers.combine_chunks().to_batches():
                writer.write(batch)
    return bytes(sink.getvalue())
