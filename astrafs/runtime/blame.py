"""Which feature a value error comes from: the failed step once more, one column at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Step, Sweep
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Label
from astrafs.runtime.session import Session
from astrafs.source import Span

MOST_COLUMNS = 200
_VALUE_ERRORS = (
    codes.INT_OVERFLOW,
    codes.FLOAT_OVERFLOW,
    codes.DECIMAL_OVERFLOW,
    codes.BAD_CAST,
    codes.TIME_RANGE,
    codes.SUM_RANGE,
)


def blame(
    session: Session, step: Step | Sweep, error: AstrafsError, spans: Mapping[str, Span]
) -> AstrafsError:
    """Return ``error`` with the name and the place of what ``step`` could not compute, where that
    can be told. ``spans`` says where features were written.

    The engine says which operation failed and on what, and not for which of a step's columns; a
    query of one column computes only that.
    """
    if error.diagnostics[0].code not in _VALUE_ERRORS:
        return error
    body = step.query
    try:
        names = [name for name, _ in session.columns(body, "finding the cause")]
    except AstrafsError:
        return error
    for name in names[:MOST_COLUMNS]:
        if name.startswith("@"):
            continue
        try:
            session.rows(f"SELECT bit_xor(hash({ident(name)})) FROM ({body})", "finding the cause")
        except AstrafsError:
            found = error.diagnostics[0]
            feature = _comment(body, name)
            if feature in spans and found.primary is None:
                label = Label(spans[feature], "this cannot be computed")
                found = replace(found, primary=label)
            return AstrafsError(found.note(f"it happened in `{feature}`"))
    return error


def _comment(body: str, column: str) -> str:
    """Return the comment above the definition of ``column``, or its name."""
    last = ""
    for line in body.split("\n"):
        if line.lstrip().startswith("-- "):
            last = line.strip().removeprefix("-- ")
        elif line.rstrip(",").endswith(f" AS {ident(column)}"):
            return last or column
    return column
