"""Declared types and units: from what is written to :class:`Type`."""

from __future__ import annotations

from astrafs.builtins.rules import multiply_units
from astrafs.builtins.scalars.vectors import MAX_LENGTH
from astrafs.diagnostics.codes import types as codes
from astrafs.diagnostics.model import Sink
from astrafs.resolve.collect import suggest
from astrafs.resolve.lookup import resolve_name
from astrafs.resolve.symbols import ENTITIES, ModuleScope, SymbolKind, with_article
from astrafs.syntax import ast
from astrafs.typecheck.context import Environment
from astrafs.typecheck.foreign import TYPES, called_here
from astrafs.typesys import ERROR, PLAIN, Kind, Type, Unit, list_of, map_of, vector_of

MAX_PRECISION = 38
_PLAIN = {
    kind.value: Type(kind)
    for kind in (
        Kind.INT,
        Kind.FLOAT,
        Kind.BOOL,
        Kind.STRING,
        Kind.BYTES,
        Kind.TIMESTAMP,
        Kind.DATE,
        Kind.DURATION,
    )
}
MAX_ENUM_VALUES = 1_000
_BRACKETED = ("decimal", "enum", "list", "map", "vector")


def declared_type(tree: ast.TypeExpr, scope: ModuleScope, env: Environment, sink: Sink) -> Type:
    """Return the type that ``tree`` names; reports what is wrong with it and returns the ERROR
    type.
    """
    found = _base_type(tree, scope, env, sink)
    if found.is_error:
        return found
    if tree.unit is not None:
        if not found.is_numeric:
            sink.emit(
                codes.BAD_TYPE.at(
                    tree.unit.span, "only numbers have a unit", title=f"`{found}` takes no unit"
                ).help("remove the unit, or make the type a number")
            )
            return ERROR
        unit = declared_unit(tree.unit, scope, env, sink)
        if unit is None:
            return ERROR
        found = Type(found.kind, False, found.precision, found.scale, unit=unit)
    return found.with_null(tree.nullable)


def declared_unit(
    tree: ast.UnitExpr, scope: ModuleScope, env: Environment, sink: Sink
) -> Unit | None:
    """Return the unit that ``tree`` names, or None after reporting an undeclared one."""
    unit: Unit = ()
    sound = True
    for ident, power in tree.factors:
        symbol = resolve_name(scope, ident, (SymbolKind.UNIT,), env.symbols, sink)
        sound = sound and symbol is not None
        unit = multiply_units(unit, ((ident.text, power),))
    return unit if sound else None


def _base_type(tree: ast.TypeExpr, scope: ModuleScope, env: Environment, sink: Sink) -> Type:
    name = tree.name.text
    if not name or name == ast.BAD_TYPE:
        return ERROR
    if name in _PLAIN:
        if tree.sizes or tree.values or tree.parts:
            sink.emit(
                codes.BAD_TYPE.at(
                    tree.span, "takes nothing in brackets", title=f"`{name}` has no size"
                )
            )
            return ERROR
        return _PLAIN[name]
    if name == "decimal":
        return _decimal(tree, sink)
    if name == "enum":
        return _enum(tree, sink)
    match name, tree.parts:
        case "list", (element,):
            return _list(element, scope, env, sink)
        case "map", (key, value):
            return _map(key, value, scope, env, sink)
        case "vector", ():
            return _vector(tree, sink)
        case (("list" | "map"), _):
            sink.emit(
                codes.BAD_TYPE.at(
                    tree.span, "of what?", title=f"a {name} needs the type of its elements"
                ).help(f"write `{_SHAPES[name]}`")
            )
            return ERROR
        case _:
            return _key(tree, scope, env, sink)


_SHAPES = {"list": "list[int]", "map": "map[string, int]", "vector": "vector[128]"}


def _list(element: ast.TypeExpr, scope: ModuleScope, env: Environment, sink: Sink) -> Type:
    found = _element(element, scope, env, sink)
    return found if found.is_error else list_of(found)


def _element(tree: ast.TypeExpr, scope: ModuleScope, env: Environment, sink: Sink) -> Type:
    found = declared_type(tree, scope, env, sink)
    if found.kind is Kind.KEY and len(found.parts) != 1:
        sink.emit(
            codes.BAD_TYPE.at(
                tree.span,
                f"a key of {len(found.parts)} parts",
                title="elements are keys of one part",
            ).help("keep the parts of the key in lists of their own")
        )
        return ERROR
    return found


