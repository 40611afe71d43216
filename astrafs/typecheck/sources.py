"""Sources and tables: columns, key, times, knowledge and contracts."""

from __future__ import annotations

from astrafs.builtins.rules import NUMERIC
from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.codes import windows as window_codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.plan import ir
from astrafs.plan.program import Binding, SourceOrigin
from astrafs.plan.tree import Origin
from astrafs.resolve.collect import suggest
from astrafs.resolve.symbols import ModuleScope, Symbol
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.constants import positive_duration
from astrafs.typecheck.context import Context, Environment, NamedValue, Place, RowSchema, named
from astrafs.typecheck.convert import quoted
from astrafs.typecheck.declared import declared_type
from astrafs.typecheck.expressions import check_condition
from astrafs.typesys import ERROR, Kind, Type
from astrafs.values import zones

FORMATS = ("parquet", "csv", "jsonl")
COUNTED = ("unix:s", "unix:ms", "unix:us", "unix:ns")
"""What an integer column may count since 1970-01-01T00:00:00Z, in place of a zone."""


def declare_source(symbol: Symbol, env: Environment) -> tuple[ir.Source, SourceOrigin, Binding]:
    """Check one source or table; fills ``env.schemas`` and ``env.tables``."""
    return _SourceChecker(symbol, env).declare()


