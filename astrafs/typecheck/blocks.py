"""``features`` blocks: the rows that their aggregates read, and how those rows belong to the
entity.
"""

from __future__ import annotations

from dataclasses import replace

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.words import LONGEST_LIST, count
from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.resolve.collect import suggest
from astrafs.resolve.symbols import ModuleScope
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck import facts
from astrafs.typecheck.context import (
    Context,
    EntityInfo,
    Environment,
    NamedValue,
    Place,
    Rows,
    RowSchema,
)
from astrafs.typecheck.expressions import check_condition
from astrafs.typecheck.requests import request_block
from astrafs.typecheck.typed import stored
from astrafs.typecheck.unions import event_schema
from astrafs.typesys import Kind

Keys = tuple[tuple[ir.Expr, ...], tuple[Origin, ...]]


def block_rows(
    tree: ast.FeaturesDecl, entity: EntityInfo, scope: ModuleScope, env: Environment
) -> tuple[Rows | None, bool]:
    """Return the rows of a block (None where it names none), and whether its head is sound."""
    if tree.rows is None:
        return None, _check_without_rows(tree, env)
    schema = _schema(tree.rows, scope, env)
    if schema is None and not entity.request:
        # What the features say is still looked at, but for the columns that they name.
        nothing = RowSchema(entity.symbol, {}, broken=True)
        return Rows(nothing, (), (), None, facts.NOTHING, failed=True), False
    if schema is None:
        return None, False
    match: tuple[str, ...] | None = ()
    if entity.request:
        match = request_block(tree, entity, schema, env)
        keys = None if match is None else _read_by(tree, schema)
    else:
        keys = row_keys(tree, entity, schema, env)
    sound = keys is not None
    if keys is None:
        keys = (), ()
    rows = Rows(schema, keys[0], keys[1], None, schema.facts, not sound, match or ())
    if tree.where is None:
        return rows, sound
    ctx = Context(
        env,
        scope,
        env.sink,
        Place.BLOCK_WHERE,
        columns=schema.columns,
        rows=rows,
        facts=schema.facts,
        broken=schema.broken,
        lacking=schema.lacking,
    )
    where = check_condition(tree.where, ctx, "`where`")
    if where.failed:
        return replace(rows, failed=True), False
    known = schema.facts | facts.when_true(where.expr)
    keys_known = _present_keys(keys[0], known)
    return replace(rows, where=where, facts=known, keys=keys_known), sound


def _present_keys(keys: tuple[ir.Expr, ...], known: facts.Facts) -> tuple[ir.Expr, ...]:
    return tuple(
        replace(key, type=key.type.required()) if key.type.nullable and key in known else key
        for key in keys
    )


def _check_without_rows(tree: ast.FeaturesDecl, env: Environment) -> bool:
    for part, clause in ((tree.where, "where"), (tree.by[0] if tree.by else None, "by")):
        if part is not None:
            env.sink.emit(
                codes.NO_ROWS.at(
                    part.span,
                    "the block names no rows",
                    title=f"`{clause}` without rows",
                ).help("name a source or stream with `from`, or remove it")
            )
            return False
    return True


def _schema(ident: ast.Ident, scope: ModuleScope, env: Environment) -> RowSchema | None:
    advice = f"look a value up with `{ident.text}[key].column`, or declare a `source`"
    return event_schema(ident, scope, env, "windows go over events", advice)


# --- which entity a row belongs to ----------------------------------------------------------------


def row_keys(
    tree: ast.FeaturesDecl,
    entity: EntityInfo,
    schema: RowSchema,
    env: Environment,
    word: str = "from",
) -> Keys | None:
    """Return the key of a row: the columns of ``by``, the one column of the type, or those of equal
    names. ``word`` is the clause that names the rows.
    """
    if entity.type.is_error:
        return None
    if tree.by:
        return _keys_by(tree, entity, schema, env)
    assert tree.rows is not None
    span = tree.rows.span
    if not entity.keys:
        return (), ()
    typed = [
        column
        for column in schema.columns.values()
        if column.type.kind is Kind.KEY and column.type.entity == entity.name
    ]
    if len(typed) == 1:
        return _read(typed, span, schema)
    if len(typed) > 1:
        names = ", ".join(f"`{column.name}`" for column in typed)
        found = name_codes.AMBIGUOUS_ENTITY_KEY.at(
            span,
            f"{names} are all keys of `{entity.symbol.name}`",
            title=f"`{schema.symbol.name}` has several keys of `{entity.symbol.name}`",
        )
        for column in typed[:LONGEST_LIST]:
            found = found.label(column.span, "one of them")
        env.sink.emit(
            found.help(f"say which one: `{word} {schema.symbol.name} by {typed[0].name}`")
        )
        return None
    named = [schema.columns.get(key.name) for key in entity.keys]
    if all(
        column is not None and stored(column.type).plain() == stored(key.type).plain()
        for column, key in zip(named, entity.keys, strict=True)
    ):
        return _read([column for column in named if column is not None], span, schema)
    suspicious = any(
        column.type.is_error and (column.name in entity.names or len(entity.keys) == 1)
        for column in schema.columns.values()
    )
    damaged = env.symbols.modules[schema.symbol.module].lost is not None
    if not schema.broken and not suspicious and not damaged:
        _report_no_key(entity, schema, span, env, word)
    return None


