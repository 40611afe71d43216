"""``astrafs backfill``: compute a view over history into a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from astrafs.cli import console
from astrafs.cli.console import count
from astrafs.cli.names import pick_features
from astrafs.cli.options import EnvOption
from astrafs.cli.progress import Drawn
from astrafs.cli.project import compile_path, usable_program
from astrafs.cli.values import parse_pairs
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.excerpt import Style
from astrafs.workspace import missing

if TYPE_CHECKING:
    from astrafs.plan.program import Program
    from astrafs.runtime.answer import Place, Reused
    from astrafs.runtime.backfill import Report
    from astrafs.runtime.datasets import DatasetReport
    from astrafs.runtime.request import Request


class EngineOption(StrEnum):
    """Who evaluates windows."""

    AUTO = "auto"
    SQL = "sql"


class OutputFormat(StrEnum):
    """File formats of results."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"
    ARROW = "arrow"


@console.command
def run(
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of",
            metavar="T",
            help="What was known at this time, and nothing later: 2026-01-01T10:00:00Z or a date.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write; a directory for a dataset.",
            show_default=False,
        ),
    ],
    view: Annotated[
        str,
        typer.Argument(
            help="The view or dataset to compute; not needed with --feature.", show_default=False
        ),
    ] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
    spine: Annotated[
        Path | None,
        typer.Option(
            "--spine", metavar="FILE", help="One row per question: keys and prediction time."
        ),
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option("--time", metavar="COL", help="The spine's column of prediction times."),
    ] = None,
    time_zone: Annotated[
        str,
        typer.Option(
            "--time-zone", metavar="ZONE", help="The zone of prediction times without an offset."
        ),
    ] = "",
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="NAME=COL", help="The spine's column of a key."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="A", help="First time of a grid over all keys.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="B", help="The grid ends before this time.")
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="D", help="Step of the grid, such as 1d.")
    ] = None,
    features: Annotated[
        str, typer.Option("--features", metavar="A,B", help="Only these columns of the view.")
    ] = "",
    pins: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            metavar="F@N",
            help="Compute this locked version, in place of the view's or, without a view, alone.",
        ),
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option(
            "--lock", metavar="FILE", help="Compute the versions as this lock file has them."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N rows.")
    ] = None,
    form: Annotated[
        OutputFormat | None,
        typer.Option("--format", "-f", help="Format of the file; else told by its ending."),
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option("--memory-limit", metavar="SIZE", help="Such as 2GB.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", metavar="N", min=1, help="At most this many; else all cores."),
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            "--quarantine", metavar="DIR", help="Put rows that break a contract here and go on."
        ),
    ] = None,
    partition_rows: Annotated[
        int | None,
        typer.Option(
            "--partition-rows", metavar="N", min=1, help="Compute the spine in parts of N rows."
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep every finished part, and go on after those there are."),
    ] = False,
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", help="Neither use nor keep columns that were computed before."),
    ] = False,
    engine: Annotated[
        EngineOption,
        typer.Option("--engine", help="SQL alone, or kernels for windows where they are faster."),
    ] = EngineOption.SQL,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say how windows were evaluated, and at what cost."),
    ] = False,
    env: EnvOption = None,
) -> int:
    """Compute a view, or a dataset, over history.

    A view: for every row of a spine, for a grid of times, or for all keys at one time. A dataset:
    into a directory.
    """
    _check_mode(spine, time_column, time_zone, keys, (start, end, every))
    given = {
        "--spine": spine,
        "--from": start,
        "--features": features or None,
        "--limit": limit,
        "--time-zone": time_zone or None,
    }
    _check_resume(resume, no_cache, quarantine)
    if not view and not pins:
        raise AstrafsError(
            codes.USAGE.nowhere("name a view or dataset, or a feature with --feature")
        )
    pairs = parse_pairs("--key", keys or ())
    _check_spine(spine)
    _check_times(as_of, start, end, every)
    _check_parent(output)
    began = time.monotonic()
    compiled = compile_path(project, env)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    from astrafs.cli.heap import keep_freed
    from astrafs.plan.find import find_view
    from astrafs.runtime.request import Request, find_dataset

    keep_freed()
    dataset = find_dataset(program.plan, view) if view else None
    if any(one.name == view for one in program.plan.views):
        dataset = None
    config = compiled.config
    if resume and partition_rows is None:
        from astrafs.runtime.reuse import RESUMED_PART

        partition_rows = RESUMED_PART
    if dataset is not None:
        _check_dataset(dataset.name, output, given)
    else:
        _check_output(output, spine)
    from astrafs.runtime.backfill import Place, to_file

    place = Place(config.root, config.roots, config.sources)
    asked = dataset.view if dataset is not None else view
    found = find_view(program.plan, asked) if asked else None
    if pins or lock is not None or found is None:
        from astrafs.cli.pins import choose

        pinned = choose(compiled, program, found, pins or (), lock, dataset)
        program, place, found = pinned.program, pinned.place, pinned.view
    if dataset is not None:
        request = Request(
            dataset.name,
            as_of,
            memory_limit=memory_limit,
            threads=threads,
            quarantine=quarantine,
            cache=not no_cache and config.file is not None,
            partition_rows=partition_rows,
            engine=engine.value,
        )
        return _dataset(program, place, request, output, form, began)
    chosen = pick_features(found, features)
    with Drawn(f"backfill {found.name}") as drawn:
        request = Request(
            found.name,
            as_of,
            spine=spine,
            time=time_column,
            time_zone=time_zone,
            keys=pairs,
            features=chosen,
            limit=limit,
            start=start,
            end=end,
            every=every,
            memory_limit=memory_limit,
            threads=threads,
            quarantine=quarantine,
            progress=drawn,
            cache=not no_cache and config.file is not None,
            partition_rows=partition_rows,
            engine=engine.value,
        )
        done = to_file(program, place, request, output, None if form is None else str(form))
    console.write(_summary(done, spine, time.monotonic() - began))
    if explain:
        console.write("".join(f"  {line}\n" for line in ("plan", *done.plan)))
    return console.OK


