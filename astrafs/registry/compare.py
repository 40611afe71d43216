"""Compares a plan with its lock: what is new, gone, the same, or means something else now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import Diagnostic
from astrafs.plan import ir
from astrafs.plan.graph import affected
from astrafs.registry.lock import Lock, Locked, lock_plan
from astrafs.source import Span

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Changed:
    """A locked version that means something else now.

    ``because`` are the changed features that it reads: empty where the change begins here.
    """

    feature: ir.FeatureId
    before: Locked
    after: Locked
    because: tuple[ir.FeatureId, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All feature versions of lock and plan, sorted, each in one of four lists."""

    new: tuple[ir.FeatureId, ...]
    removed: tuple[ir.FeatureId, ...]
    unchanged: tuple[ir.FeatureId, ...]
    changed: tuple[Changed, ...]

    @property
    def is_same(self) -> bool:
        """Whether the lock says exactly what the plan does."""
        return not (self.new or self.removed or self.changed)


def compare(lock: Lock, plan: ir.Plan) -> Comparison:
    """Compare ``plan`` with ``lock`` by the identities of its feature versions."""
    now = lock_plan(plan, "", lock).features
    common = sorted(lock.features.keys() & now.keys())
    differ = [name for name in common if lock.features[name].identity != now[name].identity]
    names = {f"{name.entity}.{name.name}@{name.version}": name for name in differ}
    return Comparison(
        tuple(sorted(now.keys() - lock.features.keys())),
        tuple(sorted(lock.features.keys() - now.keys())),
        tuple(name for name in common if lock.features[name].identity == now[name].identity),
        tuple(
            Changed(
                name,
                lock.features[name],
                now[name],
                tuple(names[read] for read in now[name].dependencies if read in names),
            )
            for name in differ
        ),
    )


def changed_meanings(
    found: Comparison, plan: ir.Plan, places: Mapping[ir.FeatureId, Span]
) -> tuple[Diagnostic, ...]:
    """Return one error (AFS0802) for every place where a change begins.

    Features that changed only because they read such a one are named in its note.
    ``places`` give the span of every feature's name.
    """
    changed = {change.feature for change in found.changed}
    diagnostics = []
    for change in found.changed:
        if change.because:
            continue
        name = change.feature
        span = places.get(name)
        title = f"`{_short(name)}` has changed its meaning since it was locked"
        diagnostic = (
            codes.CHANGED_MEANING.nowhere(title)
            if span is None
            else codes.CHANGED_MEANING.at(
                span, f"version {name.version}, locked {change.before.created}", title=title
            )
        )
        diagnostic = diagnostic.note(_difference(change))
        others = sorted(
            node
            for node in affected(plan, [name])
            if isinstance(node, ir.FeatureId) and node in changed and node != name
        )
        if others:
            shown = ", ".join(f"`{_short(other)}`" for other in others[:_SHOWN])
            rest = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            diagnostic = diagnostic.note(f"that changes {shown}{rest} as well")
        following = f"{name.name}@{_next_version(plan, name)}"
        diagnostics.append(
            diagnostic.help(
                f"keep this definition as it was and write the new one as `{following}: ...`; "
                f"readers that want the old meaning pin `{name.name}@{name.version}`"
            )
        )
    return tuple(diagnostics)


def comparison_text(found: Comparison) -> str:
    """Return the comparison for people: ``+`` new, ``-`` removed, ``~`` changed and why, counts."""
    lines = [f"+ {name}" for name in found.new]
    lines += [f"- {name}" for name in found.removed]
    for change in found.changed:
        why = ", ".join(f"{name}" for name in change.because)
        lines.append(f"~ {change.feature}  ({f'reads {why}' if why else _difference(change)})")
    lines.append(
        f"{len(found.new)} new, {len(found.removed)} removed, {len(found.changed)} changed, "
        f"{len(found.unchanged)} unchanged"
    )
    return "\n".join(lines) + "\n"


def _difference(change: Changed) -> str:
    before, after = change.before, change.after
    if before.type != after.type:
        return f"its type was {before.type} and is {after.type}"
    lost = sorted(set(before.dependencies) - set(after.dependencies))
    gained = sorted(set(after.dependencies) - set(before.dependencies))
    if lost or gained:
        parts = [f"no longer reads {', '.join(lost)}"] if lost else []
        parts += [f"now reads {', '.join(gained)}"] if gained else []
        return " and ".join(parts)
    rows = [read for read in after.dependencies if "@" not in read]
    of_rows = f", or that of {', '.join(rows)}" if rows else ""
    return f"its expression has changed{of_rows}"


def _next_version(plan: ir.Plan, name: ir.FeatureId) -> int:
    return 1 + max(
        feature.id.version
        for feature in plan.features
        if (feature.id.entity, feature.id.name) == (name.entity, name.name)
    )


def _short(name: ir.FeatureId) -> str:
    entity = name.entity.rsplit(".", 1)[-1]
    version = "" if name.version == 1 else f"@{name.version}"
    return f"{entity}.{name.name}{version}"
