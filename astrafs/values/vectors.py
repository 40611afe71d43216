"""float32 numbers and exact products of vectors of them."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction

from astrafs.values.rational import nearest, nearest_root


def single(value: float) -> float | None:
    """The float32 nearest to ``value`` (ties to even, -0.0 as 0.0); None where that is infinite."""
    try:
        (found,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return None
    return float(found) + 0.0 if math.isfinite(found) else None


def singles(values: Iterable[float | None]) -> tuple[float, ...] | None:
    """The float32 numbers nearest to ``values``; None where one is null or has none."""
    found = [None if value is None else single(value) for value in values]
    sound = tuple(value for value in found if value is not None)
    return sound if len(sound) == len(found) else None


def product(left: Sequence[float], right: Sequence[float]) -> Fraction:
    """The exact inner product."""
    return sum((Fraction(a) * Fraction(b) for a, b in zip(left, right, strict=True)), Fraction(0))


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    """The float nearest to the inner product."""
    return nearest(product(left, right)) + 0.0


def norm(values: Sequence[float]) -> float:
    """The float nearest to the Euclidean length."""
    return nearest_root(product(values, values))


def cosine(left: Sequence[float], right: Sequence[float]) -> float | None:
    """The float nearest to the cosine of the angle; None where a vector has length zero."""
    scale = product(left, left) * product(right, right)
    if not scale:
        return None
    across = product(left, right)
    found = nearest_root(across * across / scale)
    return -found + 0.0 if across < 0 else found
