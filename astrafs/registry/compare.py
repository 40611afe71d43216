"""Compares a plan with its lock: what each feature version is against what it was, and why."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.plan import ir
from astrafs.plan.graph import closure, dependencies, dependents, references
from astrafs.plan.identity import canonical_feature, value_identity
from astrafs.plan.prune import prune
from astrafs.plan.text import feature_text, source_text, stream_text
from astrafs.record import dataclass
from astrafs.registry.definitions import Definition
from astrafs.registry.evidence import compare_values
from astrafs.registry.lock import (
    DEPRECATED,
    REMOVED,
    Lock,
    Locked,
    feature_named,
    lock_plan,
    name_of,
)
from astrafs.source import Span

_SHOWN = 5

Recall = Callable[[str], Definition | None]
"""Finds the kept definition of an identity; None where it is lost."""


class Verdict(StrEnum):
    """What became of a feature version since it was locked."""

    IDENTICAL = "identical"
    CONTRACT = "contract only"
    VALUE = "value-changing"
    NEW = "new"
    DEPRECATED = "deprecated"
    REMOVED = "removed"
    RESTORED = "restored"


_SETTLED = (Verdict.IDENTICAL, Verdict.REMOVED)
"""Verdicts that leave nobody with another value."""


@dataclass(frozen=True, slots=True)
class Change:
    """One feature version, now and as locked.

    ``reasons`` are sentences; ``diff`` lines of the canonical text that differ; ``because`` the
    changed features that it reads: empty where the change begins here. ``readers`` are the
    features and views downstream.
    """

    feature: ir.FeatureId
    verdict: Verdict
    before: Locked | None
    after: Locked | None
    reasons: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()
    because: tuple[ir.FeatureId, ...] = ()
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every feature version of lock or plan, sorted, and the lock that the plan would have."""

    changes: tuple[Change, ...]
    lock: Lock

    def of(self, *verdicts: Verdict) -> tuple[Change, ...]:
        """Return the changes with one of ``verdicts``."""
        return tuple(change for change in self.changes if change.verdict in verdicts)

    @property
    def is_same(self) -> bool:
        """Whether the lock says exactly what the plan does."""
        return all(change.verdict is Verdict.IDENTICAL for change in self.changes)


def compare(lock: Lock, plan: ir.Plan, today: str, recall: Recall) -> Comparison:
    """Compare ``plan`` with ``lock``; ``recall`` gives locked definitions to show differences."""
    now = lock_plan(plan, today, lock)
    differ = {
        name
        for name, locked in now.features.items()
        if name in lock.features and lock.features[name].identity != locked.identity
    }
    readers = _Readers(plan)
    changes = []
    for name in sorted(now.features):
        change = _change(name, lock.features.get(name), now.features[name], differ, plan, recall)
        if change is None:
            continue
        if change.before is not None and change.verdict not in _SETTLED:
            change = replace(change, readers=readers.of(name))
        changes.append(change)
    return Comparison(tuple(changes), now)


def _change(
    name: ir.FeatureId,
    before: Locked | None,
    after: Locked,
    differ: set[ir.FeatureId],
    plan: ir.Plan,
    recall: Recall,
) -> Change | None:
    if after.status == REMOVED:
        if before is not None and before.status == REMOVED:
            return None
        return Change(name, Verdict.REMOVED, before, None)
    if before is None:
        return Change(name, Verdict.NEW, None, after)
    if name in differ:
        return _value_change(name, before, after, differ, plan, recall)
    reasons = _contract_reasons(before, after)
    if before.status == REMOVED:
        return Change(name, Verdict.RESTORED, before, after, reasons)
    if before.status != after.status and after.status == DEPRECATED:
        return Change(name, Verdict.DEPRECATED, before, after, (after.deprecated, *reasons))
    verdict = Verdict.CONTRACT if reasons else Verdict.IDENTICAL
    return Change(name, verdict, before, after, reasons)


