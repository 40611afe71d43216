"""Plans as canonical JSON, out and in: every node round-trips exactly.

An object lists the fields of its node in declared order and leaves out those that hold their
default. Expressions, windows and knowledge rules name their class under ``node``. Literals that
JSON would blur are tagged: ``{"float": "0.1"}`` (the shortest text that reads back to the same
bits), ``{"decimal": "1.50"}``, ``{"bytes": "00ff"}``, and ``{"int": "..."}`` beyond 2^53. Simple
types are words (``"int?"``), others objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.tree import children
from astrafs.typesys import Kind, Type

_SAFE_INT = 2**53 - 1
_EXPRESSIONS: dict[str, type[Any]] = {
    "literal": ir.Literal,
    "column": ir.Column,
    "key_part": ir.KeyPart,
    "evaluation_time": ir.EvaluationTime,
    "feature": ir.FeatureRef,
    "call": ir.Call,
    "entity_lookup": ir.EntityLookup,
    "table_lookup": ir.TableLookup,
    "aggregate": ir.Aggregate,
}
_WINDOWS: dict[str, type[Any]] = {
    "range": ir.RangeWindow,
    "last": ir.LastWindow,
    "calendar": ir.CalendarWindow,
    "since": ir.SinceWindow,
    "session": ir.SessionWindow,
}
_KNOWLEDGE: dict[str, type[Any]] = {"known_column": ir.KnownColumn, "delay": ir.Delay}
_WORD = {
    **{made: name for name, made in _EXPRESSIONS.items()},
    **{made: name for name, made in _WINDOWS.items()},
    **{made: name for name, made in _KNOWLEDGE.items()},
}
_EXPRESSION_CLASSES = frozenset(_EXPRESSIONS.values())
_RECORDS: dict[str, type[Any]] = {
    made.__name__: made
    for made in (
        ir.Field,
        ir.Entity,
        ir.SourceColumn,
        ir.Source,
        ir.ComputedColumn,
        ir.Stream,
        ir.Feature,
        ir.Output,
        ir.View,
        ir.Union,
        ir.Label,
        ir.Dataset,
    )
}
_PLAIN_TYPES = frozenset(
    kind
    for kind in Kind
    if kind not in (Kind.DECIMAL, Kind.ENUM, Kind.KEY, Kind.LIST, Kind.MAP, Kind.VECTOR)
)


def dumps(plan: ir.Plan, indent: int | None = 2) -> str:
    """Return ``plan`` as canonical JSON text, ending with a newline.

    Raises :class:`PlanError` where an expression is nested too deeply for JSON readers.
    """
    try:
        return json.dumps(_record(plan, {}), indent=indent, ensure_ascii=False) + "\n"
    except RecursionError:
        raise PlanError("an expression is nested too deeply to be written as JSON") from None


def loads(text: str) -> ir.Plan:
    """Read a plan back from :func:`dumps` text; raises :class:`PlanError` for anything else."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PlanError(f"not JSON: {error}") from None
    except RecursionError:
        raise PlanError("nested too deeply") from None
    if not isinstance(data, dict):
        raise PlanError("plan: expected an object")
    version = data.get("schema_version")
    if version != ir.SCHEMA_VERSION:
        raise PlanError(f"plan: schema version {version!r}; this version reads {ir.SCHEMA_VERSION}")
    try:
        plan = _build(ir.Plan, data, "plan", {})
    except RecursionError:
        raise PlanError("nested too deeply") from None
    if not isinstance(plan, ir.Plan):
        raise PlanError("plan: expected an object")
    return plan


def expression_data(expr: ir.Expr) -> dict[str, Any]:
    """Return an expression as it stands in the text of :func:`dumps`: what JSON can hold."""
    return _expression(expr)


def expression_of(data: Any) -> ir.Expr:
    """Read :func:`expression_data` back; raises :class:`PlanError` for anything else."""
    found: ir.Expr = _read_expression(data, "expression")
    return found


# --- out ---------------------------------------------------------------------------------------


_Done = dict[int, Any]
"""Finished sub-expressions by ``id``: expressions nest too deep to recurse into."""


