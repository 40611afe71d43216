"""A compiled script: named SQL steps in order, what must exist before, and the relation that holds
the result.
"""

from __future__ import annotations

from astrafs.backends.duckdb.names import ident
from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One statement. ``name`` is the temporary relation that it makes; ``comment`` says what
    for.
    """

    name: str
    sql: str
    comment: str


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
    output, in no particular order. ``drops`` maps the name of a step to relations that nothing
    needs after it.
    """

    steps: tuple[Step, ...]
    inputs: dict[str, tuple[str, ...]]
    kernels: tuple[str, ...]
    result: str
    checks: tuple[Check, ...] = ()
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
        comment = "\n".join(f"-- {line}" for line in step.comment.splitlines())
        parts.append(f"{comment}\n{step.sql};\n")
    parts.append(f"SELECT * FROM {ident(script.result)} ORDER BY {ident('@row')};\n")
    return "\n".join(parts)
