"""Streams: rows of a source or stream, selected, re-timed and extended by computed columns."""

from __future__ import annotations

from dataclasses import replace

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.model import Sink
from astrafs.plan import ir
from astrafs.plan.graph import subexpressions
from astrafs.plan.program import StreamOrigin
from astrafs.plan.tree import Origin
from astrafs.resolve.collect import suggest
from astrafs.resolve.symbols import Symbol, SymbolKind
from astrafs.syntax import ast
from astrafs.typecheck import facts
from astrafs.typecheck.context import Context, Environment, NamedValue, Place, RowSchema
from astrafs.typecheck.convert import assign
from astrafs.typecheck.declared import declared_type
from astrafs.typecheck.entities import request_field
from astrafs.typecheck.expressions import check_condition
from astrafs.typecheck.order import names_in, ordered, path_text, peek
from astrafs.typecheck.typed import Typed, failed
from astrafs.typecheck.unions import check_union, member_schema
from astrafs.typesys import Kind, Type


def stream_order(env: Environment) -> list[Symbol]:
    """Return all streams, each after the streams that it is based on; reports circles."""
    symbols = {
        symbol.qualified: symbol
        for scope in env.symbols.modules.values()
        for symbol in scope.own.values()
        if symbol.kind is SymbolKind.STREAM
    }
    graph = {name: _bases(symbol, env) for name, symbol in symbols.items()}

    def report(cycle: tuple[str, ...]) -> None:
        first = symbols[cycle[0]]
        path = path_text([symbols[name].name for name in cycle])
        env.sink.emit(
            name_codes.REFERENCE_CYCLE.at(
                first.span, f"reads {path}", title=f"stream `{first.name}` is based on itself"
            ).help("base one of the streams on a source")
        )

    order, _ = ordered(graph, report)
    return [symbols[name] for name in order]


def _bases(symbol: Symbol, env: Environment) -> list[str]:
    tree = symbol.declaration
    assert isinstance(tree, ast.StreamDecl)
    scope = env.symbols.modules[symbol.module]
    named = tree.union if tree.base is None else (tree.base,)
    found = (peek(scope, ident.text) for ident in named)
    return [base.qualified for base in found if base and base.kind is SymbolKind.STREAM]


def declare_stream(
    symbol: Symbol, env: Environment
) -> tuple[ir.Stream, StreamOrigin, ir.Union | None] | None:
    """Check one stream whose bases are done, with the union that it is from; fills
    ``env.schemas``.
    """
    return _StreamChecker(symbol, env).declare()


