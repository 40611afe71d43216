"""``astrafs plan`` and ``astrafs apply``: what differs from the lock, and writing it there."""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from astrafs.cli import console
from astrafs.cli.options import EnvOption
from astrafs.cli.project import Compiled, compile_path, no_collection, usable_program
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.render.excerpt import Style
from astrafs.record import dataclass
from astrafs.source import Span
from astrafs.workspace import find_root

if TYPE_CHECKING:
    from astrafs.cli.estimate import Estimate
    from astrafs.plan import ir
    from astrafs.plan.program import Program
    from astrafs.registry.compare import Change, Comparison
    from astrafs.registry.impact import StateChange

PathArgument = Annotated[str, typer.Argument(help="A project directory or an .afs file in one.")]


class PlanFormat(StrEnum):
    """How a comparison is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@console.command
def run(
    path: PathArgument = ".",
    form: Annotated[
        PlanFormat, typer.Option("--format", "-f", help="How the changes are printed.")
    ] = PlanFormat.TEXT,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if anything differs from the lock.")
    ] = False,
    no_data: Annotated[
        bool, typer.Option("--no-data", help="Do not try changes on the project's own data.")
    ] = False,
    env: EnvOption = None,
) -> int:
    """Show what would change against astrafs.lock: per feature version, why, and who reads it."""
    compiled = compile_path(path, env)
    program = usable_program(compiled)
    if program is None:
        return console.PROBLEMS
    found = compare_with_lock(compiled, program)
    sizes = None
    if not no_data:
        found = tried_on_data(compiled, program, found)
        if found.recompute.features:
            from astrafs.cli.estimate import estimate

            sizes = estimate(compiled, program, found)
    console.write(shown_as(program.plan, found, form, sizes))
    return console.PROBLEMS if exit_code and not found.is_same else console.OK


@console.command
def apply(
    path: PathArgument = ".",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    env: EnvOption = None,
) -> int:
    """Record every feature version in astrafs.lock, after showing what changes.

    A locked version that changed its meaning is refused: give the new meaning a new version.
    """
    from astrafs.cli import lockfile
    from astrafs.registry.definitions import define, write_definition
    from astrafs.registry.lock import FILE_NAME, write_lock

    root = find_root(Path(path))
    before = lockfile.lock_bytes(root)
    found = _acceptable(path, env)
    if found is None:
        return console.PROBLEMS
    if found.comparison.is_same and before == write_lock(found.comparison.lock).encode():
        console.write("nothing to do: astrafs.lock says what the sources say\n")
        return console.OK
    console.write(shown_as(found.program.plan, found.comparison, PlanFormat.TEXT))
    if not yes and not _agreed():
        console.tell("nothing was written")
        return console.PROBLEMS
    with lockfile.held(root):
        if lockfile.lock_bytes(root) != before:
            # Another process has written since, perhaps of sources that were not there yet.
            if not yes:
                console.tell("astrafs.lock has changed meanwhile; nothing was written, look again")
                return console.PROBLEMS
            found = _acceptable(path, env)
            if found is None:
                return console.PROBLEMS
        program, lock = found.program, found.comparison.lock
        texts = {
            locked.kept_as: write_definition(define(program.plan, program.bindings, name))
            for name, locked in lock.features.items()
            if not locked.ended and not lockfile.is_kept(root, locked.kept_as)
        }
        lockfile.save(root, lock, texts)
    console.write(f"wrote {FILE_NAME}\n")
    return console.OK


@dataclass(frozen=True, slots=True)
class _Found:
    """A program without errors, compared with a lock of which it changes no meaning."""

    program: Program
    comparison: Comparison


def _acceptable(path: str, env: str | None) -> _Found | None:
    """Compile and compare the project of ``path``; None after printing why it cannot be locked."""
    from astrafs.registry.compare import changed_meanings

    compiled = compile_path(path, env)
    program = usable_program(compiled)
    if program is None:
        return None
    found = compare_with_lock(compiled, program, join=True)
    changed = changed_meanings(found, _places(program))
    if changed:
        console.report(changed, compiled.files)
        console.tell("")
        console.tell(console.closing(changed, sys.stderr))
        return None
    return _Found(program, found)


def compare_with_lock(compiled: Compiled, program: Program, *, join: bool = False) -> Comparison:
    """Compare the plan of a project with its lock file; with ``join``, with both sides of a merge
    that is a conflict there.
    """
    from astrafs.cli import lockfile
    from astrafs.registry.compare import compare

    root = compiled.workspace.root
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    with no_collection():
        return compare(
            lockfile.load_lock(root, join=join),
            program.plan,
            today,
            lambda locked: lockfile.recall(root, locked.kept_as),
            lockfile.engines(),
        )


def tried_on_data(compiled: Compiled, program: Program, found: Comparison) -> Comparison:
    """Add what the changes that were tried do on the project's own data, where its files are."""
    from astrafs.cli import lockfile
    from astrafs.registry.pins import with_definitions

    root = compiled.workspace.root
    changes = []
    for change in found.changes:
        old = None
        if change.tried and change.before is not None:
            old = lockfile.recall(root, change.before.kept_as)
        if old is not None:
            from astrafs.cli.pins import place_of
            from astrafs.runtime.trial import try_out

            try:
                pinned = with_definitions(program, {"": old})
                place = place_of(compiled.config, pinned)
                said = str(try_out(pinned.program, place, pinned.features[""], change.feature))
            except AstrafsError as error:
                said = f"not tried on the project's data: {error.diagnostics[0].title}"
            change = replace(change, reasons=(*change.reasons, said))
        changes.append(change)
    return replace(found, changes=tuple(changes))