def _dataset(
    program: Program,
    place: Place,
    request: Request,
    output: Path,
    form: OutputFormat | None,
    began: float,
) -> int:
    from astrafs.runtime.datasets import to_files

    with Drawn(f"backfill {request.view}") as drawn:
        request = replace(request, progress=drawn)
        done = to_files(program, place, request, output, None if form is None else str(form))
    console.write(_dataset_summary(done, time.monotonic() - began))
    return console.OK


def _dataset_summary(done: DatasetReport, seconds: float) -> str:
    """Say what was written, how many labels are undecided, and what was left out."""
    ok = console.styled("wrote", Style.ADDED, sys.stdout)
    lines = []
    for split, path, digest in zip(done.splits, done.outputs, done.digests, strict=True):
        lines.append(f"{ok} {path}: {count(split.rows, 'row')}")
        lines.append(f"  digest    {digest}")
        for label, immature in split.immature:
            if immature:
                lines.append(f"  undecided {label}: {count(immature, 'row')}, null there")
    lines.append(f"in {seconds:.1f} s, with the manifest {done.manifest}")
    if done.reused is not None:
        lines.append(f"  reused    {_reused(done.reused)}")
    if done.gap:
        lines.append(f"  left out {count(done.gap, 'row')} between training and testing")
    for aside in done.quarantined:
        lines.append(f"  set aside {count(aside.count, 'row')} of {aside.source}: {aside.rule}")
        lines += [f"            {path}" for path in aside.paths]
    return "\n".join(lines) + "\n"


def _check_dataset(name: str, output: Path, given: Mapping[str, object]) -> None:
    """Refuse what does not go with a dataset, which has its own spine and columns."""
    for option, value in given.items():
        if value is not None:
            raise AstrafsError(
                codes.USAGE.nowhere(f"{option} does not go with the dataset `{name}`").help(
                    "a dataset has its own spine, columns and labels; name its view to choose yours"
                )
            )
    if output.exists() and not output.is_dir():
        raise AstrafsError(
            codes.CANNOT_WRITE.nowhere(f"`{output}` is a file").help(
                "a dataset is written into a directory, one file per split: name that"
            )
        )


