"""A compiled script: named SQL steps in order, what must exist before, and the relation that holds
the result.
"""

from __future__ import annotations

from typing import Literal

from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.physical import Group
from astrafs.plan import ir
from astrafs.record import dataclass

Engine = Literal["sql", "auto"]
"""Who evaluates windows: SQL alone, or kernels where they are faster."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement. ``name`` is the temporary relation that it makes; ``comment`` says what
    for. A ``view`` computes nothing by itself: it is part of the one statement that reads it.
    """

    name: str
    sql: str
    comment: str
    view: bool = False

    @property
    def query(self) -> str:
        """The query whose rows the relation holds."""
        return self.sql.split("\n", 1)[1]


@dataclass(frozen=True, slots=True)
class SweptCall:
    """An aggregate that kernels compute, as the column ``name``: of the columns ``values``, on rows
    where ``present`` is true ('': all), in groups of ``by`` ('': none), with ``cut`` the column
    that a ``since last`` window looks for.
    """

    name: str
    aggregate: ir.Aggregate
    values: tuple[str, ...]
    present: str
    by: str
    cut: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """Windows that kernels evaluate, in place of a statement: ``name`` is the relation of their
    answers, ``"@q"`` and a column per call.

    ``events`` is a query of the rows that bear on the questions, in any order: ``"@kid"``,
    ``"@e"``, the columns ``ties`` that order rows of one time, and the calls' columns; a row is
    known ``delay`` microseconds after its event. ``questions`` is a relation of ``"@q"``,
    ``"@kid"`` and ``"@t"``.
    """

    name: str
    events: str
    questions: str
    ties: tuple[str, ...]
    delay: int
    calls: tuple[SweptCall, ...]
    comment: str

    @property
    def sql(self) -> str:
        """The queries that feed the kernels, after a first line as of a step."""
        return f"-- {self.name}\n{self.events}\n{self.rows_asked}"

    @property
    def query(self) -> str:
        """The query that may stop on a value that cannot be computed."""
        return self.events

    @property
    def rows_asked(self) -> str:
        """The query of the questions in order."""
        return f'SELECT "@kid", "@t" FROM {self.questions} ORDER BY "@q"'


@dataclass(frozen=True, slots=True)
class Check:
    """A contract that only the script can judge: ``sql`` returns the offending rows, to be run
    after ``after``.
    """

    after: str
    sql: str
    rule: str
    source: str


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that a session needs to compute one view.

    ``inputs`` maps each source to the columns that must stand in its ``src:`` relation;
    ``kernels`` names the functions to register; ``result`` has ``"@row"`` and one column per
    output, in no particular order. ``groups`` says how windows are evaluated; ``drops`` maps the
    name of a step to relations that nothing needs after it.
    """

    steps: tuple[Step | Sweep, ...]
    inputs: dict[str, tuple[str, ...]]
    kernels: tuple[str, ...]
    result: str
    checks: tuple[Check, ...] = ()
    groups: tuple[Group, ...] = ()
    drops: dict[str, tuple[str, ...]] | None = None


_HEADER = """\
DuckDB SQL, one temporary relation per step. It reads
  spine      the rows to answer: "@row", "@t" (prediction time) and the entity's key columns
  src:NAME   a source's declared columns, "@e" (event time), "@k" (known from); rows known by K
  getvariable('as_of'), the knowledge cutoff K
Times and durations are microseconds, dates days, since 1970-01-01 UTC. Windows are intervals of
prediction times during which a row is in them; "@q" numbers the questions in (key, time) order."""


def render(script: Script) -> str:
    """Return the script as SQL text that a person can read, with what it expects at the top."""
    reads = [f'  "src:{name}" ({", ".join(used)})' for name, used in script.inputs.items()]
    header = [*_HEADER.splitlines(), "Sources:", *reads]
    if script.kernels:
        header += ["Functions of astrafs.kernels:", f"  {', '.join(script.kernels)}"]
    parts = ["\n".join(f"-- {line}" for line in header) + "\n"]
    for step in script.steps:
        if isinstance(step, Sweep):
            raise ValueError("a script with sweeps is no SQL")
        comment = "\n".join(f"-- {line}" for line in step.comment.splitlines())
        parts.append(f"{comment}\n{step.sql};\n")
    parts.append(f"SELECT * FROM {ident(script.result)} ORDER BY {ident('@row')};\n")
    return "\n".join(parts)
