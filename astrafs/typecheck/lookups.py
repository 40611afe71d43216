"""Lookups: ``User[user_id].feature`` and ``fx_rates[currency].rate``, with ``within`` and
``offset``.
"""

from __future__ import annotations

from dataclasses import replace

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.codes import windows as window_codes
from astrafs.diagnostics.model import Edit, Sink
from astrafs.diagnostics.words import count
from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.record import dataclass
from astrafs.resolve.collect import suggest_within
from astrafs.resolve.expand import filled
from astrafs.resolve.lookup import resolve_name
from astrafs.resolve.symbols import Symbol, SymbolKind
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.calls import key_parts
from astrafs.typecheck.constants import positive_duration
from astrafs.typecheck.context import AT_ROW, Context, EntityInfo, Place, present
from astrafs.typecheck.convert import mismatch, widen
from astrafs.typecheck.names import pick_version
from astrafs.typecheck.retired import removed_feature
from astrafs.typecheck.rows import describe
from astrafs.typecheck.typed import Typed, failed, stored
from astrafs.typesys import Kind, Type

_ALLOWED = (Place.FEATURE, Place.VIEW, Place.TEST, *AT_ROW)


@dataclass(frozen=True, slots=True)
class Times:
    """What is written after a lookup: how old its value may be, and how long before the context it
    is read.
    """

    within: int | None = None
    offset: int = 0
    within_span: Span | None = None
    span: Span | None = None


NO_TIMES = Times()


def check_lookup(expr: ast.Member, ctx: Context, times: Times = NO_TIMES) -> Typed:
    """Check ``base[keys].field``."""
    index = expr.base
    assert isinstance(index, ast.Index)
    if not isinstance(index.base, ast.Name):
        return bare_index(index, ctx)
    kinds = (SymbolKind.ENTITY, SymbolKind.TABLE)
    symbol = _base(index.base.ident, kinds, ctx)
    keys = tuple(ctx.env.check(key, ctx) for key in index.keys)
    field = filled(expr.field, ctx.loops, ctx.sink)
    if symbol is None or field is None or not field.text:
        return failed(expr.span)
    if ctx.place not in _ALLOWED:
        _report_place(expr, ctx)
        return failed(expr.span)
    if symbol.kind is SymbolKind.TABLE:
        return _table(expr, index, symbol, field, keys, times, ctx)
    return _entity(expr, index, symbol, field, keys, times, ctx)


def _base(ident: ast.Ident, kinds: tuple[SymbolKind, ...], ctx: Context) -> Symbol | None:
    symbol = ctx.scope.find(ident.text)
    if symbol is not None and symbol.kind in (SymbolKind.SOURCE, SymbolKind.STREAM):
        ctx.sink.emit(
            name_codes.WRONG_KIND.at(
                ident.span,
                "has many rows per key",
                title=f"`{ident.text}` is a {symbol.kind}, and cannot be looked up",
            )
            .label(symbol.span, "declared here")
            .help("declare a feature over it and look that up: `Entity[key].feature`")
        )
        return None
    return resolve_name(ctx.scope, ident, kinds, ctx.env.symbols, ctx.sink)


def check_timed(expr: ast.LookupTime, ctx: Context) -> Typed:
    """Check ``lookup within D offset D``."""
    within = _duration(expr.within, "the age after `within`", ctx, zero=False)
    offset = _duration(expr.offset, "the `offset` of a lookup", ctx, zero=True)
    lookup = expr.lookup
    if not isinstance(lookup, ast.Member) or not isinstance(lookup.base, ast.Index):
        value = ctx.env.check(lookup, ctx)
        if not value.failed:
            ctx.sink.emit(
                codes.BAD_LOOKUP.at(
                    lookup.span,
                    "not a lookup",
                    title="`within` and `offset` follow a lookup or a window",
                ).help("a lookup is `table[key].column` or `Entity[key].feature`")
            )
        return failed(expr.span)
    lost = (expr.within is not None and within is None) or (
        expr.offset is not None and offset is None
    )
    parts = [part.span for part in (expr.within, expr.offset) if part is not None]
    span = parts[0].to(parts[-1]) if parts else None
    within_span = expr.within.span if expr.within is not None else None
    value = check_lookup(lookup, ctx, Times(within, offset or 0, within_span, span))
    return failed(expr.span) if lost else value