def _record(node: Any, done: _Done) -> dict[str, Any]:
    word = _WORD.get(type(node))
    found: dict[str, Any] = {"node": word} if word else {}
    for slot in fields(node):
        value = getattr(node, slot.name)
        if slot.name == "schema_version" or not _is_default(slot, value):
            found[slot.name] = _out(str(slot.type), value, done)
    return found


def _expression(root: ir.Expr) -> dict[str, Any]:
    done: _Done = {}
    stack = [(root, False)]
    while stack:
        expr, ready = stack.pop()
        if ready:
            done[id(expr)] = _record(expr, done)
        elif id(expr) not in done:
            stack.append((expr, True))
            stack.extend((part, False) for part in children(expr))
    found: dict[str, Any] = done[id(root)]
    return found


def _is_default(slot: Field[Any], value: Any) -> bool:
    return slot.default is not MISSING and value == slot.default


def _out(annotation: str, value: Any, done: _Done) -> Any:
    if annotation == "Value":
        return _literal_out(value)
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, Type):
        return _type_out(value)
    if isinstance(value, ir.FeatureId):
        return _feature_out(value)
    if isinstance(value, tuple):
        return [_out("", part, done) for part in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return _expression(value) if type(value) in _EXPRESSION_CLASSES else _record(value, {})


def _literal_out(value: ir.Value) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) <= _SAFE_INT else {"int": str(value)}
        case float():
            return {"float": repr(value)}
        case Decimal():
            return {"decimal": str(value)}
        case bytes():
            return {"bytes": value.hex()}


def _feature_out(feature: ir.FeatureId) -> str:
    return f"{feature.entity}.{feature.name}@{feature.version}"


@lru_cache(maxsize=4096)
def _type_out(made: Type) -> Any:
    always_null = made.kind is Kind.NULL
    if made.kind in _PLAIN_TYPES and made == Type(made.kind, made.nullable or always_null):
        mark = "?" if made.nullable and not always_null else ""
        return made.kind.value + mark
    found: dict[str, Any] = {"kind": made.kind.value}
    for slot in fields(Type)[1:]:
        value = getattr(made, slot.name)
        if value == slot.default:
            continue
        if slot.name == "parts":
            value = [_type_out(part) for part in value]
        elif slot.name == "unit":
            value = [[name, power] for name, power in value]
        elif slot.name == "values":
            value = list(value)
        found[slot.name] = value
    return found


# --- in ----------------------------------------------------------------------------------------


def _build(made: type[Any], data: Any, path: str, done: _Done) -> Any:
    if not isinstance(data, dict):
        raise PlanError(f"{path}: expected an object")
    given = dict(data)
    given.pop("node", None)
    built: dict[str, Any] = {}
    for slot in fields(made):
        if slot.name in given:
            value = given.pop(slot.name)
            built[slot.name] = _in(str(slot.type), value, f"{path}.{slot.name}", done)
        elif slot.default is MISSING:
            raise PlanError(f"{path}: {slot.name} is missing")
    if given:
        raise PlanError(f"{path}: unknown field {min(given)}")
    return made(**built)


def _in(annotation: str, data: Any, path: str, done: _Done) -> Any:
    if annotation.endswith(" | None"):
        if data is None:
            return None
        annotation = annotation.removesuffix(" | None")
    if annotation.startswith("tuple["):
        if not isinstance(data, list):
            raise PlanError(f"{path}: expected a list")
        inner = annotation.removeprefix("tuple[").removesuffix(", ...]")
        return tuple(_in(inner, part, f"{path}[{index}]", done) for index, part in enumerate(data))
    if annotation in _RECORDS:
        return _build(_RECORDS[annotation], data, path, {})
    if annotation == "Expr":
        return done[id(data)] if id(data) in done else _read_expression(data, path)
    return _LEAVES[annotation](data, path)