def _map(
    key: ast.TypeExpr, value: ast.TypeExpr, scope: ModuleScope, env: Environment, sink: Sink
) -> Type:
    keys, values = _element(key, scope, env, sink), _element(value, scope, env, sink)
    if keys.is_error or values.is_error:
        return ERROR
    if keys.nullable or keys.kind not in PLAIN:
        what = "a key is never null" if keys.nullable else "its keys are plain values"
        sink.emit(
            codes.BAD_TYPE.at(key.span, what, title=f"a map has no keys of type `{keys}`").help(
                "remove the `?`" if keys.nullable else "use a string, a number, a time or a key"
            )
        )
        return ERROR
    return map_of(keys, values)


def _vector(tree: ast.TypeExpr, sink: Sink) -> Type:
    if len(tree.sizes) != 1 or not 1 <= tree.sizes[0] <= MAX_LENGTH:
        sink.emit(
            codes.BAD_TYPE.at(
                tree.span, "how many numbers?", title=f"a vector has 1 to {MAX_LENGTH:,} numbers"
            ).help(f"write `{_SHAPES['vector']}`: 128 float32 numbers")
        )
        return ERROR
    return vector_of(tree.sizes[0])


def _decimal(tree: ast.TypeExpr, sink: Sink) -> Type:
    if len(tree.sizes) != 2:
        sink.emit(
            codes.BAD_TYPE.at(
                tree.span, "precision and scale are wanted", title="a decimal needs its digits"
            ).help("write `decimal(12, 2)`: 12 digits, 2 of them after the point")
        )
        return ERROR
    precision, scale = tree.sizes
    if not (1 <= precision <= MAX_PRECISION and 0 <= scale <= precision):
        sink.emit(
            codes.BAD_TYPE.at(
                tree.span,
                f"{precision} digits, {scale} of them after the point",
                title="no decimal has these digits",
            ).help(f"use 1 to {MAX_PRECISION} digits, and at most as many after the point")
        )
        return ERROR
    return Type(Kind.DECIMAL, precision=precision, scale=scale)


def _enum(tree: ast.TypeExpr, sink: Sink) -> Type:
    if not tree.values:
        sink.emit(
            codes.BAD_TYPE.at(tree.span, "no value", title="an enum needs its values").help(
                'list them: `enum("a", "b")`'
            )
        )
        return ERROR
    if len(tree.values) > MAX_ENUM_VALUES:
        sink.emit(
            codes.BAD_TYPE.at(
                tree.span,
                f"{len(tree.values):,} are listed",
                title=f"an enum has at most {MAX_ENUM_VALUES:,} values",
            ).help("declare a `string`")
        )
        return ERROR
    repeated = next((v for n, v in enumerate(tree.values) if v in tree.values[:n]), None)
    if repeated is not None:
        sink.emit(
            codes.BAD_TYPE.at(
                tree.span, f'"{repeated}" stands here twice', title="an enum lists a value twice"
            ).help("remove one of them")
        )
        return ERROR
    return Type(Kind.ENUM, values=tree.values)


def _key(tree: ast.TypeExpr, scope: ModuleScope, env: Environment, sink: Sink) -> Type:
    name = tree.name.text
    if scope.is_broken(name):
        return ERROR
    symbol = scope.find(name)
    if symbol is None:
        found = codes.UNKNOWN_TYPE.at(
            tree.name.span,
            "neither a type nor an entity of this file",
            title=f"unknown type `{name}`",
        )
        elsewhere = sorted(
            other.name
            for other in env.symbols.modules.values()
            if name in other.own and other.own[name].kind is SymbolKind.ENTITY
        )
        renamed = called_here(found, name, tree.name.span, (*_PLAIN, *_BRACKETED), TYPES)
        if elsewhere:
            sink.emit(found.help(f"import it: `use {elsewhere[0]}.{{{name}}}`"))
        elif renamed is not None:
            sink.emit(renamed)
        else:
            known = (*_PLAIN, *_BRACKETED, *scope.visible((SymbolKind.ENTITY,)))
            sink.emit(suggest(found, name, known, tree.name.span))
        return ERROR
    if symbol.kind not in ENTITIES or symbol.kind is SymbolKind.REQUEST:
        sink.emit(
            codes.UNKNOWN_TYPE.at(
                tree.name.span,
                "a type or an entity is wanted",
                title=f"`{name}` is {with_article(symbol.kind)}, not a type",
            ).label(symbol.span, "declared here")
        )
        return ERROR
    if tree.sizes or tree.values or tree.parts:
        sink.emit(
            codes.BAD_TYPE.at(tree.span, "takes nothing in brackets", title=f"`{name}` has no size")
        )
        return ERROR
    info = env.entities.get(symbol.qualified)
    return ERROR if info is None else info.type
