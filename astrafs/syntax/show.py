"""The surface tree as readable text and as JSON."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from astrafs.source import Span
from astrafs.syntax import ast


def _parts(node: Any) -> list[tuple[str, Any]]:
    return [(part.name, getattr(node, part.name)) for part in fields(node) if part.name != "span"]


def _is_node(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, Span)


def _word(value: Any) -> str | None:
    """Return a value that fits on its parent's line, None for one that needs lines of its own."""
    match value:
        case ast.Ident():
            return value.text
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case bool():
            return str(value).lower()
        case int() | Decimal():
            return str(value)
        case ast.Name(ident, None):
            return f"{ident.text}"
        case tuple():
            words = [_word(item) for item in value]
            if all(word is not None for word in words):
                return "[" + ", ".join(word for word in words if word is not None) + "]"
            return None
        case _:
            return None


def show(module: ast.Module) -> str:
    """Return the tree of ``module``: one node a line, its parts indented below it."""
    lines: list[str] = []
    stack: list[tuple[int, str, Any]] = [(0, "", module)]
    while stack:
        indent, label, value = stack.pop()
        mark = "- " if label == "-" else f"{label}: " if label else ""
        prefix = "  " * indent + mark
        if isinstance(value, tuple):
            lines.append(prefix.rstrip())
            stack.extend((indent + 1, "-", item) for item in reversed(value))
            continue
        if not _is_node(value):
            lines.append(prefix + (_word(value) or str(value)))
            continue
        head = [type(value).__name__]
        below: list[tuple[int, str, Any]] = []
        for name, part in _parts(value):
            if part is None or part is False or part == () or part == "" or isinstance(part, Span):
                continue
            word = _word(part)
            if word is not None:
                head.append(f"{name}={word}")
            else:
                below.append((indent + 1, name, part))
        lines.append(prefix + " ".join(head))
        stack.extend(reversed(below))
    return "\n".join(lines) + "\n"


def to_json(module: ast.Module) -> dict[str, Any]:
    """Return the tree as JSON values: every node an object with its class as ``node`` and its
    ``span``.

    Spans are [start, end) offsets in code points; decimals are texts.
    """
    root: dict[str, Any] = {}
    stack: list[tuple[Any, Any, Any]] = [(module, root, "module")]
    while stack:
        value, holder, key = stack.pop()
        if isinstance(value, Span):
            holder[key] = [value.start, value.end]
        elif isinstance(value, tuple):
            holder[key] = items = [None] * len(value)
            stack.extend((item, items, at) for at, item in enumerate(value))
        elif _is_node(value):
            holder[key] = made = {"node": type(value).__name__}
            for name, part in _parts(value):
                made[name] = ""
                stack.append((part, made, name))
            made["span"] = ""
            stack.append((value.span, made, "span"))
        elif isinstance(value, Decimal):
            holder[key] = str(value)
        else:
            holder[key] = value
    found: dict[str, Any] = root["module"]
    return found
