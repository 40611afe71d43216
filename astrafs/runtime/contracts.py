"""The rules that rows of a source must keep, and what a run says or does about rows that break
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import Diagnostic
from astrafs.record import dataclass
from astrafs.source import Span

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """One contract. ``name`` is short and fit for a file name; ``text`` says what must hold;
    ``columns`` are read; ``advice`` says what a violation often means; ``span`` is where it was
    written.
    """

    name: str
    text: str
    columns: tuple[str, ...]
    advice: str = ""
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """Rows of ``source`` that break ``rule``: how many, and a few of them as column -> text (None
    for null), each with its file.
    """

    source: str
    rule: Rule
    count: int
    examples: tuple[Mapping[str, str | None], ...]
    files: tuple[str, ...] = ()

    def diagnostic(self) -> Diagnostic:
        """Return the error that stops a run."""
        rows = "1 row breaks" if self.count == 1 else f"{self.count:,} rows break"
        title = f"source `{self.source}`: {rows} a contract"
        if self.rule.span is None:
            found = codes.CONTRACT_BROKEN.nowhere(title)
        else:
            found = codes.CONTRACT_BROKEN.at(self.rule.span, "declared here", title=title)
        found = found.note(f"rule: {self.rule.text}")
        for example, file in zip(self.examples, self.files, strict=True):
            shown = [f"{name} = {_value(value)}" for name, value in example.items()]
            found = found.note(f"row: {', '.join((*shown, f'in `{file}`'))}")
        hidden = self.count - len(self.examples)
        if hidden > 0 and self.examples:
            found = found.note(f"and {hidden:,} more")
        if self.rule.advice:
            found = found.help(self.rule.advice)
        return found.help(
            "mend the data or the declaration, or use `--quarantine DIR` to set such rows aside"
        )


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Rows that were set aside: written to ``paths`` and not used."""

    source: str
    rule: str
    count: int
    paths: tuple[Path, ...]


@dataclass(slots=True)
class Quarantine:
    """Where offending rows go, and what has gone there."""

    directory: Path
    found: list[Quarantined] = field(default_factory=list)

    def path(self, source: str, rule: Rule, part: int) -> Path:
        """Return the file for rows of ``source`` that break ``rule``."""
        tail = "" if part == 0 else f"-{part + 1}"
        return self.directory / f"{source}.{slug(rule.name)}{tail}.parquet"


def slug(name: str) -> str:
    """Return ``name`` with everything but letters, digits, ``_``, ``.`` and ``-`` as ``-``."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-")


def examples_of(
    names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[Mapping[str, str | None], ...]:
    """Return query rows (texts and Nones, then the file) as examples."""
    return tuple(dict(zip(names, row, strict=False)) for row in rows[:EXAMPLES])


def _value(value: str | None, width: int = 60) -> str:
    if value is None:
        return "null"
    printable = "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in value)
    return printable if len(printable) <= width else printable[: width - 1] + "…"
