"""Resolving a bare name in an expression: loop variables, columns, keys, features, ``t``,
constants.
"""

from __future__ import annotations

import re

from astrafs.diagnostics.codes import names as codes
from astrafs.diagnostics.codes import types as type_codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.resolve.collect import suggest_within
from astrafs.resolve.expand import filled
from astrafs.resolve.symbols import FeatureSymbol, Symbol, SymbolKind, with_article
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck import constants
from astrafs.typecheck.context import AT_ROW, Context, Place, present
from astrafs.typecheck.retired import expired, is_expired, removed, removed_feature
from astrafs.typecheck.typed import Typed, failed, stored
from astrafs.typesys import TIMESTAMP

EVALUATION_TIME = "t"
_OF_ENTITY = (Place.FEATURE, Place.VIEW)


def check_name(expr: ast.Name, ctx: Context) -> Typed:
    """Return what a bare name means in ``ctx``; reports a name that means nothing there."""
    if expr.ident.text in ctx.loops and expr.version is None:
        return ctx.env.check(ctx.loops[expr.ident.text], ctx).at(expr.span)
    ident = filled(expr.ident, ctx.loops, ctx.sink)
    if ident is None or not ident.text:
        return failed(expr.span)
    name = ident.text
    if expr.version is None:
        if name in ctx.params:
            return ctx.params[name].at(expr.span)
        if name in ctx.columns:
            return ctx.columns[name].read(expr.span, False, ctx.facts)
        if ctx.entity is not None and name in ctx.entity.names:
            return ctx.entity.names[name].read(expr.span, True, ctx.facts)
    if ctx.entity is not None and ctx.place in _OF_ENTITY:
        found = _feature(name, expr, ctx)
        if found is not None:
            return found
    if expr.version is None and name == EVALUATION_TIME and _has_time(ctx):
        return _time(expr.span, ctx)
    symbol = ctx.scope.find(name)
    if symbol is not None and symbol.kind is SymbolKind.CONST and expr.version is None:
        return constants.constant(symbol, expr.span, ctx)
    _report(expr, name, symbol, ctx)
    return failed(expr.span)


def _has_time(ctx: Context) -> bool:
    return ctx.place is Place.FEATURE or ctx.place in AT_ROW or ctx.place is Place.AGGREGATE


def _time(span: Span, ctx: Context) -> Typed:
    if ctx.place is Place.AGGREGATE:
        ctx.sink.emit(
            type_codes.NOT_A_VALUE.at(
                span,
                "an aggregate reads rows, and a row does not know when it is asked about",
                title="`t` cannot stand inside an aggregate",
            ).help("use the row's own time column, or use `t` outside: `t - max(at) over 7d`")
        )
        return failed(span)
    return Typed(ir.EvaluationTime(TIMESTAMP), TIMESTAMP, Origin(span))


def _feature(name: str, expr: ast.Name, ctx: Context) -> Typed | None:
    """A feature of the same entity, if this module declares it or imports it."""
    assert ctx.entity is not None
    entity = ctx.entity.name
    versions = ctx.env.symbols.features.get(entity, {}).get(name)
    if versions is None:
        return None
    if not _visible(name, entity, ctx):
        return None
    symbol = pick_version(name, entity, expr.version, expr.span, ctx)
    if symbol is None:
        return failed(expr.span)
    return reference(symbol, expr.span, ctx)


def _visible(name: str, entity: str, ctx: Context) -> bool:
    if entity in ctx.scope.feature_names.get(name, ()):
        return True
    imported = ctx.scope.imports.get(name)
    if imported is None or not imported.features:
        return False
    imported.used = True
    return True


def reference(symbol: FeatureSymbol, span: Span, ctx: Context) -> Typed:
    """Return a reference to another feature of the entity at hand."""
    type_ = ctx.env.feature_types[symbol.id]
    if type_.is_error:
        return failed(span)
    expr = present(ir.FeatureRef(symbol.id, stored(type_)), ctx.facts)
    return Typed(expr, type_.with_null(expr.type.nullable), Origin(span))


def pick_version(
    name: str, entity: str, version: int | None, span: Span, ctx: Context
) -> FeatureSymbol | None:
    """Return the version of an existing feature that a reference means; warns about a deprecated
    one. ``span`` is the name with its version.
    """
    versions = ctx.env.symbols.features[entity][name]
    latest = ctx.env.symbols.latest
    symbol = latest(entity, name) if version is None else versions.get(version)
    if symbol is None and version is not None:
        gone = removed(ir.FeatureId(entity, name, version), span, ctx.env)
        if gone is not None:
            ctx.sink.emit(gone)
            return None
    if symbol is None:
        known = ", ".join(f"`{name}@{number}`" for number in sorted(versions))
        right, written = f"@{max(versions)}", f"@{version}"
        edit = Edit(Span(span.path, span.end - len(written), span.end), right)
        ctx.sink.emit(
            codes.UNKNOWN_VERSION.at(
                span, f"there is no version {version}", title=f"unknown version `{name}@{version}`"
            )
            .label(next(iter(versions.values())).span, "declared here")
            .help(f"there is {known}")
            .fix(f"write `{name}{right}`", edit, safe=False)
        )
        return None
    if is_expired(symbol, ctx.env):
        found = expired(symbol, span, ctx.env).label(symbol.span, "deprecated here")
        ctx.sink.emit(_instead(found, symbol, span if version is None else None, ctx))
        return symbol
    user = ctx.feature
    own = user is not None and (user.deprecated or (user.id.entity, user.id.name) == (entity, name))
    if symbol.deprecated and not own:
        shown = (
            name
            if symbol.id.version == 1 and len(versions) == 1
            else str(symbol.id).rsplit(".", 1)[-1]
        )
        ctx.sink.emit(
            _instead(
                codes.DEPRECATED.at(
                    span, symbol.deprecated, title=f"`{shown}` is deprecated"
                ).label(symbol.span, "deprecated here"),
                symbol,
                span if version is None else None,
                ctx,
            )
        )
    return symbol


