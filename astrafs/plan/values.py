"""Values as people read them, written as a program writes them."""

from __future__ import annotations

from typing import Any

from astrafs.plan.text import literal_text
from astrafs.typesys import FLOAT, Kind, Type

_MOST_ITEMS = 12


def value_text(value: Any, type_: Type, most: int | None = _MOST_ITEMS) -> str:
    """Return a value of ``type_`` as text; lists are tuples, maps pairs, cut after ``most``."""
    if value is None:
        return "null"
    match type_.kind:
        case Kind.LIST:
            items = [value_text(item, type_.parts[0], most) for item in value]
            return f"[{_joined(items, most)}]"
        case Kind.VECTOR:
            return f"[{_joined([value_text(item, FLOAT) for item in value], most)}]"
        case Kind.MAP:
            name, inner = type_.parts
            pairs = [
                f"{value_text(key, name)}: {value_text(item, inner, most)}" for key, item in value
            ]
            return f"{{{_joined(pairs, most)}}}"
        case Kind.KEY if len(type_.parts) == 1:
            return value_text(value, type_.parts[0], most)
        case _:
            return literal_text(value, type_)


def _joined(items: list[str], most: int | None) -> str:
    more = [f"and {len(items) - most:,} more"] if most is not None and len(items) > most else []
    return ", ".join([*items[:most], *more])
