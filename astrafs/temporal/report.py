"""Footprints as text: the proof that ``astrafs check --emit footprint`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from astrafs.plan import ir
from astrafs.temporal.footprint import Footprint, Reading

_HEAD = ("feature", "source", "from", "to", "visible", "via")
_LONGEST_PATH = 6


def footprint_text(
    found: Mapping[ir.FeatureId, Footprint], only: Iterable[ir.FeatureId] | None = None
) -> str:
    """Return a table of every feature's readings, then every static table with its reason.

    A feature that reads nothing but its key, its request and t has a row of dashes.
    """
    wanted = list(found) if only is None else sorted(only)
    rows: list[tuple[str, ...]] = []
    static: dict[str, str] = {}
    for feature in wanted:
        readings = found[feature].readings
        name = str(feature)
        for reading in readings:
            rows.append((name, *_cells(reading)))
            name = ""
            if reading.static:
                static[reading.source] = reading.static
        if not readings:
            rows.append((name, "-", "-", "-", "-", "-"))
    widths = [max(len(row[at]) for row in (_HEAD, *rows)) for at in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_HEAD, *rows)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if static:
        lines += ["", "static tables, the same at every t because:"]
        lines += [f"  {name}: {reason}" for name, reason in sorted(static.items())]
    return "\n".join(lines) + "\n"


def _cells(reading: Reading) -> tuple[str, ...]:
    source = f"{reading.source} by {reading.clock}" if reading.clock else reading.source
    via = _path(reading.via)
    if reading.static:
        return source, "always", "always", "static", via
    low, high = str(reading.interval).split(", ")
    return source, low, high, reading.known or "at once", via


def _path(via: tuple[str, ...]) -> str:
    if len(via) > _LONGEST_PATH:
        via = (*via[:3], f"({len(via) - 5} more)", *via[-2:])
    return " <- ".join(via)
