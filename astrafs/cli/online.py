"""``astrafs online``: the store that views are served from."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from astrafs.cli import console
from astrafs.cli.options import EnvOption, StoreOption
from astrafs.cli.progress import Drawn
from astrafs.cli.project import compile_path, usable_program
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.excerpt import Style

if TYPE_CHECKING:
    from astrafs.config import Config
    from astrafs.online.status import Status
    from astrafs.online.store import Store
    from astrafs.plan.program import Program


class OnlineAction(StrEnum):
    """What to do with the store."""

    INIT = "init"
    LOAD = "load"
    STATUS = "status"
    EXPIRE = "expire"


@console.command
def run(
    action: Annotated[
        OnlineAction,
        typer.Argument(
            help="Make the store, load it from the sources, say what it holds, or drop what no "
            "question can reach any more.",
            show_default=False,
        ),
    ],
    view: Annotated[
        list[str] | None,
        typer.Option(
            "--view", metavar="VIEW", help="init: a view to serve, repeatable; else all of them."
        ),
    ] = None,
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="T", help="load: take the rows that were known at T.")
    ] = "",
    before: Annotated[
        str,
        typer.Option("--before", metavar="T", help="expire: questions before T end."),
    ] = "",
    memory_limit: Annotated[
        str,
        typer.Option(
            "--memory-limit", metavar="SIZE", help="load: memory for reading the sources."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
    store: StoreOption = None,
    env: EnvOption = None,
) -> int:
    """Make and keep the store that views are served from.

    `init` makes it for a set of views, `load` reads what it lacks from the project's sources,
    `status` says what it holds and for how long, `expire` drops what is too old.
    """
    _check_options(action, bool(view), as_of, before, memory_limit)
    compiled = compile_path(project, env)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    match action:
        case OnlineAction.INIT:
            return _init(compiled.config, program, store, tuple(view or ()), as_json)
        case OnlineAction.LOAD:
            return _load(compiled.config, program, store, as_of, memory_limit, as_json)
        case OnlineAction.STATUS:
            return _status(compiled.config, program, store, as_json)
        case OnlineAction.EXPIRE:
            return _expire(compiled.config, program, store, before, as_json)


def _check_options(
    action: OnlineAction, views: bool, as_of: str, before: str, memory_limit: str
) -> None:
    given = {
        "--view": (views, OnlineAction.INIT),
        "--as-of": (bool(as_of), OnlineAction.LOAD),
        "--memory-limit": (bool(memory_limit), OnlineAction.LOAD),
        "--before": (bool(before), OnlineAction.EXPIRE),
    }
    for name, (there, owner) in given.items():
        if there and owner is not action:
            title = f"`{name}` is no option of `astrafs online {action}`"
            raise AstrafsError(codes.USAGE.nowhere(title).help(f"it is one of `online {owner}`"))
    for name, value, owner in (
        ("--as-of", as_of, OnlineAction.LOAD),
        ("--before", before, OnlineAction.EXPIRE),
    ):
        if owner is action and not value:
            title = f"`astrafs online {action}` needs `{name}`"
            raise AstrafsError(
                codes.USAGE.nowhere(title).help(f"name a time: `{name} 2026-01-01T00:00:00Z`")
            )


def _opened(config: Config, store: str | None, *, create: bool = False) -> Store:
    from astrafs.online.stores import open_store, place_of

    return open_store(place_of(config.root, store, config.online), create=create)


def _init(
    config: Config, program: Program, place: str | None, names: tuple[str, ...], as_json: bool
) -> int:
    from astrafs.online.engine import Engine
    from astrafs.online.layout import Layout
    from astrafs.online.manifest import change_manifest, read_manifest
    from astrafs.online.served import chosen_views, restricted

    views = chosen_views(program, names)
    engine = Engine(restricted(program, views).plan)
    if refused := Layout(engine).refusals():
        raise AstrafsError(*refused)
    store = _opened(config, place, create=True)
    try:
        layout = Layout(engine, read_manifest(store).groups)
        found = change_manifest(store, lambda now: now.of(layout, views))
        durability = store.durability()
    finally:
        store.close()
    if as_json:
        console.write(json.dumps({"views": list(found.views), "durability": durability}) + "\n")
        return console.OK
    console.write(f"the store serves {_counted(len(views), 'view')}: {', '.join(views)}\n")
    console.write(f"{durability}\n")
    console.tell("next: `astrafs online load --as-of T`")
    return console.OK


def _load(
    config: Config,
    program: Program,
    place: str | None,
    as_of: str,
    memory_limit: str,
    as_json: bool,
) -> int:
    from astrafs.online.loading import MEMORY, load_missing
    from astrafs.online.manifest import read_manifest
    from astrafs.online.served import restricted
    from astrafs.runtime.answer import Place
    from astrafs.runtime.backfill import placed
    from astrafs.values.times import instant

    moment = instant(as_of, "--as-of")
    store = _opened(config, place)
    try:
        served = restricted(program, read_manifest(store).views)
        sources = Place(config.root, config.roots, config.sources)
        with Drawn("loading") as drawn, placed(program):
            found = load_missing(served, sources, store, moment, drawn, memory_limit or MEMORY)
    finally:
        store.close()
    if found.refused:
        console.report(found.refused, {})
        console.tell("")
    if as_json:
        facts = {"rows": dict(found.rows), "conflicts": found.conflicts}
        console.write(json.dumps(facts) + "\n")
    elif not found.rows:
        console.write("nothing to load: the store holds all that its views need\n")
    else:
        listed = ", ".join(f"{count:,} of {name}" for name, count in found.rows.items())
        console.write(f"loaded {listed}\n")
    if found.conflicts:
        rows = _counted(found.conflicts, "row")
        console.tell(f"{rows} were not taken: others are in the store under their keys")
        return console.PROBLEMS
    return console.OK


def _status(config: Config, program: Program, place: str | None, as_json: bool) -> int:
    from astrafs.online.engine import Engine
    from astrafs.online.layout import Layout
    from astrafs.online.manifest import read_manifest
    from astrafs.online.served import restricted
    from astrafs.online.status import status_of

    store = _opened(config, place)
    try:
        manifest = read_manifest(store)
        layout = Layout(Engine(restricted(program, manifest.views).plan), manifest.groups)
        found = status_of(store, layout, manifest)
        durability = store.durability()
    finally:
        store.close()
    if as_json:
        console.write(json.dumps(_facts(found, durability), indent=1) + "\n")
    else:
        console.write(_text(found, durability))
    return console.OK


def _facts(found: Status, durability: str) -> dict[str, Any]:
    from dataclasses import asdict

    manifest = found.manifest
    return {
        "views": list(manifest.views),
        "as_of": _time(manifest.as_of),
        "floor": _time(manifest.floor),
        "durability": durability,
        "groups": [asdict(one) for one in found.groups],
        "tables": [asdict(one) for one in found.tables],
    }


def _time(micros: int | None) -> str | None:
    from astrafs.values.text import instant_text

    return None if micros is None else instant_text(micros)


def _text(found: Status, durability: str) -> str:
    from astrafs.typesys import duration_text

    manifest = found.manifest
    floor = _time(manifest.floor)
    lines = [
        console.styled("views", Style.BOLD, sys.stdout)
        + f"   {', '.join(manifest.views) or 'none'}",
        f"as of   {_time(manifest.as_of) or 'never loaded'}",
        f"asked   {'at any time' if floor is None else f'from {floor} on'}",
        f"writes  {durability}",
    ]
    for one in found.groups:
        condition = f" where {one.where}" if one.where else ""
        stays = "for ever" if one.stays is None else duration_text(one.stays)
        lines += [
            "",
            console.styled(
                f"{one.source} by {', '.join(one.keys)}{condition}", Style.BOLD, sys.stdout
            )
            + ("" if one.loaded else "  not loaded"),
            f"  {one.rows:,} rows of {_counted(one.entities, 'key')} in "
            f"{_counted(one.blocks, 'block')}, {_size(one.bytes)}",
            f"  kept {stays}, for {_listed(one.features)}",
        ]
        if one.columns:
            lines.append(f"  columns {_listed(one.columns)}")
    for table in found.tables:
        lines += [
            "",
            console.styled(f"table {table.name}", Style.BOLD, sys.stdout)
            + ("" if table.loaded else "  not loaded"),
            f"  {_counted(table.keys, 'key')}, {_size(table.bytes)}",
        ]
    return "\n".join(lines) + "\n"


def _listed(names: tuple[str, ...], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _size(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _counted(count: int, word: str) -> str:
    return f"1 {word}" if count == 1 else f"{count:,} {word}s"


def _expire(config: Config, program: Program, place: str | None, before: str, as_json: bool) -> int:
    from astrafs.online.engine import Engine
    from astrafs.online.expiry import expire
    from astrafs.online.layout import Layout
    from astrafs.online.manifest import read_manifest
    from astrafs.online.served import restricted
    from astrafs.values.times import instant

    floor = instant(before, "--before")
    store = _opened(config, place)
    try:
        manifest = read_manifest(store)
        layout = Layout(Engine(restricted(program, manifest.views).plan), manifest.groups)
        found = expire(store, layout, floor)
    finally:
        store.close()
    if as_json:
        facts = {"rows": found.rows, "blocks": found.blocks, "notes": found.notes}
        console.write(json.dumps(facts) + "\n")
    else:
        console.write(
            f"dropped {_counted(found.rows, 'row')} in {_counted(found.blocks, 'block')}; "
            f"questions before {_time(floor)} are refused from now on\n"
        )
    return console.OK
