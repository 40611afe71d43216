"""What ``astrafs explain FEATURE`` prints: text for people, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from astrafs.cli import console
from astrafs.diagnostics.render.cells import reveal, wrap
from astrafs.diagnostics.render.excerpt import Style
from astrafs.plan.describe import Dependency, Description, describe
from astrafs.plan.find import find_feature
from astrafs.plan.program import Program
from astrafs.temporal.footprint import Footprint, footprints
from astrafs.temporal.picture import footprint_picture

_MOST_LISTED = 20


def feature_page(program: Program, name: str, as_json: bool) -> str:
    """Return the page of the feature that ``name`` means; raises where there is none."""
    found = describe(program, find_feature(program, name))
    footprint = footprints(program.plan)[found.feature.id]
    if as_json:
        return json.dumps(_json(found, footprint), indent=2, ensure_ascii=False) + "\n"
    lines = _page(found, footprint, console.width(sys.stdout))
    return "\n".join(reveal(line) if "\x1b" not in line else line for line in lines) + "\n"


def _page(found: Description, footprint: Footprint, width: int) -> list[str]:
    feature = found.feature
    kind = "label" if feature.label else "feature"
    lines = [_title(f"{kind} {feature.id}: {feature.type}"), ""]
    if feature.doc:
        lines += [*(f"  {line}" for line in wrap(" ".join(feature.doc.split()), width - 2)), ""]
    rows = [
        ("owner", feature.owner or "none"),
        ("tags", ", ".join(feature.tags)),
        ("declared", _place(found)),
        ("identity", found.identity),
        ("deprecated", feature.deprecated),
    ]
    lines += [f"  {name:<10} {text}" for name, text in rows if text]
    lines += ["", _title("Definition"), "", *_definition(found.expression, width)]
    if len(found.versions) > 1:
        lines += ["", _title("Versions"), ""]
        for version in found.versions:
            latest = ", what the plain name means" if version.latest else ""
            lines.append(f"  @{version.number}  {version.type}  {version.status}{latest}")
    lines += ["", _title("What it may read, by event time"), ""]
    lines += [f"  {line}".rstrip() for line in footprint_picture(footprint.readings, width - 2)]
    lines += ["", _title("Reads"), "", *_listed(found.reads, found.reads_in_all)]
    lines += ["", _title("Read by"), "", *_listed(found.read_by, found.read_by_in_all)]
    return lines


def _title(text: str) -> str:
    return console.styled(reveal(text), Style.BOLD, sys.stdout)


def _place(found: Description) -> str:
    expansion = f", with {found.expansion}" if found.expansion else ""
    return f"{found.path}:{found.line}{expansion}"


def _definition(expression: str, width: int) -> list[str]:
    first, *rest = wrap(expression, width - 4)
    return [f"  = {first}", *(f"    {line}" for line in rest)]


def _listed(found: Sequence[Dependency], in_all: int) -> list[str]:
    lines = [f"  {one.kind:<8} {one.name}" for one in found[:_MOST_LISTED]]
    if len(found) > _MOST_LISTED:
        lines.append(f"  and {len(found) - _MOST_LISTED:,} more")
    direct = sum(one.kind != "view" for one in found)
    if in_all > direct:
        lines.append(f"  {in_all:,} in all, with what is behind these")
    return lines or ["  nothing"]


def _json(found: Description, footprint: Footprint) -> dict[str, object]:
    feature = found.feature
    return {
        "schema": "astrafs.feature/1",
        "name": str(feature.id),
        "entity": feature.id.entity,
        "feature": feature.id.name,
        "version": feature.id.version,
        "type": str(feature.type),
        "label": feature.label,
        "doc": feature.doc,
        "owner": feature.owner,
        "tags": list(feature.tags),
        "deprecated": feature.deprecated or None,
        "module": found.module,
        "declared": {"path": found.path, "line": found.line, "expansion": found.expansion or None},
        "identity": found.identity,
        "expression": found.expression,
        "versions": [
            {
                "version": one.number,
                "type": one.type,
                "status": one.status,
                "latest": one.latest,
            }
            for one in found.versions
        ],
        "reads": [{"kind": one.kind, "name": one.name} for one in found.reads],
        "read_by": [{"kind": one.kind, "name": one.name} for one in found.read_by],
        "footprint": [
            {
                "source": reading.source,
                "interval": str(reading.interval),
                "from": reading.interval.low,
                "to": reading.interval.high,
                "time": reading.clock or None,
                "known": reading.known or "at once",
                "lag": reading.delay,
                "ahead": reading.ahead,
                "static": reading.static or None,
                "via": list(reading.via),
            }
            for reading in footprint.readings
        ],
    }