def _summary(done: Report, spine: Path | None, seconds: float) -> str:
    """Say what was written; what was set aside is part of it."""
    ok = console.styled("wrote", Style.ADDED, sys.stdout)
    size = f"{count(done.rows, 'row')}, {count(len(done.features), 'feature')}"
    lines = [f"{ok} {done.output}: {size}, in {seconds:.1f} s"]
    lines += [f"  manifest  {done.manifest}", f"  digest    {done.digest}"]
    if done.reused is not None:
        lines.append(f"  reused    {_reused(done.reused)}")
    for aside in done.quarantined:
        lines.append(f"  set aside {count(aside.count, 'row')} of {aside.source}: {aside.rule}")
        lines += [f"            {path}" for path in aside.paths]
    if done.rows == 0:
        lines.append(f"  no rows   {_why_empty(spine)}")
    return "\n".join(lines) + "\n"


def _reused(found: Reused) -> str:
    """Say what came from earlier runs: whole columns, and whole rows where these are not all."""
    text = f"{found.columns} of {count(found.of_columns, 'column')} from earlier runs"
    if 0 < found.rows < found.of_rows:
        text += f", and {found.rows:,} of {count(found.of_rows, 'row')} whole"
    return text


def _check_resume(resume: bool, no_cache: bool, quarantine: Path | None) -> None:
    """Refuse to resume without anything that is kept."""
    for option, given in (("--no-cache", no_cache), ("--quarantine", quarantine is not None)):
        if resume and given:
            raise AstrafsError(
                codes.USAGE.nowhere(f"--resume and {option} exclude each other").help(
                    "a run is resumed from the columns that it has kept"
                )
            )


def _why_empty(spine: Path | None) -> str:
    if spine is not None:
        return "the spine has none"
    return "no key occurs in a row of the sources that is visible at these times"


def _check_spine(spine: Path | None) -> None:
    """Refuse a spine that is not there."""
    if spine is None or spine.is_file():
        return
    if spine.is_dir():
        raise AstrafsError(
            codes.MISSING_FILE.nowhere(f"--spine: `{spine}` is a directory").help("name a file")
        )
    raise AstrafsError(missing(spine, f"--spine: there is no file `{spine}`"))


def _check_times(as_of: str, start: str | None, end: str | None, every: str | None) -> None:
    """Refuse times that are none before anything is read."""
    from astrafs.values.times import duration, instant

    instant(as_of, "--as-of")
    for option, given in (("--from", start), ("--to", end)):
        if given is not None:
            instant(given, option)
    if every is not None:
        duration(every, "--every")


def _check_parent(output: Path) -> None:
    """Refuse an output that has nowhere to stand."""
    if not output.parent.is_dir():
        raise AstrafsError(
            codes.CANNOT_WRITE.nowhere(f"`{output}` cannot be written: no such directory").help(
                f"create the directory `{output.parent}` first"
            )
        )


def _check_output(output: Path, spine: Path | None) -> None:
    """Refuse outputs that a finished file must not replace: a device, a directory, the spine."""
    if str(output) == "-":
        raise AstrafsError(
            codes.CANNOT_WRITE.nowhere("a result is not written to standard output").help(
                "name a file: its manifest is put beside it"
            )
        )
    if output.exists() and not output.is_file():
        kind = "a directory" if output.is_dir() else "not a regular file"
        raise AstrafsError(codes.CANNOT_WRITE.nowhere(f"`{output}` is {kind}").help("name a file"))
    if spine is not None and output.exists() and output.samefile(spine):
        raise AstrafsError(
            codes.CANNOT_WRITE.nowhere(f"`{output}` is the spine itself").help("name another file")
        )


def _check_mode(
    spine: Path | None,
    time_column: str | None,
    time_zone: str | None,
    keys: list[str] | None,
    grid: tuple[str | None, str | None, str | None],
) -> None:
    """Refuse options that contradict one another."""
    names = ("--from", "--to", "--every")
    given = [name for name, value in zip(names, grid, strict=True) if value is not None]
    if given and spine is not None:
        raise AstrafsError(
            codes.USAGE.nowhere(f"--spine and {given[0]} exclude each other").help(
                "a spine says at which times to compute; a grid makes its own"
            )
        )
    if given and len(given) < len(names):
        missing = ", ".join(name for name in names if name not in given)
        raise AstrafsError(codes.USAGE.nowhere(f"{' '.join(given)} needs {missing} too"))
    of_spine = {"--time": time_column is not None, "--time-zone": time_zone, "--key": keys}
    if spine is None and any(of_spine.values()):
        option = next(name for name, value in of_spine.items() if value)
        raise AstrafsError(codes.USAGE.nowhere(f"{option} is about a spine: give --spine"))
