"""Requests that are rows about to happen: ``request R as ROWS``, and their windows over those rows.

The request's fields are read as the columns of that name, and its time as that of the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import windows as codes
from astrafs.plan import ir
from astrafs.plan.tree import Origin, children
from astrafs.resolve.collect import suggest
from astrafs.resolve.lookup import resolve_name
from astrafs.resolve.symbols import SymbolKind
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.context import (
    Context,
    EntityInfo,
    Environment,
    NamedValue,
    Rows,
    RowSchema,
)

MAX_NAMED = 4


def declare_request_rows(env: Environment) -> None:
    """Check ``as ROWS`` of every request, now that the columns of sources are known."""
    for info in list(env.entities.values()):
        tree = info.symbol.declaration
        if not isinstance(tree, ast.RequestDecl) or tree.rows is None:
            continue
        scope = env.symbols.modules[info.symbol.module]
        symbol = resolve_name(scope, tree.rows, (SymbolKind.SOURCE,), env.symbols, env.sink)
        schema = None if symbol is None else env.schemas.get(symbol.qualified)
        if schema is not None:
            _check_fields(info, schema, env)
            env.entities[info.name] = replace(info, rows=schema.name)


def _check_fields(info: EntityInfo, schema: RowSchema, env: Environment) -> None:
    """A field is the column of its name: of one type, and never null where that is not."""
    source = schema.symbol
    for name, value in info.names.items():
        column = schema.columns.get(name)
        if column is None:
            if not schema.broken:
                found = codes.REQUEST_FIELD.at(
                    value.span,
                    f"not a column of `{source.name}`",
                    title=f"field `{name}` of `{info.symbol.name}` is no column of `{source.name}`",
                ).label(source.span, f"`{info.symbol.name}` is a row of it")
                env.sink.emit(suggest(found, name, schema.columns, value.span))
        elif value.type.is_error or column.type.is_error:
            continue
        elif name in _times(schema.symbol.declaration):
            env.sink.emit(
                codes.REQUEST_FIELD.at(
                    value.span,
                    "gives a row its time",
                    title=f"field `{name}` of `{info.symbol.name}` would be the request's time",
                )
                .label(column.span, "declared here")
                .help("remove it: a request happens at `t`")
            )
        elif value.type not in (column.type, column.type.required()):
            env.sink.emit(
                codes.REQUEST_FIELD.at(
                    value.span,
                    f"this is `{value.type}`",
                    title=f"field `{name}` of `{info.symbol.name}` is `{value.type}`, and the "
                    f"column of `{source.name}` is `{column.type}`",
                )
                .label(column.span, f"declared `{column.type}` here")
                .help(f"declare it `{column.type}`")
            )


def _times(declaration: object) -> tuple[str, ...]:
    """Return the columns of a source that are `t` in a request."""
    if not isinstance(declaration, ast.SourceDecl):
        return ()
    found = (declaration.time, declaration.known)
    return tuple(ident.text for ident in found if ident is not None)


def request_block(
    tree: ast.FeaturesDecl, entity: EntityInfo, schema: RowSchema, env: Environment
) -> tuple[str, ...] | None:
    """Check the head of ``features for REQUEST from ROWS by COLUMNS``; return the fields that the
    columns must equal, or None after reporting what is wrong.
    """
    assert tree.rows is not None
    name, request = entity.symbol.name, entity.symbol.declaration
    rows = tree.rows
    if not entity.rows:
        if isinstance(request, ast.RequestDecl) and request.rows is not None:
            return None  # its own rows are not sound, which was reported
        env.sink.emit(
            codes.REQUEST_IS_NO_ROW.at(
                rows.span,
                "no rows are like the request",
                title=f"`{name}` has no rows to go over",
            )
            .label(entity.symbol.span, f"not declared `as {rows.text}`")
            .help(
                f"declare it as a row of them, `request {name} as {rows.text}`; or aggregate in a "
                "block of an entity, and look the feature up by its key"
            )
        )
        return None
    if _source_of(schema.name, env) != entity.rows:
        assert isinstance(request, ast.RequestDecl)
        assert request.rows is not None
        env.sink.emit(
            codes.REQUEST_IS_NO_ROW.at(
                rows.span,
                f"not rows of `{request.rows.text}`",
                title=f"a `{name}` is a row of `{request.rows.text}`, not of `{rows.text}`",
            )
            .label(request.rows.span, "said here")
            .help("aggregate other rows in a block of an entity, and look the feature up")
        )
        return None
    if not tree.by:
        shared = [field for field in entity.names if field in schema.columns]
        advice = f" by {shared[0]}" if shared else " by COLUMN"
        env.sink.emit(
            name_codes.NO_ENTITY_KEY.at(
                rows.span,
                "which of them?",
                title=f"no columns say which rows of `{rows.text}` belong to a `{name}`",
            ).help(f"name the fields that must be equal: `from {rows.text}{advice}`")
        )
        return None
    return _matched(tree, entity, schema, env)


def _matched(
    tree: ast.FeaturesDecl, entity: EntityInfo, schema: RowSchema, env: Environment
) -> tuple[str, ...] | None:
    found: list[str] = []
    for ident in tree.by:
        column, field = schema.columns.get(ident.text), entity.names.get(ident.text)
        if column is None:
            if not schema.broken and ident.text:
                problem = name_codes.UNKNOWN_COLUMN.at(
                    ident.span,
                    f"not a column of `{schema.symbol.name}`",
                    title=f"`by` names an unknown column `{ident.text}`",
                )
                env.sink.emit(suggest(problem, ident.text, entity.names, ident.span))
            return None
        if field is None:
            env.sink.emit(
                codes.REQUEST_LACKS_COLUMN.at(
                    ident.span,
                    f"no field of `{entity.symbol.name}`",
                    title=f"`by` names `{ident.text}`, which `{entity.symbol.name}` lacks",
                )
                .label(entity.symbol.span, f"its fields are {_fields(entity)}")
                .label(column.span, "the column")
                .help(f"add the field: `{ident.text}: {column.type}`")
            )
            return None
        if column.type.is_error or field.type.is_error:
            return None
        found += [part.name for part in field.parts]
    return tuple(found)


def _fields(entity: EntityInfo) -> str:
    names = [f"`{name}`" for name in entity.names]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _source_of(rows: str, env: Environment) -> str:
    while rows in env.streams:
        rows = env.streams[rows][0].base
    return rows


def check_including(tree: ast.WindowExpr, window: ir.Window | None, ctx: Context) -> bool:
    """Whether ``including request`` may stand after ``window``; reports why it may not."""
    assert ctx.entity is not None
    if ctx.rows is None or not ctx.rows.match:
        found = codes.NO_REQUEST_HERE.at(
            tree.span,
            "no request here",
            title=f"a feature of `{ctx.entity.symbol.name}` is asked for without a request",
        ).label(ctx.entity.symbol.span, "declared here")
        ctx.sink.emit(
            found.help(
                "write the feature in a block of the request: "
                "`features for Checkout from payments by user_id`"
            )
        )
        return False
    if window is None:
        return False
    if isinstance(window, ir.RangeWindow) and window.near == 0 and window.every is None:
        return not window.near_closed or _report_outside(tree.span, ctx)
    return _report_outside(tree.span, ctx)


def _report_outside(span: Span, ctx: Context) -> bool:
    ctx.sink.emit(
        codes.REQUEST_OUTSIDE_WINDOW.at(span, "ends before the request, or holds it already").help(
            "include the request in a window that ends at `t`, such as `over 7d including request`"
        )
    )
    return False


def check_request_columns(
    expr: ir.Aggregate, origin: Origin, entity: EntityInfo, rows: Rows, ctx: Context
) -> bool:
    """Whether the request has every column that ``expr`` reads of it; reports one that it lacks."""
    env = ctx.env
    parts = {part.name for value in entity.names.values() for part in value.parts}
    parts |= set(_times(env.schemas[entity.rows].symbol.declaration))
    request = len(expr.keys)
    read = zip(children(expr)[:-request], origin.children[:-request], strict=True)
    wanted = [found for part, place in read for found in _columns(part, place)]
    through: dict[str, str] = {}
    name = rows.schema.name
    while name in env.streams:
        stream, written = env.streams[name]
        if stream.time is not None:
            ctx.sink.emit(
                codes.REQUEST_LACKS_COLUMN.at(
                    origin.span,
                    "includes the request",
                    title=f"`{rows.schema.symbol.name}` moves its rows in time, so the request is "
                    "none of them",
                )
                .label(written.name, "with a `time` of its own")
                .help("go over rows that keep their time, or leave out `including request`")
            )
            return False
        computed = {column.name: column for column in stream.columns}
        below: list[tuple[str, Span]] = []
        for column, span in wanted:
            if column not in computed:
                below.append((column, span))
                continue
            place = written.columns.get(column, Origin(span))
            for needed, _ in _columns(computed[column].expression, place):
                through.setdefault(needed, f"`{column}` is made of it")
                below.append((needed, span))
        if stream.where is not None and written.where is not None:
            for needed, _ in _columns(stream.where, written.where):
                through.setdefault(needed, f"the `where` of `{name.rsplit('.', 1)[-1]}` reads it")
                below.append((needed, origin.span))
        wanted, name = below, stream.base
    for column, span in wanted:
        if column not in parts:
            _report_lacking(column, span, through.get(column, ""), entity, ctx)
            return False
    return True


def _report_lacking(column: str, span: Span, why: str, entity: EntityInfo, ctx: Context) -> None:
    declared: NamedValue | None = ctx.env.schemas[entity.rows].columns.get(column.split(".")[0])
    request = entity.symbol.name
    found = codes.REQUEST_LACKS_COLUMN.at(
        span, why or f"no field of `{request}`", title=f"`{request}` has no `{column}` to include"
    ).label(entity.symbol.span, f"its fields are {_fields(entity)}")
    advice = "leave out `including request`"
    if declared is not None:
        found = found.label(declared.span, "the column")
        advice = f"add the field `{column}: {declared.type}` to the request, or {advice}"
    ctx.sink.emit(found.help(advice))


def _columns(expr: ir.Expr, origin: Origin) -> Iterator[tuple[str, Span]]:
    if isinstance(expr, ir.Column):
        yield expr.name, origin.span
    parts = children(expr)
    places = origin.children if len(origin.children) == len(parts) else (origin,) * len(parts)
    for part, place in zip(parts, places, strict=True):
        yield from _columns(part, place)
