"""Unions: the rows of several sources and streams as one set of rows, with what they share."""

from __future__ import annotations

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import unions as codes
from astrafs.plan import ir
from astrafs.resolve.lookup import resolve_name
from astrafs.resolve.symbols import ROWS, ModuleScope, Symbol, SymbolKind
from astrafs.syntax import ast
from astrafs.typecheck.context import Environment, NamedValue, RowSchema
from astrafs.typecheck.facts import Facts
from astrafs.typecheck.typed import stored
from astrafs.typesys import Type

MAX_MEMBERS = 200
"""Ways down to a source that a union may have, through all unions below it."""


def member_schema(ident: ast.Ident, scope: ModuleScope, env: Environment) -> RowSchema | None:
    """Return the rows that a stream is made of; reports what has none."""
    return event_schema(
        ident,
        scope,
        env,
        "a stream has events",
        "declare the file as a `source` as well, with its own name",
    )


def event_schema(
    ident: ast.Ident, scope: ModuleScope, env: Environment, wanted: str, advice: str
) -> RowSchema | None:
    """Return the rows of events that ``ident`` names; ``wanted`` and ``advice`` are for those who
    name a table, which has none.
    """
    found = scope.find(ident.text)
    if found is not None and found.kind is SymbolKind.TABLE:
        env.sink.emit(
            name_codes.WRONG_KIND.at(
                ident.span,
                "a table has states, not events",
                title=f"`{ident.text}` is a table, and {wanted}",
            )
            .label(found.span, "declared here")
            .help(advice)
        )
        return None
    symbol = resolve_name(scope, ident, ROWS, env.symbols, env.sink)
    return None if symbol is None else env.schemas.get(symbol.qualified)


def check_union(
    symbol: Symbol, members: tuple[ast.Ident, ...], env: Environment
) -> tuple[RowSchema, ir.Union] | None:
    """Check the union that the stream ``symbol`` is from; None after reporting what is wrong."""
    scope = env.symbols.modules[symbol.module]
    schemas: list[RowSchema] = []
    sound = True
    seen: dict[str, ast.Ident] = {}
    for ident in members:
        first = seen.setdefault(ident.text, ident)
        if first is not ident:
            sound = False
            env.sink.emit(
                name_codes.DUPLICATE_NAME.at(
                    ident.span, "named again here", title=f"`{ident.text}` stands twice in a union"
                )
                .label(first.span, "first named here")
                .help("every row of it would count twice: name it once")
            )
            continue
        schema = member_schema(ident, scope, env)
        if schema is None:
            sound = False
        else:
            schemas.append(schema)
    if not sound or not schemas:
        return None
    places = sum(schema.places for schema in schemas)
    if places > MAX_MEMBERS:
        env.sink.emit(
            name_codes.TOO_LARGE.at(
                symbol.span,
                f"{places:,} ways down to a source",
                title=f"a union has at most {MAX_MEMBERS} members, with those of its members",
            ).help("unite fewer streams, or bind one source to all their files")
        )
        return None
    shared, lacking = _shared(schemas)
    broken = any(schema.broken for schema in schemas)
    if not _one_type(shared, schemas, seen, env):
        return None
    if not broken and not _one_key(schemas, seen, env):
        return None
    columns = {name: _united(name, schemas) for name in shared}
    schema = RowSchema(
        symbol,
        columns,
        _facts(columns, schemas),
        broken,
        schemas[0].key,
        {**lacking, **{name: lack for one in schemas for name, lack in one.lacking.items()}},
        places,
        f"{symbol.qualified}:union",
    )
    fields = tuple(
        ir.Field(part.name, column.type if len(column.parts) == 1 else part.type)
        for column in columns.values()
        for part in column.parts
        if not column.type.is_error
    )
    return schema, ir.Union(schema.name, tuple(one.name for one in schemas), fields, schema.key)


def _shared(schemas: list[RowSchema]) -> tuple[list[str], dict[str, str]]:
    """Return the columns that all have, and for every other one a member that lacks it."""
    names = dict.fromkeys(name for schema in schemas for name in schema.columns)
    lacking: dict[str, str] = {}
    shared: list[str] = []
    for name in names:
        without = [schema.symbol.name for schema in schemas if name not in schema.columns]
        if without:
            lacking[name] = without[0]
        else:
            shared.append(name)
    return shared, lacking


def _one_type(
    shared: list[str], schemas: list[RowSchema], idents: dict[str, ast.Ident], env: Environment
) -> bool:
    sound = True
    for name in shared:
        first = schemas[0].columns[name]
        for schema, ident in zip(schemas[1:], list(idents.values())[1:], strict=True):
            other = schema.columns[name]
            if first.type.is_error or other.type.is_error:
                continue
            if first.type.with_null(False) != other.type.with_null(False):
                sound = False
                env.sink.emit(
                    codes.UNION_TYPES.at(
                        ident.span,
                        f"`{name}` is `{other.type}` here",
                        title=f"column `{name}` has two types in the union",
                    )
                    .label(first.span, f"`{first.type}` in `{schemas[0].symbol.name}`")
                    .label(other.span, f"`{other.type}` in `{schema.symbol.name}`")
                    .help(
                        "declare them alike, or unite streams that give the column one name and "
                        "type: `stream x from y { amount_usd: float [usd] = ... }`"
                    )
                )
                break
    return sound


def _one_key(schemas: list[RowSchema], idents: dict[str, ast.Ident], env: Environment) -> bool:
    first = schemas[0]
    for schema, ident in zip(schemas[1:], list(idents.values())[1:], strict=True):
        if schema.key != first.key:
            env.sink.emit(
                codes.UNION_KEYS.at(
                    ident.span,
                    f"its key is `{', '.join(schema.key)}`",
                    title="the members of a union have different keys",
                )
                .label(
                    idents[first.symbol.name].span
                    if first.symbol.name in idents
                    else next(iter(idents.values())).span,
                    f"its key is `{', '.join(first.key)}`",
                )
                .help("rows of equal time are ordered by their key: give it the same columns")
            )
            return False
    return True


def _united(name: str, schemas: list[RowSchema]) -> NamedValue:
    """Return the column of the union: nullable where it is in any member."""
    values = [schema.columns[name] for schema in schemas]
    first = values[0]
    if any(value.type.is_error for value in values):
        return NamedValue(name, _error_of(values), first.span, first.parts)
    nullable = any(value.type.nullable for value in values)
    parts = tuple(
        ir.Field(part.name, stored(part.type).with_null(part.type.nullable or nullable))
        for part in first.parts
    )
    return NamedValue(name, first.type.with_null(nullable), first.span, parts)


def _error_of(values: list[NamedValue]) -> Type:
    return next(value.type for value in values if value.type.is_error)


def _facts(columns: dict[str, NamedValue], schemas: list[RowSchema]) -> Facts:
    """Return the nullable columns that are known to be present in the rows of every member."""
    found: list[ir.Expr] = []
    for name, column in columns.items():
        for place, part in enumerate(column.parts):
            if part.type.nullable and all(
                _is_present(schema.columns[name].parts[place], schema.facts) for schema in schemas
            ):
                found.append(ir.Column(part.name, part.type))
    return frozenset(found)


def _is_present(part: ir.Field, facts: Facts) -> bool:
    return not part.type.nullable or ir.Column(part.name, part.type) in facts
