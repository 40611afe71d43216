"""The aggregate functions, one row each: typing, class, and how DuckDB computes them."""

from __future__ import annotations

from astrafs.builtins.aggregates import decay, distributions, moments, picks, totals
from astrafs.builtins.spec import AggregateFunction

AGGREGATES: dict[str, AggregateFunction] = {
    row.name: row
    for row in (
        *totals.ROWS,
        *moments.ROWS,
        *picks.ROWS,
        *distributions.ROWS,
        *decay.ROWS,
    )
}
