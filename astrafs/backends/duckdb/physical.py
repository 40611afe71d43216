"""How a script evaluates its windows, group by group: by kernels or in SQL, why, and what either is
expected to cost.

Costs are processor time as measured on workload W (``tests/bench``): a row that is swept costs
about 300 ns to read and put in order and 20 ns per aggregate, a question 60 ns per aggregate; in
SQL either costs about 400 ns per aggregate. So whatever kernels can evaluate they evaluate, at any
size; the numbers say what that is worth.
"""

from __future__ import annotations

from astrafs.record import dataclass

_ROW, _ROW_CALL, _ASKED_CALL, _SQL_CALL = 300e-9, 20e-9, 60e-9, 400e-9
_ROW_BYTES, _COLUMN_BYTES = 16, 9


@dataclass(frozen=True, slots=True)
class Group:
    """Aggregates over the same rows and keys: ``calls`` of them, over ``windows`` different
    windows, reading ``columns`` of the rows of ``source``. ``step`` is the sweep that computes
    them; '' where SQL does, and ``reason`` says why.
    """

    step: str
    rows: str
    source: tuple[str, ...]
    calls: int
    windows: int
    columns: int
    reason: str

    def size(self, rows: int) -> int:
        """Return the bytes of so many rows."""
        return rows * (_ROW_BYTES + _COLUMN_BYTES * self.columns)

    def swept_seconds(self, rows: int, questions: int) -> float:
        """Return the processor time that kernels are expected to take."""
        return rows * (_ROW + _ROW_CALL * self.calls) + questions * _ASKED_CALL * self.calls

    def sql_seconds(self, rows: int, questions: int) -> float:
        """Return the processor time that SQL is expected to take."""
        return (rows + questions) * _SQL_CALL * self.calls

    def text(self) -> str:
        """Return one line that says what is computed, and how."""
        what = f"{_count(self.calls, 'aggregate')} over {_count(self.windows, 'window')}"
        how = "kernels" if self.step else "SQL    "
        why = f": {self.reason}" if self.reason else ""
        return f"{how}  {what} of {self.rows}, {_count(self.columns, 'column')}{why}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number != 1 else ''}"