def lock_problems(compiled: Compiled, program: Program) -> list[Diagnostic]:
    """Return the diagnostics of ``check --locked``: changed meanings, and one for all the rest."""
    from astrafs.diagnostics.codes import registry as codes
    from astrafs.registry.compare import Verdict, changed_meanings

    found = compare_with_lock(compiled, program)
    problems = list(changed_meanings(found, _places(program)))
    rest = [
        change
        for change in found.changes
        if change.verdict not in (Verdict.IDENTICAL, Verdict.VALUE)
    ]
    if rest:
        problem = codes.NOT_LOCKED.nowhere()
        for change in rest[:_LISTED]:
            problem = problem.note(f"{change.feature}: {change.verdict}")
        if len(rest) > _LISTED:
            problem = problem.note(f"and {len(rest) - _LISTED} more")
        problems.append(problem.help("`astrafs apply` records them; commit astrafs.lock with it"))
    return problems


_LISTED = 12
_VERSION = re.compile(r"@[0-9]+")
_MARKS = {
    "new": ("+", Style.ADDED),
    "restored": ("+", Style.ADDED),
    "removed": ("-", Style.REMOVED),
    "value-changing": ("!", Style.ERROR),
    "contract only": ("~", Style.WARNING),
    "deprecated": ("~", Style.WARNING),
}


def _places(program: Program) -> dict[ir.FeatureId, Span]:
    """Return where each feature's name stands, with the version behind it."""
    found = {}
    for name, origin in program.features.items():
        text = program.files[origin.name.path].text
        version = _VERSION.match(text, origin.name.end)
        end = version.end() if version is not None else origin.name.end
        found[name] = Span(origin.name.path, origin.name.start, end)
    return found


