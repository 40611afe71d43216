"""What a locked feature version was: a plan of its own, kept by identity.

So it can be compiled and backfilled after its source text is gone. Text in, text out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.json import dumps, loads
from astrafs.plan.program import Binding
from astrafs.plan.prune import prune
from astrafs.record import dataclass
from astrafs.source import Span

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Definition:
    """A feature version with all that it reads: the smallest plan that gives its values, and where
    the files of its sources were.
    """

    feature: ir.FeatureId
    plan: ir.Plan
    bindings: Mapping[str, Binding]


def define(plan: ir.Plan, bindings: Mapping[str, Binding], feature: ir.FeatureId) -> Definition:
    """Cut the definition of ``feature`` out of a plan."""
    small = prune(plan, features=(feature,))
    used = {source.name for source in small.sources}
    return Definition(
        feature, small, {name: found for name, found in bindings.items() if name in used}
    )


def write_definition(definition: Definition) -> str:
    """Return the text that is kept."""
    name = definition.feature
    head = {
        "format": FORMAT,
        "feature": [name.entity, name.name, name.version],
        "files": {
            source: [found.format, *found.patterns]
            for source, found in sorted(definition.bindings.items())
        },
    }
    return json.dumps(head, ensure_ascii=False) + "\n" + dumps(definition.plan, indent=None)


def read_definition(text: str) -> Definition:
    """Read a kept definition; raises :class:`PlanError` if it is not one."""
    first, _, rest = text.partition("\n")
    try:
        head = json.loads(first)
        if head["format"] != FORMAT:
            raise PlanError(f"format {head['format']!r}; this version reads {FORMAT}")
        entity, name, version = head["feature"]
        bindings = {
            source: Binding(found[0], tuple(found[1:]), Span("", 0, 0))
            for source, found in head["files"].items()
        }
    except (ValueError, KeyError, TypeError, IndexError):
        raise PlanError("not a definition") from None
    plan = loads(rest)
    feature = ir.FeatureId(entity, name, version)
    if all(found.id != feature for found in plan.features):
        raise PlanError(f"no feature {feature}")
    return Definition(feature, plan, bindings)