def _report_no_key(
    entity: EntityInfo, schema: RowSchema, span: Span, env: Environment, word: str
) -> None:
    name = entity.symbol.name
    found = name_codes.NO_ENTITY_KEY.at(
        span,
        f"no column is a key of `{name}`",
        title=f"rows of `{schema.symbol.name}` belong to no `{name}`",
    ).label(entity.symbol.span, f"its key is `{_key_text(entity)}`")
    for key in entity.keys:
        column = schema.columns.get(key.name)
        if column is not None:
            found = found.label(column.span, f"`{column.type}`, not `{key.type}`")
    if len(entity.keys) == 1:
        found = found.help(
            f"give the column that holds it the type `{name}`, or name it: "
            f"`{word} {schema.symbol.name} by COLUMN`"
        )
    else:
        wanted = ", ".join(key.name for key in entity.keys)
        found = found.help(
            f"name one column per part ({wanted}): `{word} {schema.symbol.name} by ...`"
        )
    env.sink.emit(found)


def _key_text(entity: EntityInfo) -> str:
    return "{ " + ", ".join(f"{key.name}: {key.type}" for key in entity.keys) + " }"


def _keys_by(
    tree: ast.FeaturesDecl, entity: EntityInfo, schema: RowSchema, env: Environment
) -> Keys | None:
    columns: list[NamedValue] = []
    sound = True
    for ident in tree.by:
        column = schema.columns.get(ident.text)
        if column is None:
            sound = False
            if not schema.broken and ident.text:
                found = name_codes.UNKNOWN_COLUMN.at(
                    ident.span,
                    f"not a column of `{schema.symbol.name}`",
                    title=f"`by` names an unknown column `{ident.text}`",
                ).label(schema.symbol.span, "declared here")
                if ident.text in schema.lacking:
                    found = found.note(
                        "a union has the columns of all its members: "
                        f"`{schema.lacking[ident.text]}` has no `{ident.text}`"
                    )
                env.sink.emit(suggest(found, ident.text, schema.columns, ident.span))
        elif column.type.is_error:
            sound = False
        else:
            columns.append(column)
    if not sound:
        return None
    span = tree.by[0].span.to(tree.by[-1].span)
    if (
        len(columns) == 1
        and columns[0].type.kind is Kind.KEY
        and columns[0].type.entity == entity.name
    ):
        return _read(columns, span, schema)
    if len(columns) != len(entity.keys):
        env.sink.emit(
            name_codes.NO_ENTITY_KEY.at(
                span,
                f"{len(columns)} given",
                title=f"a key of `{entity.symbol.name}` has {count(len(entity.keys), 'part')}",
            ).label(entity.symbol.span, f"its key is `{_key_text(entity)}`")
        )
        return None
    for ident, column, key in zip(tree.by, columns, entity.keys, strict=True):
        if len(column.parts) != 1 or column.type.plain() != key.type.plain():
            env.sink.emit(
                name_codes.NO_ENTITY_KEY.at(
                    ident.span,
                    f"`{column.name}` is `{column.type}`",
                    title=f"key column `{key.name}` of `{entity.symbol.name}` is `{key.type}`, "
                    f"not `{column.type}`",
                ).label(column.span, "declared here")
            )
            return None
    return _read(columns, span, schema)


def _read_by(tree: ast.FeaturesDecl, schema: RowSchema) -> Keys:
    """Return the columns of ``by``, which were found in order."""
    span = tree.by[0].span.to(tree.by[-1].span)
    return _read([schema.columns[ident.text] for ident in tree.by], span, schema)


def _read(columns: list[NamedValue], span: Span, schema: RowSchema) -> Keys:
    exprs: list[ir.Expr] = []
    for column in columns:
        value = column.read(span, False, schema.facts)
        exprs.extend(expr for expr, _ in value.parts or ((value.expr, value.origin),))
    return tuple(exprs), tuple(Origin(span) for _ in exprs)
