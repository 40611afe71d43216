"""``astrafs parity``: show that serving gives what a backfill gives, bit for bit."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from astrafs.cli import console
from astrafs.cli.console import count
from astrafs.cli.options import EnvOption
from astrafs.cli.progress import Drawn
from astrafs.cli.project import compile_path, usable_program
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.cells import reveal
from astrafs.diagnostics.render.excerpt import Style

if TYPE_CHECKING:
    from collections.abc import Callable

    from astrafs.online.store import Store
    from astrafs.parity.compare import Difference
    from astrafs.parity.run import Parity, ViewParity
    from astrafs.plan import ir

MOST_SHOWN = 10
MEMORY = "memory"


@console.command
def run(
    view: Annotated[
        str, typer.Argument(help="The view; else all that can be served.", show_default=False)
    ] = "",
    sample: Annotated[
        int, typer.Option("--sample", metavar="N", min=1, help="How many questions to ask.")
    ] = 1_000,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Another seed chooses other questions.")
    ] = 0,
    as_of: Annotated[
        str,
        typer.Option("--as-of", metavar="T", help="Replay what was known at this time; else now."),
    ] = "",
    store: Annotated[
        str,
        typer.Option(
            "--store",
            metavar="PLACE",
            help="An empty store to replay into, or `memory`; else a SQLite one that is removed.",
        ),
    ] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    env: EnvOption = None,
) -> int:
    """Replay the real history into an online store and compare its answers with a backfill.

    Rows are sent in the order in which they became known; each question is asked when exactly the
    rows known by its time are in, and again at the end. The exit code is 1 where a bit differs.
    """
    from astrafs.values.times import instant

    cutoff = instant(as_of, "--as-of") if as_of else time.time_ns() // 1000
    began = time.monotonic()
    compiled = compile_path(project, env)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    from astrafs.online.served import chosen_views
    from astrafs.parity.run import Sampling, run_parity
    from astrafs.plan.find import find_view
    from astrafs.runtime.answer import Place

    names = chosen_views(program, (view,) if view else ())
    views = [find_view(program.plan, name) for name in names]
    config = compiled.config
    place = Place(config.root, config.roots, config.sources)
    try:
        with Drawn("parity") as drawn:
            sampling = Sampling(sample, seed)
            found = run_parity(program, place, views, cutoff, sampling, _opened(store), drawn)
    except AstrafsError as error:  # of the data: shown with the declarations it breaks
        return console.fail(*error.diagnostics, files=compiled.files)
    seconds = time.monotonic() - began
    console.write(_json(found) if as_json else _text(found, seconds))
    return console.PROBLEMS if found.differing else console.OK


def _opened(store: str) -> Callable[[Path], Store]:
    from astrafs.online.store import MemoryStore
    from astrafs.online.stores import open_store, place_of

    if store == MEMORY:
        return lambda _: MemoryStore()
    if store:
        return lambda _: open_store(place_of(Path(), store, None), create=True)
    return lambda own: open_store(own, create=True)


def _text(found: Parity, seconds: float) -> str:
    lines = []
    for one in found.views:
        size = f"{count(one.questions.num_rows, 'question')}, {count(one.values, 'value')}"
        word, style = ("equal", Style.ADDED) if not one.differences else ("differs", Style.REMOVED)
        lines.append(f"{console.styled(word, style, sys.stdout)} {one.view.name}: {size}")
        if one.differences:
            lines.append(f"  {count(len(one.differences), 'value')} differ")
        for difference in one.differences[:MOST_SHOWN]:
            lines += _shown(one, difference, found.as_of)
        if len(one.differences) > MOST_SHOWN:
            lines.append(f"  and {len(one.differences) - MOST_SHOWN:,} more")
    sent = f"in {found.batches:,} batch{'' if found.batches == 1 else 'es'}"
    lines.append(f"replayed {count(found.rows, 'row')} {sent}, in {seconds:.1f} s")
    return "\n".join(lines) + "\n"


def _shown(view: ViewParity, found: Difference, as_of: int) -> list[str]:
    from astrafs.parity.compare import bits_text
    from astrafs.plan.values import value_text

    when = "asked again at the end" if found.late else "asked when its rows were in"
    lines = [
        f"  {found.output} of {_key_text(view, found.row)} at {_time(view, found.row)}, {when}"
    ]
    for word, value in (("online", found.online), ("offline", found.offline)):
        text = f"{value_text(value, found.type)} {bits_text(value)}".rstrip()
        lines.append(reveal(f"    {word:<8} {text}"))
    hint = _why(view, found, as_of)
    return [*lines, f"    {hint}"] if hint else lines


def _key_of(view: ViewParity, row: int) -> list[tuple[ir.Field, Any]]:
    from astrafs.online.given import cells, engine_column

    found = []
    for part in view.entity.keys:
        column = view.questions.column(part.name).slice(row, 1)
        (value,) = cells(engine_column(column, part.type.optional()), part.type)
        found.append((part, value))
    return found


def _key_text(view: ViewParity, row: int) -> str:
    from astrafs.plan.values import value_text

    pairs = [f"{part.name} = {value_text(value, part.type)}" for part, value in _key_of(view, row)]
    return reveal(", ".join(pairs) or view.entity.name)


def _time(view: ViewParity, row: int) -> str:
    from astrafs.parity.sampling import TIME
    from astrafs.plan.text import timestamp_text

    return timestamp_text(view.questions.column(TIME)[row].value)


def _why(view: ViewParity, found: Difference, as_of: int) -> str:
    """Return the command that explains the value, where its key stands in the question."""
    import shlex

    from astrafs.parity.sampling import TIME
    from astrafs.plan import ir
    from astrafs.plan.text import timestamp_text
    from astrafs.plan.values import value_text

    output = next(one for one in view.view.outputs if one.name == found.output)
    own = {part.name: (part, value) for part, value in _key_of(view, found.row)}
    t = view.questions.column(TIME)[found.row].value
    match output.expression:
        case ir.FeatureRef(feature=feature):
            key = list(own.values())
        case ir.EntityLookup(feature=feature, keys=keys, offset=offset):
            key = [own[one.name] for one in keys if isinstance(one, ir.KeyPart)]
            t -= offset
            if len(key) < len(keys):
                return ""
        case _:
            return ""
    texts = [
        value if isinstance(value, str) else value_text(value, part.type) for part, value in key
    ]
    words = [f"--key {shlex.quote(text)}" for text in texts]
    times = f"--at {timestamp_text(t)} --as-of {timestamp_text(as_of)}"
    return " ".join(["astrafs why", str(feature), *words, times])


def _json(found: Parity) -> str:
    from astrafs.online.values import writer
    from astrafs.parity.compare import bits_text
    from astrafs.plan.text import timestamp_text

    def difference(view: ViewParity, one: Difference) -> dict[str, Any]:
        write = writer(one.type.optional())
        return {
            "output": one.output,
            "key": {
                part.name: writer(part.type.optional())(value)
                for part, value in _key_of(view, one.row)
            },
            "t": _time(view, one.row),
            "asked": "at the end" if one.late else "on the way",
            "online": write(one.online),
            "offline": write(one.offline),
            "online_bits": bits_text(one.online),
            "offline_bits": bits_text(one.offline),
            "why": _why(view, one, found.as_of),
        }

    document = {
        "schema": "astrafs.parity/1",
        "as_of": timestamp_text(found.as_of),
        "rows_replayed": found.rows,
        "batches": found.batches,
        "views": [
            {
                "view": view.view.name,
                "questions": view.questions.num_rows,
                "values": view.values,
                "differing": len(view.differences),
                "differences": [difference(view, one) for one in view.differences[:MOST_SHOWN]],
            }
            for view in found.views
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
