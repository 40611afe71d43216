"""Equality to the last bit."""

from __future__ import annotations

import struct
from typing import Any


def bits(value: Any) -> object:
    """Return something hashable that is equal exactly where two values have the same bits."""
    match value:
        case float():
            return struct.pack("<d", value)
        case list() | tuple():
            return ("list", *map(bits, value))
        case _:
            return (type(value).__name__, value)


def same_bits(left: Any, right: Any) -> bool:
    """Whether two values are the same to the last bit."""
    return bits(left) == bits(right)