class _StreamChecker:
    """Checks one stream: computed columns first, then what may use them."""

    def __init__(self, symbol: Symbol, env: Environment) -> None:
        tree = symbol.declaration
        assert isinstance(tree, ast.StreamDecl)
        self.symbol = symbol
        self.tree = tree
        self.env = env
        self.scope = env.symbols.modules[symbol.module]
        self.union: ir.Union | None = None

    def declare(self) -> tuple[ir.Stream, StreamOrigin, ir.Union | None] | None:
        """Check the stream; None where there is no base to put into a plan."""
        base = self.base()
        if base is not None and self.tree.time is not None:
            base = replace(base, facts=facts.timeless(base.facts))  # they were of the old time
        columns = dict(base.columns) if base is not None else {}
        computed = self.computed(columns, base)
        if base is None:
            broken = {tree.name.text: self.declared(tree) for tree in computed}
            self.env.schemas[self.symbol.qualified] = RowSchema(self.symbol, broken, broken=True)
            return None
        types = {tree.name.text: self.declared(tree) for tree in computed}
        where, known = self.where(base, computed, types)
        ctx = self.context(base, Place.STREAM, self.env.sink).knowing(known)
        values = self.values(computed, types, ctx)
        time = self.time(base, values, types, ctx)
        stream_columns: list[ir.ComputedColumn] = []
        origins: dict[str, Origin] = {}
        for tree in computed:
            name = tree.name.text
            value, target = values[name], types[name]
            for part, (expr, place) in zip(target.parts, _parts(value), strict=False):
                type_ = target.type if len(target.parts) == 1 else part.type
                stream_columns.append(ir.ComputedColumn(part.name, expr, type_))
                origins[part.name] = place
        self.publish(base, computed, types, values, known)
        stream = ir.Stream(
            self.symbol.qualified,
            base.name,
            None if where is None or where.failed else where.expr,
            None if time is None else time.expr,
            tuple(sorted(stream_columns, key=lambda column: column.name)),
        )
        origin = StreamOrigin(
            self.symbol.span,
            self.tree.span,
            None if where is None or where.failed else where.origin,
            None if time is None else time.origin,
            origins,
            self.symbol.module,
        )
        return stream, origin, self.union

    def base(self) -> RowSchema | None:
        """Return the rows that the stream is based on."""
        tree = self.tree
        if tree.union:
            found = check_union(self.symbol, tree.union, self.env)
            if found is None:
                return None
            schema, self.union = found
            return schema
        if tree.base is None:
            return None
        return member_schema(tree.base, self.scope, self.env)

    def computed(
        self, columns: dict[str, NamedValue], base: RowSchema | None
    ) -> list[ast.ComputedDecl]:
        """Return the computed columns whose names are free."""
        folded = {name.casefold(): value.span for name, value in columns.items()}
        found: list[ast.ComputedDecl] = []
        for tree in self.tree.columns:
            name = tree.name.text
            if not name:
                continue
            first = folded.setdefault(name.casefold(), tree.name.span)
            if first is tree.name.span:
                found.append(tree)
                continue
            inherited = base is not None and name in base.columns
            self.env.sink.emit(
                name_codes.DUPLICATE_NAME.at(
                    tree.name.span,
                    "declared again here",
                    title=f"column `{name}` is declared twice",
                )
                .label(first, "a column of the base" if inherited else "first declared here")
                .help("rename it; a stream keeps all columns of its base")
            )
        return found

    def declared(self, tree: ast.ComputedDecl) -> NamedValue:
        """Return a computed column by its declared type."""
        type_ = declared_type(tree.type, self.scope, self.env, self.env.sink)
        return request_field(tree.name.text, type_, tree.name.span, self.env)

    def context(self, base: RowSchema, place: Place, sink: Sink) -> Context:
        """Return the context of expressions over the base's columns."""
        return Context(
            self.env,
            self.scope,
            sink,
            place,
            columns=base.columns,
            facts=base.facts,
            broken=base.broken,
            lacking=base.lacking,
        )

    def where(
        self, base: RowSchema, computed: list[ast.ComputedDecl], types: dict[str, NamedValue]
    ) -> tuple[Typed | None, facts.Facts]:
        """Check ``where``; computed columns are put in place, without what it shows itself."""
        if self.tree.where is None:
            return None, facts.NOTHING
        ctx = self.context(base, Place.STREAM_WHERE, Sink())
        inlined = self.values(computed, types, ctx, lenient=True)
        columns = {**base.columns, **_inline(types, inlined)}
        ctx = replace(ctx, columns=columns, sink=self.env.sink)
        value = check_condition(self.tree.where, ctx, "`where`")
        known = facts.NOTHING if value.failed else facts.when_true(value.expr)
        return value, known

    def values(
        self,
        computed: list[ast.ComputedDecl],
        types: dict[str, NamedValue],
        ctx: Context,
        *,
        lenient: bool = False,
    ) -> dict[str, Typed]:
        """Check the computed columns, each after those that it names, which are put in place.

        ``lenient`` values keep a null that the stream's ``where`` may yet exclude.
        """
        values: dict[str, Typed] = {}
        columns = dict(ctx.columns)
        for tree in _ordered(computed, self.symbol, ctx.sink):
            name = tree.name.text
            value = self.env.check(tree.value, replace(ctx, columns=columns), types[name].type)
            target = types[name].type
            if lenient and value.type.nullable:
                target = target.optional()
            value = assign(value, target, tree.type, f"column `{name}`", ctx.sink)
            values[name] = value
            columns.update(_inline({name: types[name]}, {name: value}))
        for tree in computed:
            values.setdefault(tree.name.text, failed(tree.value.span))
        return values

    def time(
        self,
        base: RowSchema,
        values: dict[str, Typed],
        types: dict[str, NamedValue],
        ctx: Context,
    ) -> Typed | None:
        """Check ``time COLUMN``: a timestamp, not null after ``where``, without lookups."""
        ident = self.tree.time
        if ident is None or not ident.text:
            return None
        columns = {**base.columns, **_inline(types, values)}
        column = columns.get(ident.text)
        if column is None:
            if not base.broken:
                found = name_codes.UNKNOWN_COLUMN.at(
                    ident.span,
                    "not a column of this stream",
                    title=f"`time` names an unknown column `{ident.text}`",
                )
                if ident.text in base.lacking:
                    found = found.note(
                        "a union has the columns of all its members: "
                        f"`{base.lacking[ident.text]}` has no `{ident.text}`"
                    )
                self.env.sink.emit(suggest(found, ident.text, columns, ident.span))
            return None
        value = column.read(ident.span, False, ctx.facts)
        if value.failed:
            return None
        if value.type.kind is not Kind.TIMESTAMP:
            self.env.sink.emit(
                codes.BAD_TIME_COLUMN.at(
                    ident.span,
                    f"`{ident.text}` is `{value.type}`",
                    title=f"`time` column `{ident.text}` is no timestamp",
                ).label(column.span, "declared here")
            )
            return None
        if value.type.nullable:
            self.env.sink.emit(
                codes.BAD_TIME_COLUMN.at(
                    ident.span, "may be null", title=f"`time` column `{ident.text}` is nullable"
                )
                .label(column.span, f"declared `{column.type}` here")
                .help(f"leave those rows out: `where {ident.text} is not null`")
            )
            return None
        if any(
            isinstance(part, ir.EntityLookup | ir.TableLookup | ir.EvaluationTime)
            for part in subexpressions(value.expr)
        ):
            self.env.sink.emit(
                codes.BAD_TIME_COLUMN.at(
                    ident.span,
                    "depends on a lookup or on `t`",
                    title=f"`time` column `{ident.text}` is looked up",
                ).help("a lookup is made at the row's time, so it cannot give that time")
            )
            return None
        return value

    def publish(
        self,
        base: RowSchema,
        computed: list[ast.ComputedDecl],
        types: dict[str, NamedValue],
        values: dict[str, Typed],
        known: facts.Facts,
    ) -> None:
        """Record the columns that rows of the stream have, and what is known of them."""
        columns = dict(base.columns)
        found = base.facts | known
        for tree in computed:
            name = tree.name.text
            target = types[name]
            columns[name] = target
            if values[name].failed:
                columns[name] = replace(target, type=Type(Kind.ERROR))
                continue
            for part, (expr, _) in zip(target.parts, _parts(values[name]), strict=False):
                leaf = ir.Column(part.name, part.type)
                if part.type.nullable and (not expr.type.nullable or expr in known):
                    found |= {leaf}
        self.env.schemas[self.symbol.qualified] = replace(
            base, symbol=self.symbol, columns=columns, facts=found, plan_name=""
        )


def _parts(value: Typed) -> tuple[tuple[ir.Expr, Origin], ...]:
    return value.parts or ((value.expr, value.origin),)


def _inline(types: dict[str, NamedValue], values: dict[str, Typed]) -> dict[str, NamedValue]:
    return {name: replace(types[name], inline=value) for name, value in values.items()}


def _ordered(
    computed: list[ast.ComputedDecl], stream: Symbol, sink: Sink
) -> list[ast.ComputedDecl]:
    """Return computed columns, each after those that it names; reports and drops circles."""
    trees = {tree.name.text: tree for tree in computed}
    needs = {
        name: [other for other in names_in(tree.value) if other in trees]
        for name, tree in trees.items()
    }

    def report(cycle: tuple[str, ...]) -> None:
        sink.emit(
            name_codes.REFERENCE_CYCLE.at(
                trees[cycle[0]].name.span,
                f"made of {path_text(list(cycle))}",
                title=f"column `{cycle[0]}` of `{stream.name}` is made of itself",
            ).help("take one of these references out of the circle")
        )

    order, broken = ordered(needs, report)
    return [trees[name] for name in order if name not in broken]