def _agreed() -> bool:
    if not sys.stdin.isatty():
        console.tell("astrafs apply asks before it writes; without a terminal, give --yes")
        return False
    sys.stderr.write("write this to astrafs.lock? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@dataclass(frozen=True, slots=True)
class _Follows:
    """What follows from a comparison besides what it says itself."""

    states: Sequence[StateChange]
    sizes: Estimate | None


def shown_as(
    plan: ir.Plan, found: Comparison, form: PlanFormat, sizes: Estimate | None = None
) -> str:
    """Return a comparison of ``plan`` in the form that was asked for."""
    states: Sequence[StateChange] = ()
    if any(not change.stays for change in found.changes):
        from astrafs.cli.state import state_changes

        states = state_changes(plan, found)
    more = _Follows(states, sizes)
    match form:
        case PlanFormat.TEXT:
            return _text(found, more)
        case PlanFormat.MARKDOWN:
            return _markdown(found, more)
        case PlanFormat.JSON:
            return json.dumps(_data(found, more), indent=2, ensure_ascii=False) + "\n"


def _text(found: Comparison, more: _Follows) -> str:
    lines: list[str] = []
    shown: dict[tuple[str, ...], str] = {}
    for change in found.changes:
        if change.verdict == "identical":
            continue
        mark, style = _MARKS[change.verdict]
        head = console.styled(f"{mark} {change.feature}", style, sys.stdout)
        lines.append(f"{head}  {change.verdict}")
        lines += [f"    {reason}" for reason in change.reasons]
        first = shown.setdefault(change.diff, str(change.feature))
        if first == str(change.feature):
            lines += [f"    {line}" for line in change.diff]
        elif change.diff:
            lines.append(f"    with the same lines as {first}")
        if change.readers:
            lines.append(f"    read by {_listed(change.readers)}")
    lines += _follows(found, more)
    lines.append(_counts(found))
    return "\n".join(lines) + "\n"


def _follows(found: Comparison, more: _Follows) -> list[str]:
    """Return lines on what follows from the changes; none where nothing does."""
    if found.is_same:
        return []
    states, lines = more.states, []
    for state in states[:_LISTED]:
        read = f" ({_listed(state.columns)})" if state.columns else ""
        by = f" by {state.by}" if state.by else ""
        lines.append(f"online state: {state.what} {state.rows}{by}{read}")
    if len(states) > _LISTED:
        lines.append(f"online state: and {len(states) - _LISTED} more groups")
    if any(state.what != "dropped" for state in states):
        lines.append("online state: `astrafs online load` reads what is rebuilt or new")
    lines = lines or ["online state: same"]
    again = found.recompute
    if not again.features:
        return [*lines, "to recompute: nothing"]
    lines.append(f"to recompute: {console.count(len(again.features), 'feature')}")
    for view, columns, of in again.views[:_LISTED]:
        lines.append(
            f"to recompute: {len(columns)} of {of} columns of view {view}: {_listed(columns)}"
        )
    if len(again.views) > _LISTED:
        lines.append(f"to recompute: and {len(again.views) - _LISTED} more views")
    if again.datasets:
        lines.append(f"to recompute: dataset {_listed(again.datasets)}")
    if more.sizes is not None:
        lines += [
            f"to recompute: at most {one.rows:,} rows of dataset {one.dataset}, {one.columns} of"
            f" {console.count(one.of, 'column')}"
            for one in more.sizes.writes[:_LISTED]
        ]
        lines += [
            f"to read: about {console.count(one.rows, 'row')} of {one.source} ({_bytes(one.size)})"
            for one in more.sizes.reads[:_LISTED]
        ]
    return lines


def _bytes(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MB" if size >= 1 << 20 else f"{max(1, size >> 10):,} KB"


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + rest


def _counts(found: Comparison) -> str:
    counts: dict[str, int] = {}
    for change in found.changes:
        counts[change.verdict] = counts.get(change.verdict, 0) + 1
    order = (*_MARKS, "identical")
    return ", ".join(f"{counts[name]} {name}" for name in order if name in counts) or "no features"


def _markdown(found: Comparison, more: _Follows) -> str:
    lines = ["| feature | verdict | why | read by |", "|---|---|---|---|"]
    for change in found.changes:
        if change.verdict == "identical":
            continue
        why = "<br>".join((*change.reasons, *(f"`{line}`" for line in change.diff)))
        cells = (f"`{change.feature}`", change.verdict, why, _listed(change.readers))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    follows = [f"- {line}" for line in _follows(found, more)]
    return "\n".join((*lines, "", *follows, *([""] if follows else []), _counts(found))) + "\n"


def _data(found: Comparison, more: _Follows) -> dict[str, Any]:
    again = found.recompute
    return {
        "changes": [_change_data(change) for change in found.changes],
        "online_state": [
            {
                "rows": state.rows,
                "by": state.by,
                "what": state.what,
                "columns": list(state.columns),
            }
            for state in more.states
        ],
        "recompute": {
            "features": [str(feature) for feature in again.features],
            "views": [
                {"view": view, "columns": list(columns), "of": of}
                for view, columns, of in again.views
            ],
            "datasets": list(again.datasets),
            **_sizes_data(more.sizes),
        },
    }


def _sizes_data(sizes: Estimate | None) -> dict[str, Any]:
    if sizes is None:
        return {}
    return {
        "reads": [
            {"source": one.source, "rows": one.rows, "bytes": one.size} for one in sizes.reads
        ],
        "writes": [
            {"dataset": one.dataset, "columns": one.columns, "of": one.of, "rows": one.rows}
            for one in sizes.writes
        ],
    }


def _change_data(change: Change) -> dict[str, Any]:
    return {
        "feature": str(change.feature),
        "version": change.feature.version,
        "verdict": change.verdict,
        "reasons": list(change.reasons),
        "diff": list(change.diff),
        "because": [str(name) for name in change.because],
        "readers": list(change.readers),
        "identity": change.after.identity if change.after is not None else None,
        "locked": change.before.identity if change.before is not None else None,
    }
