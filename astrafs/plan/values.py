"""Values as people read them, written as a program writes them."""

from __future__ import annotations

from typing import Any

from astrafs.plan.text import literal_text
from astrafs.typesys import Kind, Type

_MOST_ITEMS = 12


def value_text(value: Any, type_: Type) -> str:
    """Return a value of ``type_`` as text; long lists and maps are cut short."""
    match value:
        case None:
            return "null"
        case list() | tuple():
            inner = type_.parts[0] if type_.parts else Type(Kind.FLOAT)
            return f"[{_joined([value_text(item, inner) for item in value])}]"
        case dict():
            key, inner = type_.parts
            pairs = [
                f"{value_text(name, key)}: {value_text(item, inner)}"
                for name, item in value.items()
            ]
            return f"{{{_joined(pairs)}}}"
        case _:
            while type_.kind is Kind.KEY and type_.parts:
                type_ = type_.parts[0]
            return literal_text(value, type_)


def _joined(items: list[str]) -> str:
    more = [f"and {len(items) - _MOST_ITEMS:,} more"] if len(items) > _MOST_ITEMS else []
    return ", ".join([*items[:_MOST_ITEMS], *more])
