"""Compares a plan with its lock: what each feature version is against what it was, and why."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.plan import ir
from astrafs.plan.graph import closure, dependencies, dependents, references
from astrafs.plan.identity import (
    canonical_feature,
    canonical_features,
    plan_identities,
    value_identities,
    value_identity,
)
from astrafs.plan.prune import prune
from astrafs.plan.text import feature_text, source_text, stream_text
from astrafs.record import dataclass
from astrafs.registry.definitions import Definition
from astrafs.registry.impact import (
    Readers,
    Recompute,
    leak_changes,
    readings,
    recompute,
)
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
_TRIALS = 12
"""Of different changes; each takes a part of a second."""

Recall = Callable[[Locked], Definition | None]
"""Finds the kept definition of a locked version; None where it is lost."""


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
    features, views and datasets downstream. ``tried``: both definitions were, on generated rows.
    """

    feature: ir.FeatureId
    verdict: Verdict
    before: Locked | None
    after: Locked | None
    reasons: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()
    because: tuple[ir.FeatureId, ...] = ()
    readers: tuple[str, ...] = ()
    tried: bool = False

    @property
    def stays(self) -> bool:
        """Whether the values are what they were, as far as there were any."""
        return self.verdict in (Verdict.IDENTICAL, Verdict.CONTRACT, Verdict.DEPRECATED)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every feature version of lock or plan, sorted, and the lock that the plan would have;
    ``was`` are the kept definitions of what did not stay as it was in the lock ``before``.
    """

    changes: tuple[Change, ...]
    lock: Lock
    before: Lock
    was: tuple[Definition, ...] = ()
    recompute: Recompute = Recompute()

    def of(self, *verdicts: Verdict) -> tuple[Change, ...]:
        """Return the changes with one of ``verdicts``."""
        return tuple(change for change in self.changes if change.verdict in verdicts)

    @property
    def is_same(self) -> bool:
        """Whether the lock says exactly what the plan does."""
        return all(change.verdict is Verdict.IDENTICAL for change in self.changes)


def compare(
    lock: Lock, plan: ir.Plan, today: str, recall: Recall, engines: tuple[str, ...] = ()
) -> Comparison:
    """Compare ``plan`` with ``lock``; ``recall`` gives locked definitions to show differences."""
    now = lock_plan(plan, today, lock, engines)
    if now.features == lock.features:
        same = (
            Change(name, Verdict.IDENTICAL, one, one)
            for name, one in sorted(lock.features.items())
            if one.status != REMOVED
        )
        return Comparison(tuple(same), now, lock)
    return _Comparer(lock, now, plan, recall).compare()


class _Comparer:
    """One comparison; what is needed of the whole plan is worked out once, where it is at all."""

    def __init__(self, lock: Lock, now: Lock, plan: ir.Plan, recall: Recall) -> None:
        self.lock = lock
        self.now = now
        self.plan = plan
        self.kept: dict[str, Definition | None] = {}
        self._recall = recall
        self.differ = {
            name
            for name, locked in now.features.items()
            if name in lock.features and lock.features[name].identity != locked.identity
        }
        self.swapped = self._swapped()
        readers = dependents(dependencies(plan)) if self.swapped else {}
        self.differ |= {
            node
            for node in closure(readers, self.swapped)
            if isinstance(node, ir.FeatureId) and self._was_there(node)
        }
        self.names = {name_of(node): node for node in self.differ}
        self.values = value_identities(plan) if self.differ else {}
        self.texts = canonical_features(plan) if self.differ else {}
        self.tried: dict[tuple[str, ...], ir.FeatureId] = {}

    def _was_there(self, name: ir.FeatureId) -> bool:
        return name in self.lock.features and self.lock.features[name].status != REMOVED

    def _reads_the_same(self, after: Locked) -> bool:
        """Whether all features that a version reads have the definitions that were locked."""
        for read, _ in after.reads:
            name = feature_named(read)
            if name is not None:
                old = self.lock.features.get(name)
                if old is None or old.definition != self.now.features[name].definition:
                    return False
        return True

    def _swapped(self) -> dict[ir.FeatureId, tuple[str, ...]]:
        """Return the features of the same identity that read other sources of the same form, each
        with the lines that say which. A source that has another name now is none: the old name is
        gone, and the new one is new.
        """
        here = {source.name for source in self.plan.sources}
        there = self.lock.rows.keys()
        found = {}
        for name, after in self.now.features.items():
            if not self._was_there(name) or after.status == REMOVED or name in self.differ:
                continue
            old = self.lock.features[name]
            if old.definition == after.definition:
                continue
            before = old.sources
            pairs = list(dict.fromkeys(zip(before, after.sources, strict=False)))
            renamed = (
                len(before) == len(after.sources)
                and all(was == now or (was not in here and now not in there) for was, now in pairs)
                and len(dict(pairs)) == len(pairs) == len({now for _, now in pairs})
            )
            if before == after.sources:  # the same ones, but in other places?
                renamed = not old.definition or not self._reads_the_same(after)
            if before and not renamed:
                others = [pair for pair in pairs if pair[0] != pair[1]] or [
                    (", ".join(before), ", ".join(after.sources))
                ]
                found[name] = tuple(
                    line for was, now in others for line in (f"-   from {was}", f"+   from {now}")
                )
        return found

    def compare(self) -> Comparison:
        """Return every change with its readers, and what follows from all of them."""
        readers = Readers(self.plan)
        changes = []
        for name in sorted(self.now.features):
            change = self.change(name, self.lock.features.get(name), self.now.features[name])
            if change is None:
                continue
            if change.before is not None and change.verdict not in _SETTLED:
                change = replace(change, readers=readers.of(name))
            changes.append(change)
        return Comparison(
            tuple(changes), self.now, self.lock, self.was(changes), self.recompute(changes)
        )

    def recall(self, locked: Locked) -> Definition | None:
        """Return a locked definition, reading it once."""
        name = locked.kept_as
        if name not in self.kept:
            self.kept[name] = self._recall(locked)
        return self.kept[name]

    def was(self, changes: Sequence[Change]) -> tuple[Definition, ...]:
        """Return what was locked of all that did not stay, as far as it is kept."""
        kept = (
            self.recall(one.before)
            for one in changes
            if one.before is not None and one.before.status != REMOVED and not one.stays
        )
        return tuple(one for one in kept if one is not None)

    def recompute(self, changes: Sequence[Change]) -> Recompute:
        """Return what must be computed anew."""
        fresh = (Verdict.VALUE, Verdict.NEW, Verdict.RESTORED)
        return recompute(self.plan, [one.feature for one in changes if one.verdict in fresh])

    def change(self, name: ir.FeatureId, before: Locked | None, after: Locked) -> Change | None:
        """Return what became of one feature version; None where it was removed before."""
        if after.status == REMOVED:
            if before is not None and before.status == REMOVED:
                return None
            return Change(name, Verdict.REMOVED, before, None)
        if before is None:
            return Change(name, Verdict.NEW, None, after)
        if name in self.differ:
            return self.value_change(name, before, after)
        reasons = _contract_reasons(before, after)
        if before.status == REMOVED:
            return Change(name, Verdict.RESTORED, before, after, reasons)
        if before.status != after.status and after.status == DEPRECATED:
            return Change(name, Verdict.DEPRECATED, before, after, (after.deprecated, *reasons))
        verdict = Verdict.CONTRACT if reasons else Verdict.IDENTICAL
        return Change(name, verdict, before, after, reasons)

    def value_change(self, name: ir.FeatureId, before: Locked, after: Locked) -> Change:
        """Return the change of a feature with another identity."""
        because = tuple(self.names[read] for read, _ in after.reads if read in self.names)
        reasons = _contract_reasons(before, after)
        if before.identity == after.identity:
            reasons += tuple(f"reads `{_short(read)}`, which has changed" for read in because)
            lines = self.swapped.get(name, ())
            if lines:
                reasons += ("reads another source of the same form",)
            return Change(name, Verdict.VALUE, before, after, reasons, lines, because)
        old = self.recall(before)
        if old is None:
            reasons += (
                *_read_reasons(before, after),
                "the locked definition is not kept any more",
            )
            return Change(name, Verdict.VALUE, before, after, reasons, (), because)
        if value_identity(old.plan, old.feature) == self.values[name]:
            return Change(name, Verdict.CONTRACT, before, after, reasons, (), because)
        pairs = {was: now for _, was, now in _moved(before, after)}
        text = canonical_feature(old.plan, old.feature) if pairs else ""
        for was, now in pairs.items():
            text = text.replace(was, now)
        reasons += tuple(f"reads `{_short(read)}`, which has changed" for read in because)
        if text == self.texts[name]:  # it differs only in that what it reads has changed
            return Change(name, Verdict.VALUE, before, after, reasons, (), because)
        new = prune(self.plan, features=(name,))
        diff = _difference(old, _names(old, before), new, name)
        reasons += tuple(leak_changes(readings(old.plan, old.feature), readings(new, name)))
        first, tried = self.tried.setdefault(diff, name), False
        if first != name and diff:
            reasons += (f"changes as `{_short(first)}` does, which was tried",)
        elif len(self.tried) > _TRIALS:
            reasons += ("not tried: too much has changed at once",)
        elif diff:
            reasons, tried = (*reasons, *_trial(old, new, name)), True
        return Change(name, Verdict.VALUE, before, after, reasons, diff, because, tried=tried)


def _trial(old: Definition, new: ir.Plan, name: ir.FeatureId) -> tuple[str, ...]:
    """Return what trying both definitions on generated timelines shows."""
    from astrafs.registry.evidence import compare_values  # with it comes the interpreter

    found = compare_values(old.plan, old.feature, new, name)
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
    old: Definition, names: Mapping[str, str], new: ir.Plan, now: ir.FeatureId
) -> tuple[str, ...]:
    """Return the lines of the definition that differ, marked ``-`` and ``+``: of the feature itself
    and of the rows that it reads directly. ``names`` are right for those in ``old``.
    """
    before = _text(old.plan, old.feature)
    if names:
        wrong = re.compile("|".join(rf"(?<![\w.]){re.escape(name)}(?![\w@])" for name in names))
        before = [wrong.sub(lambda found: names[found[0]], line) for line in before]
    lines = difflib.ndiff(before, _text(new, now))
    return tuple(line.rstrip() for line in lines if line[:1] in "-+")


def _names(old: Definition, before: Locked) -> dict[str, str]:
    """Return the names that a definition, which may have been kept for a feature of the same
    identity, has for this one, where they differ: its own and those of what it reads.
    """
    features, rows = plan_identities(old.plan)
    read = {identity: _plain(name) for name, identity in before.reads}
    found = {str(name): read.get(identity, "") for name, identity in features.items()}
    found |= {name: read.get(identity, "") for name, identity in rows.items()}
    found[str(old.feature)] = str(before.feature)
    return {wrong: right for wrong, right in found.items() if right and right != wrong}


def _plain(name: str) -> str:
    feature = feature_named(name)
    return name if feature is None else str(feature)


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


def changed_meanings(
    found: Comparison, places: Mapping[ir.FeatureId, Span]
) -> tuple[Diagnostic, ...]:
    """Return one error (AFS0802) for every place where a change of values begins.

    Features that changed only because they read such a one are named in its note. ``places`` give
    the span of every feature's name.
    """
    changed = {change.feature for change in found.of(Verdict.VALUE)}
    at_place = Counter(places.values())
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
        # A name in a template is many features: to rewrite it would give them all one name.
        if span is not None and at_place[span] == 1:
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
