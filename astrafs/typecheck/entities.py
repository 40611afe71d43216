"""Entities and requests: their key columns, as types and as names."""

from __future__ import annotations

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.model import Edit, Sink
from astrafs.plan import ir
from astrafs.resolve.symbols import Symbol, SymbolKind
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.context import EntityInfo, Environment, NamedValue, named, named_key
from astrafs.typecheck.declared import declared_type
from astrafs.typecheck.order import entity_order
from astrafs.typesys import Kind, Type

_KEY_KINDS = (Kind.INT, Kind.STRING, Kind.BOOL, Kind.DATE, Kind.TIMESTAMP, Kind.ENUM, Kind.BYTES)


def declare_entities(env: Environment) -> None:
    """Fill ``env.entities``: entities first, each after those that its key refers to, then
    requests.
    """
    order, broken = entity_order(env)
    for symbol in order:
        _declare_entity(symbol, env)
    for scope in env.symbols.modules.values():
        for symbol in scope.own.values():
            if symbol.qualified in broken:
                error = Type(Kind.ERROR)
                env.entities[symbol.qualified] = EntityInfo(symbol, (), {}, error, False)


def declare_requests(env: Environment) -> None:
    """Add the requests, whose fields may be keys of any entity."""
    for scope in env.symbols.modules.values():
        for symbol in scope.own.values():
            if symbol.kind is SymbolKind.REQUEST:
                _declare_request(symbol, env)


def _duplicate(ident: ast.Ident, seen: dict[str, Span], owner: str, sink: Sink) -> bool:
    first = seen.setdefault(ident.text.casefold(), ident.span)
    if first is ident.span:
        return False
    sink.emit(
        name_codes.DUPLICATE_NAME.at(
            ident.span,
            "declared again here",
            title=f"`{ident.text}` is declared twice in `{owner}`",
        )
        .label(first, "first declared here")
        .help("rename one of them")
    )
    return True


def _declare_entity(symbol: Symbol, env: Environment) -> None:
    tree = symbol.declaration
    assert isinstance(tree, ast.EntityDecl)
    scope = env.symbols.modules[symbol.module]
    fields: list[ir.Field] = []
    names: dict[str, NamedValue] = {}
    seen: dict[str, Span] = {}
    for part in tree.fields:
        if not part.name.text or _duplicate(part.name, seen, symbol.name, env.sink):
            continue
        type_ = _key_type(part, declared_type(part.type, scope, env, env.sink), env.sink)
        fields.append(ir.Field(part.name.text, type_))
        names[part.name.text] = named(part.name.text, type_, part.name.span)
    key = Type(Kind.KEY, entity=symbol.qualified, parts=tuple(field.type for field in fields))
    if any(field.type.is_error for field in fields):
        key = Type(Kind.ERROR)
    env.entities[symbol.qualified] = EntityInfo(symbol, tuple(fields), names, key, False)


def _key_type(part: ast.KeyField, type_: Type, sink: Sink) -> Type:
    if type_.is_error:
        return type_
    if type_.nullable:
        sink.emit(
            codes.BAD_KEY_COLUMN.at(
                part.type.span,
                "a key is never null",
                title=f"key column `{part.name.text}` is nullable",
            )
            .help("remove the `?`: rows with a null key belong to no entity")
            .fix("remove the `?`", Edit(part.type.span, str(type_.required())), safe=False)
        )
        return Type(Kind.ERROR)
    nested = (
        type_.kind is Kind.KEY and len(type_.parts) == 1 and type_.parts[0].kind is not Kind.KEY
    )
    if (type_.kind in _KEY_KINDS and not type_.unit) or nested:
        return type_
    sink.emit(
        codes.BAD_KEY_COLUMN.at(
            part.type.span,
            "a key is an int, string, bool, date, timestamp, enum or bytes",
            title=f"key column `{part.name.text}` cannot be `{type_}`",
        )
    )
    return Type(Kind.ERROR)


def _declare_request(symbol: Symbol, env: Environment) -> None:
    tree = symbol.declaration
    assert isinstance(tree, ast.RequestDecl)
    scope = env.symbols.modules[symbol.module]
    fields: list[ir.Field] = []
    names: dict[str, NamedValue] = {}
    seen: dict[str, Span] = {}
    for part in tree.fields:
        if not part.name.text or _duplicate(part.name, seen, symbol.name, env.sink):
            continue
        type_ = declared_type(part.type, scope, env, env.sink)
        value = request_field(part.name.text, type_, part.name.span, env)
        names[part.name.text] = value
        if len(value.parts) == 1:
            fields.append(ir.Field(part.name.text, type_))
        else:
            fields.extend(value.parts)
    key = Type(Kind.KEY, entity=symbol.qualified, parts=tuple(field.type for field in fields))
    env.entities[symbol.qualified] = EntityInfo(symbol, tuple(fields), names, key, True)


def request_field(name: str, type_: Type, span: Span, env: Environment) -> NamedValue:
    """Return the name of a request field or computed column: one plan column per part of a key."""
    if type_.kind is not Kind.KEY:
        return named(name, type_, span)
    info = env.entities.get(type_.entity)
    return named_key(name, type_, info.keys if info is not None else (), span)