def _instead(
    found: Diagnostic, symbol: FeatureSymbol, span: Span | None, ctx: Context
) -> Diagnostic:
    """Add the fix that the text of ``@deprecated`` names, if that is one feature of the entity."""
    features = ctx.env.symbols.features[symbol.id.entity]
    words = re.findall(r"[a-z][a-z0-9_]*", symbol.deprecated or "")
    named = {word for word in words if word in features and word != symbol.id.name}
    if span is None or len(named) != 1:
        return found
    right = named.pop()
    return found.fix(f"read `{right}`", Edit(span, right), safe=False)


def _report(expr: ast.Name, name: str, symbol: Symbol | None, ctx: Context) -> None:
    if ctx.broken or ctx.scope.is_broken(name) or ctx.env.symbols.is_lost(name):
        return
    rows = ctx.rows
    if rows is not None and rows.schema.broken and ctx.place is Place.FEATURE and symbol is None:
        return
    if rows is not None and ctx.place is Place.FEATURE and name in rows.schema.columns:
        _report_bare_column(name, expr.span, ctx)
        return
    if symbol is not None:
        ctx.sink.emit(
            codes.WRONG_KIND.at(
                expr.span,
                f"{with_article(symbol.kind)} is no value",
                title=f"`{name}` is {with_article(symbol.kind)}, not a value",
            )
            .label(symbol.span, "declared here")
            .help(_use_of(symbol))
        )
        return
    found = codes.UNKNOWN_NAME.at(
        expr.span, f"not known in {ctx.place}", title=f"unknown name `{name}`"
    )
    if ctx.entity is not None and ctx.place in _OF_ENTITY:
        gone = removed_feature(ctx.entity.name, name, expr.version, expr.span, ctx.env)
        if gone is not None:
            ctx.sink.emit(gone)
            return
    lacking = ctx.lacking.get(name)
    if lacking is not None:
        ctx.sink.emit(
            found.note(f"a union has the columns of all its members: `{lacking}` has no `{name}`")
        )
        return
    advice = _advice(name, ctx)
    if advice:
        ctx.sink.emit(found.help(advice))
        return
    span = expr.ident.span
    ctx.sink.emit(suggest_within(found, name, lambda: _known_names(ctx), span, ctx.env.symbols))


def _report_bare_column(name: str, span: Span, ctx: Context) -> None:
    assert ctx.rows is not None
    if ctx.rows.schema.columns[name].type.is_error:
        return
    rows = ctx.rows.schema.symbol
    ctx.sink.emit(
        type_codes.BARE_COLUMN.at(
            span,
            "one value per row, and a feature has one per entity",
            title=f"column `{name}` of `{rows.name}` is used without an aggregate",
        )
        .label(ctx.rows.schema.columns[name].span, "declared here")
        .help(f"say which rows it comes from: `last({name}) over all` is the latest value")
        .fix("take the latest value", Edit(span, f"last({name}) over all"), safe=False)
    )


def _use_of(symbol: Symbol) -> str:
    match symbol.kind:
        case SymbolKind.TABLE:
            return f"look a value up: `{symbol.name}[key].column`"
        case SymbolKind.ENTITY:
            return f"make a key with `{symbol.name}(...)`, or look up: `{symbol.name}[key].feature`"
        case SymbolKind.FN:
            return f"call it: `{symbol.name}(...)`"
        case SymbolKind.WINDOW:
            return f"write it after `over`: `count() over {symbol.name}`"
        case SymbolKind.SOURCE | SymbolKind.STREAM:
            return f"aggregate it in a block `features for ... from {symbol.name}`"
        case _:
            return "use a column, feature or constant"


def _advice(name: str, ctx: Context) -> str:
    """Say where a feature of that name is to be had, if there is one."""
    if ctx.place is Place.AGGREGATE and ctx.entity is None:
        for entity, names in sorted(ctx.env.symbols.features.items()):
            if name in names and ctx.rows is not None:
                short = entity.rsplit(".", 1)[-1]
                return (
                    f"`{name}` is a feature of `{short}`; to aggregate it, look it up in a column "
                    f"of a stream: `x: ... = {short}[key].{name}`"
                )
        return ""
    if ctx.entity is None:
        return ""
    if ctx.place in _OF_ENTITY:
        versions = ctx.env.symbols.features.get(ctx.entity.name, {}).get(name)
        if versions:
            module = next(iter(versions.values())).module
            return f"it is a feature in module `{module}`: `use {module}.{{{name}}}`"
        for entity, names in sorted(ctx.env.symbols.features.items()):
            if name in names:
                short = entity.rsplit(".", 1)[-1]
                return f"it is a feature of `{short}`: `{short}[key].{name}`"
    return ""


def _known_names(ctx: Context) -> dict[str, object]:
    """Return what has a name here, the nearest last."""
    found: dict[str, object] = dict.fromkeys(ctx.scope.visible((SymbolKind.CONST,)))
    if ctx.rows is not None:
        found |= ctx.rows.schema.columns
    if ctx.entity is not None:
        if ctx.place in _OF_ENTITY:
            found |= {name: use for name, use in ctx.scope.imports.items() if use.features}
            latest, entity = ctx.env.symbols.latest, ctx.entity.name
            for name, owners in ctx.scope.feature_names.items():
                if entity in owners:
                    found[name] = latest(entity, name)
        found |= ctx.entity.names
    return {**found, **ctx.columns, **dict.fromkeys((*ctx.params, *ctx.loops))}
