"""Applying fixes to texts: which ones go together, and what the texts are afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from astrafs.diagnostics.model import Diagnostic, Edit, Fix
from astrafs.record import dataclass
from astrafs.source import SourceFile

MOST_ROUNDS = 40
"""Fixes can make room for others (a line shows its second mistake once the first is gone)."""

Texts = Mapping[str, SourceFile]
Check = Callable[[Texts], Sequence[Diagnostic]]
Wanted = Callable[[Diagnostic, Fix], bool]


@dataclass(frozen=True, slots=True)
class Repair:
    """A fix that was applied, and the diagnostic that carried it."""

    diagnostic: Diagnostic
    fix: Fix


@dataclass(frozen=True, slots=True)
class Repaired:
    """The texts when nothing is left to fix: what was done, and what is still wrong with them."""

    files: Texts
    repairs: tuple[Repair, ...]
    left: tuple[Diagnostic, ...]


def repair(files: Texts, check: Check, wanted: Wanted) -> Repaired:
    """Apply the ``wanted`` fixes of what ``check`` finds in ``files``, until none is left.

    A fix after which its diagnostic still stands is taken back, and tried again only after others.
    """
    found = tuple(check(files))
    done: list[Repair] = []
    futile: set[tuple[str, ...]] = set()
    for _ in range(MOST_ROUNDS):
        chosen = choose((one for one in found if _name(one, files) not in futile), wanted)
        if not chosen:
            break
        changed = apply(files, (one.fix for one in chosen))
        after = tuple(check(changed))
        failed = set(_failed(chosen, (found, files), (after, changed)))
        if failed:
            futile |= failed
            continue
        done += chosen
        files, found = changed, after
        futile.clear()  # what did not help before may do so now
    return Repaired(files, tuple(done), found)


def choose(diagnostics: Iterable[Diagnostic], wanted: Wanted) -> list[Repair]:
    """Return the first wanted fix of each diagnostic, without those that touch an earlier one's
    places.
    """
    taken: list[Edit] = []
    chosen = []
    for found in diagnostics:
        for fix in found.fixes:
            if not fix.edits or not wanted(found, fix):
                continue
            if not any(_touch(edit, other) for edit in fix.edits for other in taken):
                taken += fix.edits
                chosen.append(Repair(found, fix))
            break
    return chosen


def apply(files: Texts, fixes: Iterable[Fix]) -> dict[str, SourceFile]:
    """Return ``files`` with the edits of ``fixes``, which are disjoint."""
    edits: dict[str, list[Edit]] = {}
    for fix in fixes:
        for edit in fix.edits:
            edits.setdefault(edit.span.path, []).append(edit)
    changed = dict(files)
    for path, ones in edits.items():
        changed[path] = SourceFile(path, edited(files[path].text, ones))
    return changed


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return ``text`` with disjoint ``edits`` of it."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda one: (one.span.start, one.span.end)):
        parts += [text[at : edit.span.start], edit.text]
        at = edit.span.end
    return "".join([*parts, text[at:]])


def _touch(left: Edit, right: Edit) -> bool:
    """Whether two edits overlap, or stand so close that their order would matter."""
    a, b = left.span, right.span
    return a.path == b.path and a.start <= b.end and b.start <= a.end


def _failed(
    chosen: Sequence[Repair],
    before: tuple[Iterable[Diagnostic], Texts],
    after: tuple[Iterable[Diagnostic], Texts],
) -> Iterator[tuple[str, ...]]:
    """Yield the names of the diagnostics that still stand where they stood, and are no fewer."""
    edits = [edit for one in chosen for edit in one.fix.edits]
    old = Counter(_name(one, before[1]) for one in before[0])
    new = Counter(_name(one, after[1]) for one in after[0])
    still = {(_name(one, after[1]), *_places(one, ())) for one in after[0]}
    for one in chosen:
        name = _name(one.diagnostic, before[1])
        if new[name] >= old[name] and any(
            (name, place) in still for place in _places(one.diagnostic, edits)
        ):
            yield name


def _name(found: Diagnostic, files: Texts) -> tuple[str, ...]:
    """Tell a diagnostic from others of its code by what it says and what it says it of."""
    if found.primary is None:
        return found.code.id, found.title
    span = found.primary.span
    text = files[span.path].text[span.start : span.end] if span.path in files else ""
    return found.code.id, found.title, span.path, found.primary.text, text


def _places(found: Diagnostic, edits: Iterable[Edit]) -> set[int]:
    """Return where a diagnostic would start after ``edits``: an insertion at its start may or may
    not have moved it.
    """
    if found.primary is None:
        return {0}
    span = found.primary.span
    before = [edit for edit in edits if edit.span.path == span.path and edit.span.end <= span.start]
    strictly = [edit for edit in before if edit.span.end < span.start]
    return {
        span.start + sum(len(edit.text) - (edit.span.end - edit.span.start) for edit in ones)
        for ones in (before, strictly)
    }
