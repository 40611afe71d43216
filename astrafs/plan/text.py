"""A plan as text that a person reads: windows as they are spelled, operators between operands.

The text is deterministic and complete, but it is for reading: programs exchange ``plan.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from json import dumps
from typing import Any, assert_never

from astrafs.builtins.registry import FUNCTIONS
from astrafs.plan import ir
from astrafs.plan.tree import children
from astrafs.typesys import FLOAT, Kind, Type, duration_text, list_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OVER, _IF, _OR, _AND, _NOT, _COMPARE, _DEFAULT, _SUM, _PRODUCT, _UNARY, _POSTFIX, _ATOM = range(12)
_LEVEL = {
    "??": _DEFAULT,
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "//": _PRODUCT,
    "%": _PRODUCT,
    "and": _AND,
    "or": _OR,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), _COMPARE),
}


def plan_text(plan: ir.Plan) -> str:
    """Return the whole plan: entities, sources, streams, features and views, each in its order."""
    blocks = [
        *map(entity_text, plan.entities),
        *map(source_text, plan.sources),
        *map(union_text, plan.unions),
        *map(stream_text, plan.streams),
        *map(feature_text, plan.features),
        *map(view_text, plan.views),
        *map(dataset_text, plan.datasets),
    ]
    return "\n".join(block + "\n" for block in blocks)


def entity_text(entity: ir.Entity) -> str:
    """Return ``entity common.User { user_id: int }``."""
    fields = ", ".join(f"{field.name}: {field.type}" for field in entity.keys)
    word = "request" if entity.request else "entity"
    return f"{word} {entity.name} {{ {fields} }}" if fields else f"{word} {entity.name} {{}}"


def source_text(source: ir.Source) -> str:
    """Return a source or table with its rules, columns and contracts, one to a line."""
    lines = [f"{'table' if source.table else 'source'} {source.name}"]
    lines.append(f"  key {', '.join(source.key)}")
    if source.time:
        lines.append(f"  time {source.time}")
    if source.static:
        lines.append(f"  static {dumps(source.static, ensure_ascii=False)}")
    if known := knowledge_text(source):
        lines.append(f"  {known}")
    if source.max_age is not None:
        lines.append(f"  max_age {duration_text(source.max_age)}")
    if source.retention is not None:
        lines.append(f"  retention {duration_text(source.retention)}")
    width = max((len(column.name) for column in source.columns), default=0) + 1
    lines += [f"  {column.name + ':':<{width}} {_column_tail(column)}" for column in source.columns]
    lines += [f"  expect {expression_text(condition)}" for condition in source.expects]
    return "\n".join(lines)


def knowledge_text(source: ir.Source) -> str:
    """Return when a row becomes visible: ``known seen_at ahead``, ``delay 5m``, or nothing."""
    ahead = " ahead" if source.ahead else ""
    match source.knowledge:
        case ir.KnownColumn(column=name):
            return f"known {name}{ahead}"
        case ir.Delay(delay=delay):
            return f"delay {duration_text(delay)}{ahead}" if delay else ahead.strip()
        case _:
            assert_never(source.knowledge)


def _column_tail(column: ir.SourceColumn) -> str:
    text = str(column.type)
    if column.zone:
        text += f" in {dumps(column.zone, ensure_ascii=False)}"
    if column.physical and column.physical != column.name:
        text += f" from {dumps(column.physical, ensure_ascii=False)}"
    if column.settles is not None:
        text += f" settles {duration_text(column.settles)}"
    if column.known_at:
        text += f" known {column.known_at}"
    return text


def union_text(union: ir.Union) -> str:
    """Return a union with its members, key and columns."""
    lines = [f"union {union.name} of {', '.join(union.members)}", f"  key {', '.join(union.key)}"]
    width = max((len(column.name) for column in union.columns), default=0) + 1
    lines += [f"  {column.name + ':':<{width}} {column.type}" for column in union.columns]
    return "\n".join(lines)


def stream_text(stream: ir.Stream) -> str:
    """Return a stream with its base, time, condition and computed columns."""
    lines = [f"stream {stream.name} from {stream.base}"]
    if stream.time is not None:
        lines.append(f"  time {expression_text(stream.time)}")
    if stream.where is not None:
        lines.append(f"  where {expression_text(stream.where)}")
    lines += [
        f"  {column.name}: {column.type} = {expression_text(column.expression)}"
        for column in stream.columns
    ]
    return "\n".join(lines)


def feature_text(feature: ir.Feature) -> str:
    """Return ``feature User.n: int`` and, below it, the expression."""
    word = "label" if feature.label else "feature"
    return f"{word} {feature.id}: {feature.type}\n  = {expression_text(feature.expression)}"


def view_text(view: ir.View) -> str:
    """Return a view with its outputs in order."""
    lines = [f"view {view.name} for {view.entity}"]
    lines += [
        f"  {output.name}: {output.type} = {expression_text(output.expression)}"
        for output in view.outputs
    ]
    return "\n".join(lines)


def dataset_text(dataset: ir.Dataset) -> str:
    """Return a dataset with its keys, columns, labels with when they are mature, and split."""
    lines = [f"dataset {dataset.name}", f"  view {dataset.view}", f"  spine {dataset.spine}"]
    if dataset.keys:
        lines.append(f"  key {', '.join(map(expression_text, dataset.keys))}")
    if dataset.columns:
        lines.append(f"  columns {', '.join(column.name for column in dataset.columns)}")
    for label in dataset.labels:
        text = f"  label {label.name}: {label.type} = {expression_text(label.expression)}"
        waits = [f"t+{duration_text(label.horizon)}"] if label.horizon else []
        waits += label.known
        lines.append(text + (f" mature at {' and '.join(waits)}" if waits else ""))
    if dataset.train_before is not None and dataset.test_from is not None:
        before, start = timestamp_text(dataset.train_before), timestamp_text(dataset.test_from)
        lines.append(f"  split train before {before}, test from {start}")
    return "\n".join(lines)


def window_text(window: ir.Window) -> str:
    """Return a window as it is spelled after ``over``: ``7d offset 60d``, ``last 5 within 1d``."""
    match window:
        case ir.LastWindow():
            within = "" if window.within is None else f" within {duration_text(window.within)}"
            return f"last {window.rows}{within}"
        case ir.RangeWindow():
            every = "" if window.every is None else f" every {duration_text(window.every)}"
            return _range_text(window) + every
        case ir.CalendarWindow():
            return f"since {window.unit}({dumps(window.zone, ensure_ascii=False)})"
        case ir.SinceWindow():
            return f"since last ({expression_text(window.condition)})"
        case ir.SessionWindow():
            return f"session gap {duration_text(window.gap)}"
        case _:
            assert_never(window)


def _range_text(window: ir.RangeWindow) -> str:
    far, near = window.far, window.near
    offset = f" offset {duration_text(near)}" if near else ""
    if far is None:
        if near == 0 and window.near_closed:
            return "all including now"
        if near >= 0 and not window.near_closed:
            return "all" + offset
        return f"(all, {duration_text(near)}{']' if window.near_closed else ')'}"
    if near >= 0 and window.far_closed and not window.near_closed:
        return duration_text(far - near) + offset
    if near == 0 and window.near_closed and not window.far_closed:
        return f"{duration_text(far)} including now"
    if far == 0 and near < 0 and window.near_closed and not window.far_closed:
        return f"next {duration_text(-near)}"
    left, right = "[" if window.far_closed else "(", "]" if window.near_closed else ")"
    return f"{left}{duration_text(far)}, {duration_text(near)}{right}"


def expression_text(root: ir.Expr) -> str:
    """Return an expression with as few parentheses as its operators need."""
    done: dict[int, tuple[str, int]] = {}
    stack: list[tuple[ir.Expr, bool]] = [(root, False)]
    while stack:  # not recursive: operator chains are deep
        expr, ready = stack.pop()
        if id(expr) in done:
            continue
        parts = children(expr)
        if ready:
            done[id(expr)] = _node(expr, [done[id(part)] for part in parts])
        else:
            stack.append((expr, True))
            stack.extend((part, False) for part in parts)
    return done[id(root)][0]


_Part = tuple[str, int]


def _node(expr: ir.Expr, parts: list[_Part]) -> _Part:
    match expr:
        case ir.Literal():
            text = literal_text(expr.value, expr.type)
            return text, _UNARY if text.startswith("-") else _ATOM
        case ir.Column() | ir.KeyPart():
            return expr.name, _ATOM
        case ir.EvaluationTime():
            return "t", _ATOM
        case ir.FeatureRef():
            return f"{expr.feature}", _ATOM
        case ir.Call():
            return _call(expr, parts)
        case ir.EntityLookup():
            feature = expr.feature
            version = "" if feature.version == 1 else f"@{feature.version}"
            text = f"{expr.entity}[{_list(parts)}].{feature.name}{version}"
            return _timed(text, expr.offset, None)
        case ir.TableLookup():
            return _timed(f"{expr.table}[{_list(parts)}].{expr.column}", expr.offset, expr.max_age)
        case ir.Aggregate():
            return _aggregate(expr, parts)
        case _:
            assert_never(expr)


def _timed(text: str, offset: int, max_age: int | None) -> _Part:
    if max_age is not None:
        text += f" within {duration_text(max_age)}"
    if offset:
        text += f" offset {duration_text(offset)}"
    return text, _POSTFIX


def aggregate_text(expr: ir.Aggregate) -> str:
    """Return ``count(where disputed) over 30d``: an aggregate without the rows it is over."""
    parts = [(expression_text(part), _OVER) for part in children(expr)]
    return _aggregate_head(expr, iter(parts), _OVER)


def _aggregate_head(expr: ir.Aggregate, rest: Iterator[_Part], level: int) -> str:
    args = ", ".join(
        ("each " if expr.each and not isinstance(arg, ir.Literal) else "")
        + _inside(next(rest), level)
        for arg in expr.args
    )
    if expr.where is not None:
        args += (" " if args else "") + f"where {_inside(next(rest), level)}"
    by = "" if expr.by is None else f" by {_inside((expression_text(expr.by), _OVER), _ATOM)}"
    request = " including request" if expr.request else ""
    return f"{expr.function}({args}){by} over {window_text(expr.window)}{request}"


def _aggregate(expr: ir.Aggregate, parts: list[_Part]) -> _Part:
    rest = iter(parts)
    head = _aggregate_head(expr, rest, _IF)
    block = "" if expr.block_where is None else f" where {_inside(next(rest), _AND)}"
    for _ in (part for part in (expr.by, _since(expr)) if part is not None):
        next(rest)  # said in the head
    by = f" by {_list(list(rest))}" if expr.keys else ""
    return f"{head} from {expr.rows}{by}{block}", _OVER


def _since(expr: ir.Aggregate) -> ir.Expr | None:
    return expr.window.condition if isinstance(expr.window, ir.SinceWindow) else None


def _call(expr: ir.Call, parts: list[_Part]) -> _Part:
    name = expr.function
    row = FUNCTIONS.get(name)
    symbol = row.symbol if row is not None else ""
    match name, parts:
        case "if", [condition, then, otherwise]:
            head = f"if {_inside(condition, _OR)} then {_inside(then, _OR)}"
            return f"{head} else {_inside(otherwise, _IF)}", _IF
        case "not", [operand]:
            return f"not {_inside(operand, _NOT)}", _NOT
        case "neg", [operand]:
            return f"-{_inside(operand, _POSTFIX)}", _UNARY
        case "list", _:
            return f"[{_list(parts)}]", _ATOM
        case "vector_literal", _:
            return f"vector([{_list(parts)}], {len(parts)})", _ATOM
        case "in", [operand, *items]:
            return f"{_inside(operand, _DEFAULT)} in [{_list(items)}]", _COMPARE
        case (("is_null" | "is_not_null"), [operand]):
            return f"{_inside(operand, _DEFAULT)} {symbol}", _COMPARE
        case _ if symbol in _LEVEL and len(parts) >= 2:
            return _chain(symbol, parts)
        case _:
            return f"{name}({_list(parts)})", _ATOM


def _chain(symbol: str, parts: list[_Part]) -> _Part:
    level = _LEVEL[symbol]
    match level:
        case _ if symbol == "??":  # groups to the right
            texts = [_inside(part, level + 1) for part in parts[:-1]]
            texts.append(_inside(parts[-1], level))
        case _ if level == _COMPARE:  # does not group
            texts = [_inside(part, level + 1) for part in parts]
        case _:
            texts = [_inside(parts[0], level), *(_inside(part, level + 1) for part in parts[1:])]
    return f" {symbol} ".join(texts), level


def _inside(part: _Part, level: int) -> str:
    text, own = part
    return text if own >= level else f"({text})"


def _list(parts: list[_Part]) -> str:
    return ", ".join(_inside(part, _IF) for part in parts)


def literal_text(value: Any, made: Type) -> str:
    """Return a value as it is written in a program, ``made`` being its type."""
    if isinstance(value, tuple):
        return _elements_text(value, made)
    plain: ir.Value = value
    match plain:
        case None:
            return "null"
        case bool():
            return "true" if plain else "false"
        case int() if made.kind is Kind.TIMESTAMP:
            return timestamp_text(plain)
        case int() if made.kind is Kind.DATE:
            return _date_text(plain)
        case int() if made.kind is Kind.DURATION:
            return duration_text(plain)
        case int() | Decimal() | float():
            return str(plain)
        case str():
            return dumps(plain, ensure_ascii=False)
        case bytes():
            return f'bytes("{plain.hex()}")'


def _elements_text(value: tuple[Any, ...], made: Type) -> str:
    if made.kind is Kind.MAP:
        texts = (
            _elements_text(tuple(entry[place] for entry in value), list_of(part))
            for place, part in enumerate(made.parts)
        )
        return f"map({', '.join(texts)})"
    part = made.parts[0] if made.kind is Kind.LIST else FLOAT
    return "[" + ", ".join(literal_text(item, part) for item in value) + "]"


def timestamp_text(micros: int) -> str:
    """Return an instant (microseconds since 1970) as ``2026-01-01T10:00:00Z``."""
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat().removesuffix("+00:00") + "Z"
    except OverflowError:
        return f"timestamp({micros})"


def _date_text(days: int) -> str:
    try:
        return (date(1970, 1, 1) + timedelta(days=days)).isoformat()
    except OverflowError:
        return f"date({days})"
