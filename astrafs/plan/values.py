"""Values as people read them, written as a program writes them."""

from __future__ import annotations

from typing import Any

from astrafs.plan.text import literal_text
from astrafs.typesys import FLOAT, Kind, Type

_MOST_ITEMS = 12


def value_text(value: Any, type_: Type) -> str:
    """Return a value of ``type_`` as text; lists are tuples, maps pairs, long ones cut."""
    if value is None:
        return "null"
    match type_.kind:
        case Kind.LIST:
            return f"[{_joined([value_text(item, type_.parts[0]) for item in value])}]"
        case Kind.VECTOR:
            return f"[{_joined([value_text(item, FLOAT) for item in value])}]"
        case Kind.MAP:
            name, inner = type_.parts
            pairs = [f"{value_text(key, name)}: {value_text(item, inner)}" for key, item in value]
            return f"{{{_joined(pairs)}}}"
        case Kind.KEY if len(type_.parts) == 1:
            return value_text(value, type_.parts[0])
        case _:
            return literal_text(value, type_)


def _joined(items: list[str]) -> str:
    more = [f"and {len(items) - _MOST_ITEMS:,} more"] if len(items) > _MOST_ITEMS else []
    return ", ".join([*items[:_MOST_ITEMS], *more])
