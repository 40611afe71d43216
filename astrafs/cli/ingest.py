"""``astrafs ingest``: rows of files into the online store."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from astrafs.cli import console
from astrafs.cli.options import EnvOption, StoreOption
from astrafs.cli.progress import Drawn
from astrafs.cli.project import compile_path, usable_program
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.workspace import missing

if TYPE_CHECKING:
    from astrafs.online.ingesting import Step

STDIN = "-"
_MOST_SHOWN = 5


class IngestFormat(StrEnum):
    """How rows are stored."""

    PARQUET = "parquet"
    ARROW = "arrow"
    JSONL = "jsonl"
    CSV = "csv"


@console.command
def run(
    source: Annotated[
        str, typer.Argument(help="The source or table that the rows are of.", show_default=False)
    ],
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Files of rows, or `-` for standard input.",
            show_default=False,
        ),
    ],
    form: Annotated[
        IngestFormat | None,
        typer.Option("--format", "-f", help="How the rows are stored; else told by the ending."),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            "--batch", metavar="N", min=1, max=1_000_000, help="Rows that are written at once."
        ),
    ] = 10_000,
    refused: Annotated[
        Path | None,
        typer.Option(
            "--refused", metavar="FILE", help="Write refused rows here, as JSON lines with why."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
    store: StoreOption = None,
    env: EnvOption = None,
) -> int:
    """Put rows of a source into the online store.

    Rows are judged by the source's contracts. A row that is there already counts once; refused rows
    are told with their reasons, and the others are kept.
    """
    given = [_input(name, form) for name in files]
    if [name for name, _ in given].count(STDIN) > 1:
        raise AstrafsError(codes.USAGE.nowhere("standard input can be read once"))
    if refused is not None:
        _check_apart(refused, files)
    compiled = compile_path(project, env)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    from astrafs.project import open_program

    total = _Total(files=len(given))
    with open_program(compiled.config, program, store) as online, _lines_to(refused) as aside:
        intake = online.intake(source)
        total.source = intake.name
        try:
            with Drawn(f"ingesting {intake.name}") as drawn:
                for name, format_ in given:
                    place = sys.stdin.buffer if name == STDIN else Path(name)
                    for step in intake.file(place, format_, batch):
                        total.add(name, step, aside)
                        drawn.step(
                            total.rows + 1, total.rows, f"{intake.name}: {total.rows:,} rows"
                        )
                online.tidy()
        except BaseException:
            _summary(total, as_json)
            raise
    _summary(total, as_json)
    return console.PROBLEMS if total.refused else console.OK


class _Total:
    """What became of all rows so far, and the first reasons for refusals."""

    def __init__(self, files: int) -> None:
        self.source = ""
        self.files = files
        self.rows = self.taken = self.repeated = self.expired = self.refused = 0
        self.codes: Counter[str] = Counter()
        self.first: list[Diagnostic] = []

    def add(self, file: str, step: Step, aside: IO[str] | None) -> None:
        """Count one batch, and write its refused rows to ``aside``."""
        self.rows += step.rows
        self.taken += step.taken
        self.repeated += step.repeated
        self.expired += step.expired
        self.refused += len(step.refused)
        for one in step.refused:
            self.codes[one.reason.code.id] += 1
            if len(self.first) < _MOST_SHOWN:
                self.first.append(one.reason.note(f"in `{file}`") if self.files > 1 else one.reason)
            if aside is not None:
                facts = {
                    "file": file,
                    "row": one.number,
                    "code": one.reason.code.id,
                    "message": one.reason.title,
                    "notes": list(one.reason.notes),
                }
                text = json.dumps(facts, ensure_ascii=False)
                aside.write(f'{text[:-1]}, "given": {one.given}}}\n')
        if aside is not None:
            aside.flush()


def _summary(total: _Total, as_json: bool) -> None:
    if total.first:
        console.report(tuple(total.first), {})
        if total.refused > len(total.first):
            rest = total.refused - len(total.first)
            console.tell(f"... and {rest:,} more refused row{'s' if rest > 1 else ''}")
        console.tell("")
    facts: dict[str, Any] = {
        "source": total.source,
        "rows": total.rows,
        "taken": total.taken,
        "repeated": total.repeated,
        "expired": total.expired,
        "refused": total.refused,
        "codes": dict(sorted(total.codes.items())),
    }
    if as_json:
        console.write(json.dumps(facts) + "\n")
        return
    parts = [f"{total.taken:,} taken"]
    if total.repeated:
        parts.append(f"{total.repeated:,} there already")
    if total.expired:
        parts.append(f"{total.expired:,} too old for any question")
    if total.refused:
        listed = ", ".join(f"{count:,} {code}" for code, count in sorted(total.codes.items()))
        parts.append(f"{total.refused:,} refused ({listed})")
    rows = "1 row" if total.rows == 1 else f"{total.rows:,} rows"
    console.write(f"{total.source}: {rows}, {', '.join(parts)}\n")


def _input(name: str, form: IngestFormat | None) -> tuple[str, str]:
    """Return a file and its format; raises :class:`AstrafsError`."""
    from astrafs.online.reading import ENDINGS

    if name != STDIN and not Path(name).is_file():
        raise AstrafsError(missing(Path(name), f"there is no file `{name}`"))
    if form is not None:
        return name, form.value
    found = ENDINGS.get(Path(name).suffix.lower())
    if found is None:
        what = "standard input" if name == STDIN else f"`{name}`"
        raise AstrafsError(
            codes.USAGE.nowhere(f"nothing tells the format of {what}").help(
                f"add `--format`: {', '.join(IngestFormat)}"
            )
        )
    return name, found


def _check_apart(refused: Path, files: Sequence[str]) -> None:
    if any(name != STDIN and Path(name).resolve() == refused.resolve() for name in files):
        raise AstrafsError(
            codes.CANNOT_WRITE.nowhere(f"`{refused}` is an input of this run").help(
                "write the refused rows to another file"
            )
        )


@contextlib.contextmanager
def _lines_to(path: Path | None) -> Iterator[IO[str] | None]:
    """Open the file of refused rows, if one is wanted; it grows with every batch."""
    if path is None:
        yield None
        return
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AstrafsError(
            codes.CANNOT_WRITE.nowhere(f"`{path}` cannot be written: {reason}")
        ) from None