def bare_index(expr: ast.Index, ctx: Context) -> Typed:
    """Report ``base[keys]`` that names no column or feature."""
    found = codes.BAD_LOOKUP.at(
        expr.span, "no column or feature is named", title="a lookup names no value"
    )
    if isinstance(expr.base, ast.Name):
        shown = expr.base.ident.text
        base = ctx.env.check(expr.base, replace(ctx, sink=Sink()))
        if base.type.is_nested:
            found = codes.BAD_LOOKUP.at(
                expr.span,
                f"`{shown}` is `{base.type}`",
                title="brackets look up a feature or a column of a table",
            ).help(f"write `get({shown}, ...)`")
        else:
            found = found.help(f"name one: `{shown}[...].name`")
    ctx.sink.emit(found)
    return failed(expr.span)


def _duration(expr: ast.Expr | None, what: str, ctx: Context, *, zero: bool) -> int | None:
    if expr is None:
        return None
    return positive_duration(
        expr,
        ctx,
        what,
        not_constant=window_codes.LENGTH_NOT_CONSTANT,
        not_duration=window_codes.NOT_A_DURATION,
        not_positive=window_codes.NEGATIVE_DURATION,
        zero=zero,
    )


def _report_place(expr: ast.Member, ctx: Context) -> None:
    found = codes.BAD_LOOKUP.at(
        expr.span, "reads another row's history", title=f"a lookup cannot stand in {ctx.place}"
    )
    if ctx.place in (Place.AGGREGATE, Place.BLOCK_WHERE):
        found = found.help(
            "look it up in a column of a stream, where it is as of each row's own time, "
            "and use that column here"
        )
    ctx.sink.emit(found)


# --- tables ---------------------------------------------------------------------------------------


def _table(
    expr: ast.Member,
    index: ast.Index,
    symbol: Symbol,
    field: ast.Ident,
    keys: tuple[Typed, ...],
    times: Times,
    ctx: Context,
) -> Typed:
    schema = ctx.env.schemas.get(symbol.qualified)
    table = ctx.env.tables.get(symbol.qualified)
    if schema is None or table is None:
        return failed(expr.span)
    column = schema.columns.get(field.text)
    if column is None:
        if not schema.broken and not ctx.env.symbols.is_lost(field.text):
            found = name_codes.UNKNOWN_COLUMN.at(
                field.span,
                "not a column of the table",
                title=f"table `{symbol.name}` has no column `{field.text}`",
            ).label(symbol.span, "declared here")
            known, symbols = schema.columns, ctx.env.symbols
            ctx.sink.emit(suggest_within(found, field.text, lambda: known, field.span, symbols))
        return failed(expr.span)
    columns = [schema.columns.get(name) for name in table.key]
    if any(key.failed for key in keys) or column.type.is_error:
        return failed(expr.span)
    if any(key is None or key.type.is_error for key in columns):
        return failed(expr.span)
    if expr.version is not None:
        ctx.sink.emit(
            codes.BAD_LOOKUP.at(field.span, "a column", title="columns of tables have no versions")
        )
        return failed(expr.span)
    wanted = [key for key in columns if key is not None]
    if len(keys) != len(wanted):
        usage = ", ".join(table.key)
        ctx.sink.emit(
            codes.BAD_LOOKUP.at(
                index.span,
                f"{len(keys)} given",
                title=f"the key of `{symbol.name}` has {count(len(wanted), 'column')}",
            ).help(f"write `{symbol.name}[{usage}].{field.text}`")
        )
        return failed(expr.span)
    found_keys: list[Typed] = []
    for key, target in zip(keys, wanted, strict=True):
        if mismatch(key, target.type) is not None or key.is_composite:
            ctx.sink.emit(
                codes.BAD_LOOKUP.at(
                    key.span,
                    describe(key),
                    title=f"the key `{target.name}` of `{symbol.name}` is `{target.type}`, "
                    f"not `{key.type}`",
                )
                .label(target.span, "declared here")
                .help(_key_advice(key, target.type.kind, str(target.type.required())))
            )
            return failed(expr.span)
        found_keys.append(widen(key, target.type, ctx.sink))
    type_ = column.type.optional()
    node = ir.TableLookup(
        symbol.qualified,
        tuple(key.expr for key in found_keys),
        field.text,
        times.offset,
        min((age for age in (times.within, table.max_age) if age is not None), default=None),
        stored(type_),
    )
    return _finish(node, expr, found_keys, times, type_, ctx)


def _called(name: str, value: Typed) -> tuple[Edit, Edit]:
    """Put ``value`` into a call of ``name``."""
    return Edit.before(value.span, f"{name}("), Edit.after(value.span, ")")


