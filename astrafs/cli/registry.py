"""``astrafs list``, ``astrafs show`` and ``astrafs history``: what the lock file records."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from astrafs.cli import console
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.suggest import closest
from astrafs.workspace import find_root

if TYPE_CHECKING:
    from astrafs.plan import ir
    from astrafs.registry.lock import Lock, Locked

ProjectOption = Annotated[
    str, typer.Option("--project", "-p", metavar="PATH", help="The project, if not this directory.")
]


class ListFormat(StrEnum):
    """How versions are listed."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[ListFormat, typer.Option("--format", "-f", help="A table, or JSON.")]


@console.command
def list_(
    project: ProjectOption = ".",
    entity: Annotated[str, typer.Option("--entity", help="Only of this entity.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="Only of this owner.")] = "",
    tag: Annotated[str, typer.Option("--tag", help="Only with this tag.")] = "",
    status: Annotated[
        str, typer.Option("--status", help="Only active, deprecated or removed ones.")
    ] = "",
    source: Annotated[
        str, typer.Option("--source", help="Only what reads this source, however indirectly.")
    ] = "",
    form: FormatOption = ListFormat.TABLE,
) -> int:
    """List the feature versions that astrafs.lock records."""
    from astrafs.registry.lock import STATUSES

    if status and status not in STATUSES:
        raise AstrafsError(
            usage.BAD_VALUE.nowhere(f"--status: there is no status `{status}`").help(
                f"it is one of {', '.join(STATUSES)}"
            )
        )
    lock = _lock(project)
    readers = _readers_of(lock, source) if source else None
    chosen = [
        locked
        for name, locked in sorted(lock.features.items())
        if (not entity or entity in (name.entity, name.entity.rsplit(".", 1)[-1]))
        and (not owner or locked.owner == owner)
        and (not tag or tag in locked.tags)
        and (not status or locked.status == status)
        and (readers is None or name in readers)
    ]
    _print(chosen, form)
    return console.OK


@console.command
def history(
    feature: Annotated[str, typer.Argument(help="A feature: `User.spend_7d`.")],
    project: ProjectOption = ".",
    form: FormatOption = ListFormat.TABLE,
) -> int:
    """List every version that a feature ever had, the removed ones too."""
    lock = _lock(project)
    names = {_bare(name) for name in lock.features}
    wanted = _find(feature, names)
    _print([lock.features[name] for name in sorted(lock.features) if _bare(name) == wanted], form)
    return console.OK


@console.command
def show(
    feature: Annotated[str, typer.Argument(help="A feature version: `User.spend_7d@1`.")],
    project: ProjectOption = ".",
) -> int:
    """Show a locked feature version with its definition, even after its source text is gone."""
    from astrafs.cli import lockfile
    from astrafs.plan.text import plan_text
    from astrafs.registry.lock import name_of

    lock = _lock(project)
    bare, _, version = feature.partition("@")
    wanted = _find(bare, {_bare(name) for name in lock.features})
    versions = [name for name in sorted(lock.features) if _bare(name) == wanted]
    chosen = [name for name in versions if not version or str(name.version) == version]
    if not chosen:
        raise AstrafsError(
            usage.UNKNOWN_FEATURE.nowhere(f"`{wanted}` never had a version {version}").help(
                f"the lock file records {', '.join(name_of(name) for name in versions)}"
            )
        )
    locked = lock.features[chosen[-1]]
    lines = [f"{name_of(locked.feature)}: {locked.type}", f"  {locked.doc}"]
    lines += [
        f"  {word:<9} {value}"
        for word, value in (
            ("owner", locked.owner),
            ("status", locked.status),
            ("created", locked.created),
            ("removed", locked.ended),
            ("advice", locked.deprecated),
            ("last day", locked.remove_after),
            ("tags", ", ".join(locked.tags)),
            ("identity", locked.identity),
        )
        if value
    ]
    definition = lockfile.recall(find_root(Path(project)), locked.kept_as)
    if definition is None:
        lines += ["", "its definition is not kept"]
    else:
        lines += ["", plan_text(definition.plan).rstrip()]
    console.write("\n".join(lines) + "\n")
    return console.OK


def _lock(project: str) -> Lock:
    from astrafs.cli import lockfile
    from astrafs.registry.lock import FILE_NAME

    root = find_root(Path(project))
    if not (root / FILE_NAME).exists():
        raise AstrafsError(
            usage.MISSING_FILE.nowhere(f"there is no {FILE_NAME} in {root}").help(
                "`astrafs apply` writes it"
            )
        )
    return lockfile.load_lock(root)


def _bare(name: ir.FeatureId) -> str:
    return f"{name.entity}.{name.name}"


def _find(given: str, names: set[str]) -> str:
    """Return the qualified name that ``given`` is the end of; raises if none is or several are."""
    found = sorted(name for name in names if name == given or name.endswith(f".{given}"))
    if len(found) == 1:
        return found[0]
    if found:
        raise AstrafsError(
            usage.UNKNOWN_FEATURE.nowhere(f"`{given}` may be any of {', '.join(found)}").help(
                "write more of the name"
            )
        )
    problem = usage.UNKNOWN_FEATURE.nowhere(f"the lock file has no feature `{given}`")
    ends = {".".join(name.split(".")[-1 - given.count(".") :]) for name in names}
    near = closest(given, [*names, *ends])
    raise AstrafsError(problem.help(f"did you mean `{near}`?") if near else problem)


def _readers_of(lock: Lock, source: str) -> set[ir.FeatureId]:
    from astrafs.registry.lock import name_of

    found: set[ir.FeatureId] = set()
    seen = {source}
    grown = True
    while grown:
        grown = False
        for name, locked in lock.features.items():
            if name in found:
                continue
            if any(read in seen or read.endswith(f".{source}") for read, _ in locked.reads):
                found.add(name)
                seen.add(name_of(name))
                grown = True
    return found


_COLUMNS = ("feature", "type", "status", "created", "owner")


def _print(chosen: list[Locked], form: ListFormat) -> None:
    from astrafs.registry.lock import name_of

    if form is ListFormat.JSON:
        data = [_data(locked) for locked in chosen]
        console.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return
    rows = [_COLUMNS] + [
        (name_of(locked.feature), locked.type, locked.status, locked.created, locked.owner)
        for locked in chosen
    ]
    if not chosen:
        console.tell("no feature version is like that")
        return
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.write("  ".join(cells).rstrip() + "\n")


def _data(locked: Locked) -> dict[str, Any]:
    from astrafs.registry.lock import name_of

    return {
        "feature": name_of(locked.feature),
        "identity": locked.identity,
        "type": locked.type,
        "owner": locked.owner,
        "doc": locked.doc,
        "tags": list(locked.tags),
        "created": locked.created,
        "status": locked.status,
        "deprecated": locked.deprecated,
        "remove_after": locked.remove_after,
        "ended": locked.ended,
        "reads": [{"name": name, "identity": identity} for name, identity in locked.reads],
    }
