"""``astrafs check``: compile a project and show what is wrong with it."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from astrafs.cache.records import Counts
from astrafs.cli import checking, console, watching
from astrafs.cli.checking import Outcome
from astrafs.cli.console import Format
from astrafs.cli.options import EnvOption
from astrafs.cli.project import Compiled, compile_path, parse_levels
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.workspace import missing

if TYPE_CHECKING:
    from astrafs.baseline import Judged


class Emit(StrEnum):
    """What an accepted project can print besides its diagnostics."""

    FOOTPRINT = "footprint"


@console.command
def run(
    path: Annotated[
        str,
        typer.Argument(help="A project directory, an .afs file in one, or - for standard input."),
    ] = ".",
    form: Annotated[
        Format, typer.Option("--format", "-f", help="How problems are printed.")
    ] = Format.TEXT,
    deny: Annotated[
        list[str] | None,
        typer.Option("--deny", metavar="CODE", help="Make a warning an error; `warnings` for all."),
    ] = None,
    warn: Annotated[
        list[str] | None,
        typer.Option(
            "--warn", metavar="CODE", help="Show a warning that astrafs.toml denies or allows."
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="CODE", help="Hide a warning; `warnings` for all."),
    ] = None,
    emit: Annotated[
        Emit | None,
        typer.Option(
            "--emit", help="Of an accepted project, print the proof: what each feature reads."
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Hide the problems that FILE lists."),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(
            "--write-baseline",
            metavar="FILE",
            help="List the problems of now in FILE, to hide them from now on.",
        ),
    ] = None,
    save_counterexample: Annotated[
        Path | None,
        typer.Option(
            "--save-counterexample",
            metavar="FILE",
            help="Write the rows that show each leak as `test` blocks.",
        ),
    ] = None,
    locked: Annotated[
        bool,
        typer.Option("--locked", help="Fail where astrafs.lock does not say what the sources say."),
    ] = False,
    on: Annotated[
        str,
        typer.Option(
            "--on", metavar="DATE", help="Make errors of what is deprecated and past its date."
        ),
    ] = "",
    env: EnvOption = None,
    stdin_name: Annotated[
        str,
        typer.Option(
            "--stdin-name", metavar="PATH", help="With -, the file in the project it stands in for."
        ),
    ] = "",
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Check again whenever a file changes.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither use nor keep what the last check found out.")
    ] = False,
) -> int:
    """Check a project: syntax, names, types, time, leakage.

    Exits with 0 if there is no error, with 1 if there is one.
    """
    levels = parse_levels(deny or (), warn or (), allow or ())
    if stdin_name and path != "-":
        raise AstrafsError(checking.lonely_name())
    if emit is not None and form is not Format.TEXT:
        raise AstrafsError(usage.USAGE.nowhere(f"--emit does not go with --format {form}"))
    extra = {
        "--emit": emit,
        "--baseline": baseline,
        "--write-baseline": write_baseline,
        "--save-counterexample": save_counterexample,
    }
    used = [name for name, value in extra.items() if value is not None]
    used += ["--locked"] if locked else []
    if write_baseline is not None and len(used) > 1:
        others = " and ".join(name for name in used if name != "--write-baseline")
        raise AstrafsError(
            usage.USAGE.nowhere(f"--write-baseline does not go with {others}").help(
                "it lists all problems of now, and shows nothing else"
            )
        )
    used += ["--on"] if on else []
    if watch or not used:
        request = checking.Request(path, form, levels, env, stdin_name, not no_cache)
        return watching.watch(request, used) if watch else checking.check(request)
    compiled = compile_path(path, env, levels, stdin_name, _day(on))
    if locked:
        compiled = _against_lock(compiled)
    if write_baseline is not None:
        return _write_baseline(compiled, write_baseline)
    known = None if baseline is None else _judged(compiled, baseline)
    found = compiled.diagnostics if known is None else known.shown
    only = compiled.workspace.only
    shown = [
        one for one in found if not only or one.primary is None or one.primary.span.path == only
    ]
    console.report(shown, compiled.files, form, sys.stdout)
    remarks = [] if known is None else _remarks(known, baseline)
    if form is Format.TEXT:
        ending = checking.ending(_outcome(compiled), shown, len(found) - len(shown))
        for line in (*ending, *remarks):
            console.write(f"{line}\n")
    else:
        for line in remarks:
            console.tell(line)
    if save_counterexample is not None:
        _save_examples(shown, save_counterexample)
    if emit is Emit.FOOTPRINT and compiled.program is not None and not compiled.has_errors:
        from astrafs.temporal.footprint import footprints  # not needed for a plain check
        from astrafs.temporal.report import footprint_text

        console.write(footprint_text(footprints(compiled.program.plan)))
    return console.exit_code(shown)


def _outcome(compiled: Compiled) -> Outcome:
    counts = None
    if compiled.program is not None:
        plan = compiled.program.plan
        counts = Counts(len(plan.sources), len(plan.features), len(plan.views))
    return Outcome(compiled.workspace, counts, compiled.diagnostics, compiled.files)


def _day(text: str) -> str:
    """Return the date that ``--on`` gives; raises where it is none."""
    if not text:
        return ""
    try:
        found = datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        found = ""
    if found != text:
        raise AstrafsError(
            usage.BAD_VALUE.nowhere(f"`--on`: `{text}` is no date").help(
                "write year, month and day: `--on 2027-01-31`"
            )
        )
    return text


def _against_lock(compiled: Compiled) -> Compiled:
    """Add what the lock file says otherwise; a program with errors has nothing to compare."""
    from astrafs.cli.plan import lock_problems

    if compiled.program is None or compiled.has_errors:
        return compiled
    found = lock_problems(compiled, compiled.program)
    return replace(compiled, diagnostics=(*compiled.diagnostics, *found))


def _save_examples(found: Sequence[Diagnostic], path: Path) -> None:
    """Write every counterexample that has rows, below the names that they use."""
    from astrafs.cli.output import replace_file

    uses: dict[str, str] = {}
    blocks: list[str] = []
    for example in (one.example for one in found if one.example is not None):
        names = {name.rpartition(".")[2]: name for name in example.uses}
        # Two modules may have the same name for different things, which one file cannot use.
        if all(uses.get(short, name) == name for short, name in names.items()):
            uses |= names
            blocks.append(example.text)
    if not blocks:
        console.tell(f"no leak with rows to show; {path} is not written")
        return
    by_module: dict[str, list[str]] = {}
    for short, name in sorted(uses.items()):
        by_module.setdefault(name.removesuffix(f".{short}"), []).append(short)
    head = [f"use {module}.{{{', '.join(names)}}}\n" for module, names in sorted(by_module.items())]
    replace_file(path, "".join([*head, "\n", "\n".join(blocks)]))
    console.tell(f"wrote {path}: {console.count(len(blocks), 'test')}")


def _write_baseline(compiled: Compiled, path: Path) -> int:
    """List every problem in ``path``; those that cannot be put up with are shown."""
    from astrafs import baseline as rules
    from astrafs.cli.output import refuse_sources, replace_file

    kept = [one for one in compiled.diagnostics if not rules.may_hide(one)]
    if kept:
        return console.fail(*kept, files=compiled.files)
    refuse_sources(path)
    replace_file(path, rules.write(compiled.diagnostics, compiled.files))
    listed = console.count(len(compiled.diagnostics), "problem")
    console.write(f"wrote {path}: {listed}\n")
    return console.OK


def _judged(compiled: Compiled, path: Path) -> Judged:
    from astrafs import baseline as rules

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AstrafsError(missing(path, f"there is no baseline `{path}`")) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AstrafsError(
            usage.BAD_BASELINE.nowhere(f"`{path}` cannot be read: {reason.lower()}")
        ) from None
    return rules.judge(compiled.diagnostics, compiled.files, rules.read(str(path), text))


def _remarks(known: Judged, path: Path | None) -> list[str]:
    """Say what the baseline hides, and what of it is no longer true."""
    lines = []
    if known.hidden:
        lines.append(f"{console.count(known.hidden, 'problem')} hidden by the baseline {path}")
    if known.stale:
        one = len(known.stale) == 1
        words = (
            "entry of the baseline no longer occurs"
            if one
            else ("entries of the baseline no longer occur")
        )
        lines.append(f"note: {len(known.stale)} {words}:")
        lines += [
            f"  {entry.code} {entry.where or 'project'}: {entry.title}"
            for entry in known.stale[:10]
        ]
        if len(known.stale) > 10:
            lines.append(f"  and {len(known.stale) - 10} more")
        lines.append(f"write it anew with --write-baseline {path}")
    return lines
