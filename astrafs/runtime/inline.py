"""Rows given as Python values, as the relation ``src:<name>`` of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from astrafs.backends.duckdb.names import ident, sql_type
from astrafs.kernels.arrow_types import engine_type
from astrafs.plan import ir
from astrafs.runtime.session import Session
from astrafs.runtime.sources import AS_OF

_RAW = "inline rows"


def load_rows(session: Session, source: ir.Source, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make the relation of ``source`` with every column, ``"@e"`` and ``"@k"``: the rows known by
    the session's cutoff. The rows keep the source's contracts.
    """
    doing = f"reading source {source.name}"
    columns = [
        pa.array([row[column.name] for row in rows], engine_type(column.type))
        for column in source.columns
    ]
    session.register(_RAW, pa.table(columns, [column.name for column in source.columns]))
    listed = ", ".join(
        f"CAST({ident(column.name)} AS {sql_type(column.type)}) AS {ident(column.name)}"
        for column in source.columns
    )
    event = ident(source.time) if source.time else "CAST(0 AS BIGINT)"
    match source.knowledge:
        case ir.KnownColumn(column=name) if source.time:
            known = ident(name)
        case ir.Delay(delay=delay) if source.time:
            known = f"{event} + {delay}"
        case _:
            known = event
    where = f" WHERE {known} <= {AS_OF}" if source.time else ""
    session.run(
        f'CREATE TEMP TABLE {ident(f"src:{source.name}")} AS SELECT {listed}, {event} AS "@e",'
        f' {known} AS "@k" FROM {ident(_RAW)}{where}',
        doing,
    )
    session.unregister(_RAW)