def _value_change(
    name: ir.FeatureId,
    before: Locked,
    after: Locked,
    differ: set[ir.FeatureId],
    plan: ir.Plan,
    recall: Recall,
) -> Change:
    names = {name_of(node): node for node in differ}
    because = tuple(names[read] for read, _ in after.reads if read in names)
    reasons = _contract_reasons(before, after)
    old = recall(before.identity)
    if old is None:
        reasons += (*_read_reasons(before, after), "the locked definition is not kept any more")
        return Change(name, Verdict.VALUE, before, after, reasons, (), because)
    if value_identity(old.plan, old.feature) == value_identity(plan, name):
        return Change(name, Verdict.CONTRACT, before, after, reasons, (), because)
    pairs = {was: now for _, was, now in _moved(before, after)}
    diff: tuple[str, ...] = ()
    if not _is_same_but_for(old, plan, name, pairs):
        diff = _difference(old.plan, old.feature, prune(plan, features=(name,)), name)
    reasons += tuple(f"reads `{_short(read)}`, which has changed" for read in because)
    if diff:
        reasons += _trial(old, plan, name)
    return Change(name, Verdict.VALUE, before, after, reasons, diff, because)


def _trial(old: Definition, plan: ir.Plan, name: ir.FeatureId) -> tuple[str, ...]:
    """Return what trying both definitions on generated timelines shows."""
    found = compare_values(old.plan, old.feature, prune(plan, features=(name,)), name)
    rows = found.difference.rows if found.difference is not None else ()
    return (str(found), *(f"with {row}" for row in rows))


def _moved(before: Locked, after: Locked) -> list[tuple[str, str, str]]:
    """Return (name, old identity, new identity) of the features that are read then and now."""
    old = dict(before.reads)
    return [
        (read, old[read], identity)
        for read, identity in after.reads
        if read in old and old[read] != identity and feature_named(read) is not None
    ]


def _is_same_but_for(
    old: Definition, plan: ir.Plan, name: ir.FeatureId, pairs: Mapping[str, str]
) -> bool:
    """Whether a definition differs only in that what it reads has changed."""
    text = canonical_feature(old.plan, old.feature)
    for was, now in pairs.items():
        text = text.replace(was, now)
    return text == canonical_feature(plan, name)


def _contract_reasons(before: Locked, after: Locked) -> tuple[str, ...]:
    reasons = [
        f"{what} was `{old}` and is `{new}`"
        for what, old, new in (
            ("its type", before.type, after.type),
            ("its owner", before.owner, after.owner),
            ("its tags", ", ".join(before.tags) or "none", ", ".join(after.tags) or "none"),
        )
        if old != new
    ]
    if before.status != REMOVED and before.remove_after != after.remove_after:
        reasons.append(
            f"it may be used until {after.remove_after}"
            if after.remove_after
            else "it has no last day of use any more"
        )
    if before.doc != after.doc:
        reasons.append("its description has changed")
    if before.deprecated and not after.deprecated:
        reasons.append("it is no longer deprecated")
    return tuple(reasons)


def _read_reasons(before: Locked, after: Locked) -> tuple[str, ...]:
    old, new = dict(before.reads), dict(after.reads)
    reasons = [f"no longer reads {name}" for name in sorted(old.keys() - new.keys())]
    reasons += [f"now reads {name}" for name in sorted(new.keys() - old.keys())]
    reasons += [
        f"{name} has changed" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]
    ]
    return tuple(reasons)


def _difference(
    old: ir.Plan, was: ir.FeatureId, new: ir.Plan, now: ir.FeatureId
) -> tuple[str, ...]:
    """Return the lines of the definition that differ, marked ``-`` and ``+``: of the feature itself
    and of the rows that it reads directly.
    """
    lines = difflib.ndiff(_text(old, was), _text(new, now))
    return tuple(line.rstrip() for line in lines if line[:1] in "-+")