def _read_expression(root: Any, path: str) -> Any:
    done: _Done = {}
    stack = [(root, path, False)]
    while stack:
        data, at, ready = stack.pop()
        made = _member(_EXPRESSIONS, data, at)
        if ready:
            done[id(data)] = _build(made, data, at, done)
            continue
        stack.append((data, at, True))
        for slot in fields(made):
            if "Expr" in str(slot.type) and slot.name in data:
                value = data[slot.name]
                parts = value if isinstance(value, list) else [value]
                stack.extend((part, f"{at}.{slot.name}", False) for part in parts if part)
    return done[id(root)]


def _member(members: dict[str, type[Any]], data: Any, path: str) -> type[Any]:
    word = data.get("node") if isinstance(data, dict) else None
    if not isinstance(word, str) or word not in members:
        raise PlanError(f"{path}: expected one of the nodes {', '.join(members)}")
    return members[word]


def _union(members: dict[str, type[Any]]) -> Callable[[Any, str], Any]:
    def read(data: Any, path: str) -> Any:
        return _build(_member(members, data, path), data, path, {})

    return read


def _exactly(wanted: type[Any]) -> Callable[[Any, str], Any]:
    def read(data: Any, path: str) -> Any:
        if type(data) is not wanted:
            raise PlanError(f"{path}: expected {wanted.__name__}")
        return data

    return read


def _literal_in(data: Any, path: str) -> ir.Value:
    if data is None or isinstance(data, bool | int | str):
        return data
    if isinstance(data, dict) and len(data) == 1:
        ((tag, text),) = data.items()
        try:
            if tag in _TAGS and isinstance(text, str):
                return _TAGS[tag](text)
        except (ValueError, InvalidOperation):
            pass
    raise PlanError(f"{path}: not a literal")


def _feature_in(data: Any, path: str) -> ir.FeatureId:
    if isinstance(data, str):
        qualified, _, version = data.rpartition("@")
        entity, _, name = qualified.rpartition(".")
        if entity and name and version.isascii() and version.isdigit():
            return ir.FeatureId(entity, name, int(version))
    raise PlanError(f"{path}: not a feature id (entity.name@version)")


def _type_in(data: Any, path: str) -> Type:
    if isinstance(data, str):
        word = data.removesuffix("?")
        if word in _PLAIN_TYPES:
            return Type(Kind(word), data != word or word == Kind.NULL)
    elif isinstance(data, dict):
        return _object_type(data, path)
    raise PlanError(f"{path}: not a type")


def _object_type(data: dict[str, Any], path: str) -> Type:
    given = dict(data)
    kind = given.pop("kind", None)
    if kind not in list(Kind):
        raise PlanError(f"{path}: not a type")
    built: dict[str, Any] = {"kind": Kind(kind)}
    for name, value in given.items():
        at = f"{path}.{name}"
        match name:
            case "nullable":
                built[name] = _exactly(bool)(value, at)
            case "precision" | "scale":
                built[name] = _exactly(int)(value, at)
            case "entity":
                built[name] = _exactly(str)(value, at)
            case "values":
                built[name] = _in("tuple[str, ...]", value, at, {})
            case "parts":
                built[name] = _in("tuple[Type, ...]", value, at, {})
            case "unit":
                built[name] = tuple(_unit_factor(part, at) for part in _exactly(list)(value, at))
            case _:
                raise PlanError(f"{path}: unknown field {name}")
    return Type(**built)


def _unit_factor(data: Any, path: str) -> tuple[str, int]:
    if isinstance(data, list) and len(data) == 2:
        return _exactly(str)(data[0], path), _exactly(int)(data[1], path)
    raise PlanError(f"{path}: expected pairs of a unit and its power")


_TAGS: dict[str, Callable[[str], ir.Value]] = {
    "int": int,
    "float": float,
    "decimal": Decimal,
    "bytes": bytes.fromhex,
}
_LEAVES: dict[str, Callable[[Any, str], Any]] = {
    "str": _exactly(str),
    "int": _exactly(int),
    "bool": _exactly(bool),
    "Value": _literal_in,
    "Type": _type_in,
    "FeatureId": _feature_in,
    "Window": _union(_WINDOWS),
    "Knowledge": _union(_KNOWLEDGE),
}