class _SourceChecker:
    """Checks one declaration; a mistake costs the clause or column that has it."""

    def __init__(self, symbol: Symbol, env: Environment) -> None:
        tree = symbol.declaration
        assert isinstance(tree, ast.SourceDecl)
        self.symbol = symbol
        self.tree = tree
        self.env = env
        self.sink = env.sink
        self.scope: ModuleScope = env.symbols.modules[symbol.module]
        self.columns: dict[str, NamedValue] = {}
        self.constants = Context(env, self.scope, env.sink, Place.CONST, columns=self.columns)
        self.clauses: dict[str, Span] = {}
        self.broken = False

    @property
    def word(self) -> str:
        """What the declaration is called in messages."""
        return "table" if self.tree.table else "source"

    def declare(self) -> tuple[ir.Source, SourceOrigin, Binding]:
        """Check the declaration from top to bottom."""
        tree = self.tree
        columns = self.declare_columns()
        key = self.key()
        time = self.time_column(tree.time, "time")
        knowledge = self.knowledge()
        static = self.static()
        deleted = self.deleted()
        if tree.max_age is not None and not tree.table:
            self.misfit(tree.max_age.span, "`max_age` belongs to tables", "remove it")
        if tree.retention is not None and tree.table:
            self.misfit(tree.retention.span, "`retention` belongs to sources", "remove it")
        schema = RowSchema(self.symbol, self.columns, broken=self.broken, key=key)
        self.env.schemas[self.symbol.qualified] = schema
        expects, origins = self.expects(schema)
        source = ir.Source(
            self.symbol.qualified,
            tree.table,
            columns,
            key,
            time,
            knowledge,
            tree.ahead,
            static,
            self.duration(tree.max_age, "max_age"),
            self.duration(tree.retention, "retention"),
            expects,
            tree.revisions and not tree.table,
            deleted,
        )
        if tree.table:
            self.env.tables[self.symbol.qualified] = source
        places = {name: value.span for name, value in self.columns.items()}
        origin = SourceOrigin(
            self.symbol.span, tree.span, places, self.clauses, origins, self.symbol.module
        )
        return source, origin, self.binding()

    # --- columns

    def declare_columns(self) -> tuple[ir.SourceColumn, ...]:
        """Declare every column; a second one of a name is reported and left out."""
        if not self.tree.columns and self.scope.lost is None:
            self.sink.emit(
                name_codes.EMPTY_BLOCK.at(
                    self.symbol.span, "no column follows", title=f"a {self.word} without columns"
                ).help("declare the columns with their types: `{ user_id: int, at: timestamp }`")
            )
            self.broken = True
        folded: dict[str, ast.ColumnDecl] = {}
        for tree in self.tree.columns:
            name = tree.name.text
            if not name:
                self.broken = True
                continue
            first = folded.setdefault(name.casefold(), tree)
            if first is not tree:
                self.sink.emit(
                    name_codes.DUPLICATE_NAME.at(
                        tree.name.span,
                        "declared again here",
                        title=f"column `{name}` is declared twice",
                    )
                    .label(first.name.span, "first declared here")
                    .help('rename one; the name in the file can be given with `from "..."`')
                )
                continue
            self.columns[name] = named(name, self.column_type(tree), tree.name.span)
        declared = [tree for tree in folded.values() if tree.name.text in self.columns]
        return tuple(self.column(tree) for tree in declared)

    def column_type(self, tree: ast.ColumnDecl) -> Type:
        """Return a column's type; a key of several parts cannot be one column."""
        type_ = declared_type(tree.type, self.scope, self.env, self.sink)
        if type_.kind is Kind.KEY and len(type_.parts) != 1:
            name = type_.required()
            self.sink.emit(
                codes.BAD_TYPE.at(
                    tree.type.span,
                    f"the key of `{name}` has {len(type_.parts)} parts",
                    title="a column cannot hold a key of several parts",
                ).help(
                    "declare one column per part; `by a, b` names them in a block, "
                    f"and `{name}(a, b)` makes the key in a stream"
                )
            )
            return ERROR
        return type_

    def column(self, tree: ast.ColumnDecl) -> ir.SourceColumn:
        """Check the clauses of one column."""
        type_ = self.columns[tree.name.text].type
        zone = ""
        if tree.zone is not None:
            if _has_times(type_):
                zone = self.zone(tree.zone)
            elif not type_.is_error:
                self.misfit(
                    tree.zone.span,
                    f"a zone for `{type_}`",
                    "only timestamps have a zone; remove `in`",
                )
        settles = self.duration(tree.settles, "settles", own=False)
        known_at = ""
        if tree.known is not None and self.known_at(tree.known):
            known_at = tree.known.text
        physical = tree.physical.value if tree.physical is not None else ""
        return ir.SourceColumn(tree.name.text, type_, physical, zone, settles, known_at, tree.tags)

    def zone(self, tree: ast.StringLit) -> str:
        """Check the zone of a local time, or the unit of one that counts from 1970."""
        name = tree.value
        if name in COUNTED or name in zones.names():
            return name
        found = codes.BAD_COLUMN_CLAUSE.at(
            tree.span,
            "neither an IANA zone nor a unit since 1970",
            title=f"unknown time zone {quoted(name)}",
        )
        inner = Span(tree.span.path, tree.span.start + 1, tree.span.end - 1)
        self.sink.emit(suggest(found, name, (*COUNTED, *zones.names()), inner))
        return ""

    def known_at(self, ident: ast.Ident) -> bool:
        """Whether ``known COLUMN`` of a column names a timestamp."""
        column = self.named_column(ident, "`known`")
        if column is None or column.type.is_error:
            return False
        if column.type.kind is Kind.TIMESTAMP:
            return True
        self.bad_time(ident, column, "known")
        return False

    def named_column(self, ident: ast.Ident, clause: str) -> NamedValue | None:
        """Return the column that a clause names; reports one that is not declared."""
        column = self.columns.get(ident.text)
        lost = self.scope.is_broken(ident.text) or self.broken
        if column is None and ident.text and not lost:
            found = name_codes.UNKNOWN_COLUMN.at(
                ident.span,
                f"not a column of `{self.symbol.name}`",
                title=f"{clause} names an unknown column `{ident.text}`",
            )
            self.sink.emit(suggest(found, ident.text, self.columns, ident.span))
        return column

    # --- clauses

    def key(self) -> tuple[str, ...]:
        """Check the ``key`` clause."""
        tree = self.tree
        if not tree.key:
            self.sink.emit(
                codes.BAD_KEY_COLUMN.at(
                    self.symbol.span,
                    "no `key` clause",
                    title=f"{self.word} `{self.symbol.name}` has no key",
                ).help(
                    "name the columns by which a value is looked up: `key currency`"
                    if tree.table
                    else "name the columns that identify a row, such as `key txn_id`"
                )
            )
            return ()
        self.clauses["key"] = tree.key[0].span.to(tree.key[-1].span)
        seen: set[str] = set()
        for ident in tree.key:
            column = self.named_column(ident, "`key`")
            if ident.text in seen:
                self.sink.emit(
                    name_codes.DUPLICATE_NAME.at(
                        ident.span, "a second time", title=f"`{ident.text}` stands twice in the key"
                    ).help("remove one of them")
                )
                continue
            seen.add(ident.text)
            if column is None or column.type.is_error:
                continue
            if column.type.nullable:
                self.bad_key(ident, column, "may be null", "remove the `?` from its type")
            elif column.type.kind is Kind.FLOAT:
                self.bad_key(ident, column, "is a float", "use an int, string, date or timestamp")
            elif column.type.is_nested:
                what = f"is a {column.type.kind.value}"
                self.bad_key(ident, column, what, "use an int, string, date or timestamp")
        return tuple(dict.fromkeys(ident.text for ident in tree.key))

    def bad_key(self, ident: ast.Ident, column: NamedValue, problem: str, advice: str) -> None:
        """Report a column that cannot be part of a key."""
        found = (
            codes.BAD_KEY_COLUMN.at(
                ident.span, f"this column {problem}", title=f"key column `{ident.text}` {problem}"
            )
            .label(column.span, f"declared `{column.type}` here")
            .help(advice)
        )
        if column.type.nullable:
            found = self.never_null(found, column)
        self.sink.emit(found)

    def never_null(self, found: Diagnostic, column: NamedValue) -> Diagnostic:
        """Add the fix that takes the ``?`` out of the type of ``column``."""
        tree = next(tree for tree in self.tree.columns if tree.name.span == column.span)
        right = Edit(tree.type.span, str(column.type.required()))
        return found.fix(f"declare it `{right.text}`", right, safe=False)

    def time_column(self, ident: ast.Ident | None, clause: str) -> str:
        """Check ``time``/``known``: a timestamp that is never null."""
        if ident is None or not ident.text:
            return ""
        self.clauses[clause] = ident.span
        column = self.named_column(ident, f"`{clause}`")
        if column is not None and not column.type.is_error:
            if column.type.kind is not Kind.TIMESTAMP:
                self.bad_time(ident, column, clause)
            elif column.type.nullable:
                self.sink.emit(
                    codes.BAD_TIME_COLUMN.at(
                        ident.span,
                        "may be null",
                        title=f"`{clause}` column `{ident.text}` is nullable",
                    )
                    .label(column.span, f"declared `{column.type}` here")
                    .help(
                        "remove the `?`; where some rows have no such time, declare another `time` "
                        "and re-time them in a stream: `stream s from ... time "
                        f"{ident.text} where {ident.text} is not null`"
                    )
                )
        return ident.text

    def bad_time(self, ident: ast.Ident, column: NamedValue, clause: str) -> None:
        """Report a time column of another type, with the way out for each."""
        match column.type.kind:
            case Kind.DATE:
                advice = (
                    'a date is a whole day: declare it `timestamp in "Zone/Name"` to take the '
                    "start of the day there, or add a column with the time"
                )
            case kind if kind in NUMERIC:
                advice = 'declare it `timestamp in "unix:s"` (or ms, us) if it counts from 1970'
            case Kind.STRING:
                advice = (
                    "declare it `timestamp`; texts such as `2026-01-01T10:00:00Z` are read as such"
                )
            case _:
                advice = "name a column that is a `timestamp`"
        self.sink.emit(
            codes.BAD_TIME_COLUMN.at(
                ident.span,
                f"`{ident.text}` is `{column.type}`",
                title=f"`{clause}` column `{ident.text}` is no timestamp",
            )
            .label(column.span, "declared here")
            .help(advice)
        )

    def knowledge(self) -> ir.Knowledge:
        """Check ``known`` and ``delay``: at most one of them."""
        tree = self.tree
        known = self.time_column(tree.known, "known")
        delay = self.duration(tree.delay, "delay", zero=True)
        if tree.known is not None and tree.delay is not None:
            self.misfit(
                tree.delay.span,
                "`delay` beside `known`",
                "keep one: `known` is exact, `delay` a bound that holds for every row",
            )
        if tree.ahead and tree.known is None:
            self.misfit(
                self.symbol.span, "`ahead` without `known`", "write `known published_at ahead`"
            )
        return ir.KnownColumn(known) if known else ir.Delay(delay or 0)

    def deleted(self) -> str:
        """Check ``revisions [deleted COLUMN]``; return the column."""
        tree, ident = self.tree, self.tree.deleted
        if tree.revisions and tree.table:
            self.misfit(
                self.symbol.span,
                "`revisions` belongs to sources",
                "remove it: the latest row of a table holds, so a correction is one more row",
            )
            return ""
        column = None if ident is None else self.named_column(ident, "`deleted`")
        if ident is None or column is None or column.type.is_error:
            return ""
        self.clauses["deleted"] = ident.span
        if column.type.kind is Kind.BOOL:
            return ident.text
        self.sink.emit(
            codes.BAD_COLUMN_CLAUSE.at(
                ident.span,
                f"`{ident.text}` is `{column.type}`",
                title=f"`deleted` column `{ident.text}` is no bool",
            )
            .label(column.span, "declared here")
            .help("name a `bool` that is true on the revision that takes the event back")
        )
        return ""

    def static(self) -> str:
        """Check ``static "why"``."""
        tree = self.tree
        if tree.static is None:
            return ""
        self.clauses["static"] = tree.static.span
        if not tree.table:
            self.misfit(
                tree.static.span,
                "`static` belongs to tables",
                "events have a time: name it with `time`",
            )
        elif tree.time is not None:
            self.misfit(tree.static.span, "`static` beside `time`", "keep one of them")
        elif not tree.static.value.strip():
            self.misfit(
                tree.static.span, "`static` gives no reason", "say why it may stand without a time"
            )
            return "?"
        return tree.static.value

    def duration(
        self, expr: ast.Expr | None, clause: str, *, zero: bool = False, own: bool = True
    ) -> int | None:
        """Check the duration of a clause; ``own`` clauses are of the source, others of a column."""
        if expr is None:
            return None
        if own:
            self.clauses[clause] = expr.span
        return positive_duration(
            expr,
            self.constants,
            f"the duration of `{clause}`",
            not_constant=codes.NOT_CONSTANT,
            not_duration=window_codes.NOT_A_DURATION,
            not_positive=window_codes.NEGATIVE_DURATION,
            zero=zero,
        )

    def misfit(self, span: Span, title: str, advice: str) -> None:
        """Report a clause that cannot stand there."""
        self.sink.emit(
            codes.BAD_COLUMN_CLAUSE.at(span, "does not fit here", title=title).help(advice)
        )

    def expects(self, schema: RowSchema) -> tuple[tuple[ir.Expr, ...], tuple[Origin, ...]]:
        """Check the ``expect`` lines over the columns."""
        ctx = Context(
            self.env,
            self.scope,
            self.sink,
            Place.EXPECT,
            columns=schema.columns,
            broken=schema.broken,
        )
        found = [
            value
            for line in self.tree.expects
            if not (value := check_condition(line.condition, ctx, "`expect`")).failed
        ]
        return tuple(value.expr for value in found), tuple(value.origin for value in found)

    def binding(self) -> Binding:
        """Check where the rows are."""
        location = self.tree.location
        if location is None:
            return Binding("", (), self.symbol.span)
        name = location.format.text
        if name and name not in FORMATS:
            found = codes.BAD_COLUMN_CLAUSE.at(
                location.format.span,
                "parquet, csv or jsonl is wanted",
                title=f"unknown file format `{name}`",
            )
            self.sink.emit(suggest(found, name, FORMATS, location.format.span))
            name = ""
        elif not location.patterns:
            self.misfit(
                location.span, "no files are named", 'name them: `parquet("data/*.parquet")`'
            )
        patterns = tuple(pattern.value for pattern in location.patterns)
        return Binding(name, patterns, location.span)


def _has_times(type_: Type) -> bool:
    return type_.kind is Kind.TIMESTAMP or (
        type_.kind in (Kind.LIST, Kind.MAP) and any(map(_has_times, type_.parts))
    )
