"""Pairs as written in options; times and durations are read by ``values.times``."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError


def parse_pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Return the ``NAME=COLUMN`` pairs of a repeated option."""
    pairs: dict[str, str] = {}
    for text in given:
        name, sign, column = (part.strip() for part in text.partition("="))
        if not sign or not name or not column:
            raise AstrafsError(
                codes.BAD_VALUE.nowhere(f"{option}: `{text}` is not a pair").help(
                    "write the key, `=` and the column of the spine: `user_id=customer`"
                )
            )
        if name in pairs:
            raise AstrafsError(codes.BAD_VALUE.nowhere(f"{option}: `{name}` is given twice"))
        pairs[name] = column
    return pairs
