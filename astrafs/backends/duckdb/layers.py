"""Scalar plan expressions as SQL, in layers of nested SELECTs.

A template may use an operand several times; an operand that is more than a column is then computed
once, as a column of an earlier layer. So the text stays linear in the size of the program, however
deeply it nests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from astrafs.backends.duckdb.names import ident, literal
from astrafs.builtins.registry import FUNCTIONS
from astrafs.plan import ir
from astrafs.plan.tree import children
from astrafs.record import dataclass
from astrafs.typesys import Kind

_HOLE = re.compile(r"\{(\d+)\}")
_LAZY = ("if", "coalesce")
"""Calls that compute only the operands they need; each operand is used once in their SQL."""

_SHORT = 48
"""Operands up to this many characters are simply repeated."""


@dataclass(frozen=True, slots=True)
class Text:
    """SQL text that may stand in layer ``level`` + 1 or later; ``atom`` texts are columns or
    literals.
    """

    sql: str
    level: int
    atom: bool


@dataclass(slots=True)
class Layers:
    """Builds the layers over one relation. ``leaves`` gives the columns of what the relation
    already holds.
    """

    leaves: Mapping[ir.Expr, str]
    time: str = "@t"
    inline: bool = False
    _columns: list[list[tuple[str, str, str]]] = field(default_factory=list)
    _levels: dict[str, int] = field(default_factory=dict)
    _hoisted: dict[str, Text] = field(default_factory=dict)
    _named: dict[ir.FeatureId, Text] = field(default_factory=dict)
    _heavy: dict[int, bool] = field(default_factory=dict)

    def add(self, name: str, expr: ir.Expr, comment: str = "", *, where: str = "") -> None:
        """Compute ``expr`` as the column ``name``, only on rows where the column ``where`` (made by
        an earlier ``add``) is true; null elsewhere.
        """
        guard = Text(ident(where), self._levels[where], True) if where else None
        value = self.emit(expr, guard)
        sql, level = value.sql, value.level
        if expr.type.kind is Kind.FLOAT and not value.atom:
            sql = f"{sql} + 0.0::DOUBLE"  # -0.0 is 0.0
        if guard is not None:
            sql, level = f"CASE WHEN {guard.sql} THEN {sql} END", max(level, guard.level)
        self._put(name, sql, level, comment)

    def name(self, feature: ir.FeatureId, column: str) -> None:
        """Let references to ``feature`` read ``column``: made by ``add``, or of the relation."""
        self._named[feature] = Text(ident(column), self._levels.get(column, 0), True)

    def add_sql(self, name: str, sql: str, level: int, comment: str = "") -> None:
        """Compute ready-made SQL text as the column ``name``."""
        self._put(name, sql, level, comment)

    def emit(self, expr: ir.Expr, guard: Text | None = None) -> Text:
        """Return the text of ``expr``. ``guard`` is the condition under which it is evaluated at
        all.
        """
        match expr:
            case ir.Literal():
                return Text(literal(expr.value, expr.type), 0, True)
            case ir.EvaluationTime():
                return Text(ident(self.time), 0, True)
            case ir.Call():
                return self._call(expr, guard)
            case ir.FeatureRef() if expr.feature in self._named:
                return self._named[expr.feature]
            case _:
                return Text(ident(self.leaves[expr]), 0, True)

    def select(
        self, relation: str, columns: Mapping[str, str] | None = None, where: str = ""
    ) -> str:
        """Return the SELECT over ``relation`` (SQL text) with all layers.

        ``columns`` maps output names to column names (default: everything).
        """
        wanted = (
            "*"
            if columns is None
            else ", ".join(
                ident(column) if column == name else f"{ident(column)} AS {ident(name)}"
                for name, column in columns.items()
            )
        )
        condition = f"\nWHERE {where}" if where else ""
        return f"SELECT {wanted}\nFROM {self.rows(relation)}{condition}"

    def rows(self, relation: str) -> str:
        """Return ``relation`` (SQL text that may stand after FROM) with all layers' columns."""
        sql = relation
        for layer in self._columns:
            items = "".join(
                f",\n{comment_line(comment)}  {text} AS {ident(name)}"
                for name, text, comment in layer
            )
            sql = f"(SELECT *{items}\nFROM {sql})"
        return sql

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return len(self._columns)

    @property
    def scratch(self) -> tuple[str, ...]:
        """Names of the columns that exist only to be read by later layers."""
        return tuple(value.sql[1:-1] for value in self._hoisted.values())

    # -- inside

    def _put(self, name: str, sql: str, level: int, comment: str) -> Text:
        while len(self._columns) <= level:
            self._columns.append([])
        self._columns[level].append((name, sql, comment))
        self._levels[name] = level + 1
        return Text(ident(name), level + 1, True)

    def _hoist(self, value: Text, guard: Text | None) -> Text:
        if self.inline or value.atom:
            return value
        sql, level = value.sql, value.level
        if guard is not None:
            # An operation that raises must not run where its branch is not taken.
            sql, level = f"CASE WHEN {guard.sql} THEN {sql} END", max(level, guard.level)
        found = self._hoisted.get(sql)
        if found is None:
            found = self._put(f"@h{len(self._hoisted)}", sql, level, "")
            self._hoisted[sql] = found
        return found

    def _call(self, expr: ir.Call, guard: Text | None) -> Text:
        row = FUNCTIONS[expr.function]
        args = self._operands(expr, guard)
        if isinstance(row.sql, str):
            uses: dict[int, int] = {}
            for hole in _HOLE.findall(row.sql):
                uses[int(hole)] = uses.get(int(hole), 0) + 1
            args = [
                self._hoist(arg, guard) if uses.get(place, 0) > 1 and len(arg.sql) > _SHORT else arg
                for place, arg in enumerate(args)
            ]
            wrapped = [arg.sql if arg.atom else f"({arg.sql})" for arg in args]
            sql = _HOLE.sub(lambda hole: wrapped[int(hole.group(1))], row.sql)
        else:
            if expr.function not in _LAZY:
                args = [self._hoist(arg, guard) if len(arg.sql) > _SHORT else arg for arg in args]
            wrapped = [arg.sql if arg.atom else f"({arg.sql})" for arg in args]
            sql = row.sql(tuple(wrapped), tuple(arg.type for arg in expr.args), expr.type)
        return Text(sql, max((arg.level for arg in args), default=0), False)

    def _operands(self, expr: ir.Call, guard: Text | None) -> list[Text]:
        lazy = expr.function in _LAZY and any(self._is_heavy(a) for a in expr.args[1:])
        if not lazy or self.inline:
            return [self.emit(arg, guard) for arg in expr.args]
        found: list[Text] = []
        if expr.function == "if":
            condition = self._hoist(self.emit(expr.args[0], guard), guard)
            then = _both(guard, condition.sql, condition.level)
            otherwise = _both(guard, f"{condition.sql} IS NOT TRUE", condition.level)
            return [condition, self.emit(expr.args[1], then), self.emit(expr.args[2], otherwise)]
        inner = guard
        for place, arg in enumerate(expr.args):
            value = self.emit(arg, inner)
            if place < len(expr.args) - 1:
                value = self._hoist(value, inner)
                inner = _both(inner, f"{value.sql} IS NULL", value.level)
            found.append(value)
        return found

    def _is_heavy(self, expr: ir.Expr) -> bool:
        """Whether emitting ``expr`` may hoist something."""
        known = self._heavy.get(id(expr))
        if known is None:
            known = isinstance(expr, ir.Call) and any(
                isinstance(part, ir.Call) for part in children(expr)
            )
            self._heavy[id(expr)] = known
        return known


def _both(guard: Text | None, sql: str, level: int) -> Text:
    if guard is None:
        return Text(sql, level, False)
    return Text(f"({guard.sql}) AND ({sql})", max(guard.level, level), False)


def comment_line(comment: str) -> str:
    """Return ``comment`` as SQL comment lines, or nothing."""
    return "".join(f"  -- {line}\n" for line in comment.splitlines())