def _text(plan: ir.Plan, name: ir.FeatureId) -> list[str]:
    feature = next(feature for feature in plan.features if feature.id == name)
    read = references(feature.expression)
    streams = {stream.name: stream for stream in plan.streams}
    for stream in plan.streams:  # what a stream of it is made of belongs to its meaning
        if stream.name in read:
            at = stream.name
            while at in streams:
                read.add(at)
                at = streams[at].base
            read.add(at)
    blocks = [feature_text(feature)]
    blocks += [stream_text(stream) for stream in plan.streams if stream.name in read]
    blocks += [source_text(source) for source in plan.sources if source.name in read]
    return [line for block in blocks for line in block.splitlines()]


class _Readers:
    """Who reads a feature, however indirectly: features and views, by name."""

    def __init__(self, plan: ir.Plan) -> None:
        self._direct = dependents(dependencies(plan))
        self._views: dict[ir.FeatureId, list[str]] = {}
        for view in plan.views:
            for node in references(*(output.expression for output in view.outputs)):
                if isinstance(node, ir.FeatureId):
                    self._views.setdefault(node, []).append(f"view {view.name}")

    def of(self, feature: ir.FeatureId) -> tuple[str, ...]:
        """Return ``feature NAME`` and ``view NAME`` for everything downstream of ``feature``."""
        nodes = closure(self._direct, [feature])
        features = sorted(n for n in nodes if isinstance(n, ir.FeatureId))
        views = {name for node in features for name in self._views.get(node, ())}
        shown = (f"feature {node}" for node in features if node != feature)
        return (*shown, *sorted(views))


def changed_meanings(
    found: Comparison, places: Mapping[ir.FeatureId, Span]
) -> tuple[Diagnostic, ...]:
    """Return one error (AFS0802) for every place where a change of values begins.

    Features that changed only because they read such a one are named in its note. ``places`` give
    the span of every feature's name.
    """
    changed = {change.feature for change in found.of(Verdict.VALUE)}
    diagnostics = []
    for change in found.of(Verdict.VALUE):
        if change.because and not change.diff:
            continue
        name, span = change.feature, places.get(change.feature)
        title = f"`{_short(name)}` has changed its meaning since it was locked"
        assert change.before is not None
        diagnostic = (
            codes.CHANGED_MEANING.nowhere(title)
            if span is None
            else codes.CHANGED_MEANING.at(
                span, f"version {name.version}, locked {change.before.created}", title=title
            )
        )
        for line in (*change.diff[:_SHOWN], *change.reasons[:_SHOWN]):
            diagnostic = diagnostic.note(line)
        others = [
            _short(node)
            for node in sorted(changed)
            if node != name and f"feature {node}" in change.readers
        ]
        if others:
            shown = ", ".join(f"`{other}`" for other in others[:_SHOWN])
            rest = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            diagnostic = diagnostic.note(f"that changes {shown}{rest} as well")
        following = f"{name.name}@{_next_version(found.lock, name)}"
        diagnostic = diagnostic.help(
            f"keep this definition as it was and write the new one as `{following}: ...`; "
            f"readers that want the old meaning pin `{name.name}@{name.version}`"
        )
        if span is not None:
            diagnostic = diagnostic.fix(
                f"make it version {following}", Edit(span, following), safe=False
            )
        diagnostics.append(diagnostic)
    return tuple(diagnostics)


def _next_version(lock: Lock, name: ir.FeatureId) -> int:
    """Return a version that was never used: one past the highest, removed ones too."""
    mine = (f.version for f in lock.features if (f.entity, f.name) == (name.entity, name.name))
    return 1 + max(mine)


def _short(name: ir.FeatureId) -> str:
    entity = name.entity.rsplit(".", 1)[-1]
    version = "" if name.version == 1 else f"@{name.version}"
    return f"{entity}.{name.name}{version}"