def _key_advice(key: Typed, wanted: Kind, name: str) -> str:
    if wanted is Kind.KEY:
        return f"make a key of it: `{name}(...)`"
    if key.type.kind is Kind.KEY:
        return f"take the key's value: `{name}(...)`"
    return f"convert it: `{name}(...)`"


def _finish(
    node: ir.Expr, expr: ast.Member, keys: list[Typed], times: Times, type_: Type, ctx: Context
) -> Typed:
    leaf = present(node, ctx.facts)
    return Typed(
        leaf,
        type_.with_null(leaf.type.nullable),
        Origin(expr.span, tuple(key.origin for key in keys), times.span),
        depth=1 + max((key.depth for key in keys), default=0),
        size=1 + sum(key.size for key in keys),
    )


# --- features of entities -------------------------------------------------------------------------


def _entity(
    expr: ast.Member,
    index: ast.Index,
    symbol: Symbol,
    field: ast.Ident,
    keys: tuple[Typed, ...],
    times: Times,
    ctx: Context,
) -> Typed:
    info = ctx.env.entities.get(symbol.qualified)
    if info is None:
        return failed(expr.span)
    if times.within_span is not None:
        ctx.sink.emit(
            codes.BAD_LOOKUP.at(
                times.within_span,
                "a feature has no age",
                title="`within` goes with a lookup in a table",
            ).help("bound the age in the feature's own window: `over last 1 within 2h`")
        )
        return failed(expr.span)
    versions = ctx.env.symbols.features.get(info.name, {})
    if field.text not in versions:
        named = Span(field.span.path, field.span.start, expr.span.end)
        gone = removed_feature(info.name, field.text, expr.version, named, ctx.env)
        if gone is None:
            _report_feature(field, info, ctx)
        else:
            ctx.sink.emit(gone)
        return failed(expr.span)
    named = Span(field.span.path, field.span.start, expr.span.end)
    feature = pick_version(field.text, info.name, expr.version, named, ctx)
    if feature is None or any(key.failed for key in keys):
        return failed(expr.span)
    parts = _entity_keys(index, info, keys, ctx)
    type_ = ctx.env.feature_types[feature.id]
    if parts is None or type_.is_error:
        return failed(expr.span)
    node = ir.EntityLookup(
        info.name,
        tuple(part.expr for part in parts),
        feature.id,
        times.offset,
        stored(type_),
    )
    return _finish(node, expr, parts, times, type_, ctx)


def _report_feature(field: ast.Ident, info: EntityInfo, ctx: Context) -> None:
    symbols = ctx.env.symbols
    if symbols.is_lost(field.text):
        return
    found = name_codes.UNKNOWN_FEATURE.at(
        field.span,
        "not declared for this entity",
        title=f"`{info.symbol.name}` has no feature `{field.text}`",
    )
    versions = symbols.features.get(info.name, {})
    others = sorted(
        entity.rsplit(".", 1)[-1]
        for entity, names in ctx.env.symbols.features.items()
        if field.text in names
    )
    if others:
        ctx.sink.emit(found.help(f"`{others[0]}` has a feature of this name"))
        return
    known = {name: next(iter(of_name.values())) for name, of_name in versions.items()}
    ctx.sink.emit(suggest_within(found, field.text, lambda: known, field.span, symbols))


def _entity_keys(
    index: ast.Index, info: EntityInfo, keys: tuple[Typed, ...], ctx: Context
) -> list[Typed] | None:
    """Return one value per key column: from a key of the entity, or from its parts where it has
    several.
    """
    name = info.symbol.name
    if len(keys) == 1 and keys[0].type.kind is Kind.KEY and keys[0].type.entity == info.name:
        key = keys[0]
        if not key.is_composite:
            return [key]
        return [Typed(part, part.type, origin) for part, origin in key.parts]
    if len(info.keys) == 1 and len(keys) == 1 and not keys[0].is_literal:
        found = codes.BAD_LOOKUP.at(
            keys[0].span,
            describe(keys[0]),
            title=f"`{name}[...]` wants a key of `{name}`, not `{keys[0].type}`",
        )
        if mismatch(keys[0], info.keys[0].type) is None:
            ctx.sink.emit(
                found.help(
                    f"if it is one, say so: `{name}[{name}(...)]`, or declare it `{name}`"
                ).fix(f"make a key of it with `{name}(...)`", *_called(name, keys[0]), safe=False)
            )
        else:
            ctx.sink.emit(found.label(info.symbol.span, f"its key is `{info.keys[0].type}`"))
        return None
    parts = key_parts(keys, info, index.span, ctx)
    return None if parts is None else list(parts)
