"""Modules that depend on one another, seen from their records and texts: nothing is parsed here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from astrafs.cache.store import digest
from astrafs.record import dataclass

_GAP = r"(?:\s|#[^\n]*)*"
_MENTION = re.compile(rf"\.{_GAP}`?([A-Za-z_][\w{{}}]*)")
_USE = re.compile(rf"\buse\b{_GAP}([\w.`]+)")
_PLACEHOLDER = re.compile(r"\{\w*\}")


def mentions(text: str) -> tuple[str, ...]:
    """Return the names behind a dot: every feature of another entity that ``text`` reads is one."""
    return tuple(sorted(set(_MENTION.findall(text))))


def imports(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return which of the modules ``known`` a line like ``use a.b.{c}`` of ``text`` may name.

    It may name too many; of what it misses, the checker says that it does not exist.
    """
    names = set()
    for path in _USE.findall(text):
        whole = path.replace("`", "").strip(".")
        names |= {whole, whole.rpartition(".")[0]}
    return tuple(sorted(names.intersection(known)))


@dataclass(frozen=True, slots=True)
class Needs:
    """What one module names of others; the parts are those of its record."""

    imports: Sequence[str]
    reads: Sequence[str]
    mentions: Sequence[str]


class Graph:
    """Which module depends on which, by the needs of each and the features that each declares."""

    def __init__(self, needs: Mapping[str, Needs], features: Mapping[str, Iterable[str]]) -> None:
        self._needs = needs
        self._providers: dict[str, set[str]] = {}
        for module, names in features.items():
            for name in names:
                self._providers.setdefault(name, set()).add(module)
        self._next: dict[str, frozenset[str]] = {}
        self._reach: dict[frozenset[str], frozenset[str]] = {}

    def providers(self, name: str) -> set[str]:
        """Return the modules with a feature called ``name``, which may have placeholders."""
        if "{" not in name:
            return self._providers.get(name, set())
        loose = re.compile(r"\w+".join(map(re.escape, _PLACEHOLDER.split(name))))
        found: set[str] = set()
        for other, modules in self._providers.items():
            if loose.fullmatch(other):
                found |= modules
        return found

    def _direct(self, module: str) -> frozenset[str]:
        known = self._next.get(module)
        if known is None:
            needs = self._needs[module]
            found = {*needs.imports, *needs.reads}
            for name in needs.mentions:
                found |= self.providers(name)
            known = self._next[module] = frozenset(found & self._needs.keys())
        return known

    def closure(self, modules: Iterable[str]) -> frozenset[str]:
        """Return ``modules`` and all that they depend on."""
        start = frozenset(modules)
        reached = self._reach.get(start)
        if reached is None:
            found = set(start)
            waiting = list(start)
            while waiting:
                for other in self._direct(waiting.pop()):
                    if other not in found:
                        found.add(other)
                        waiting.append(other)
            reached = self._reach[start] = frozenset(found)
        return reached

    def basis(self, module: str, digests: Mapping[str, str]) -> str:
        """Return the digest of what ``module`` depends on, given the digest of each module."""
        around = self.closure(self._direct(module)) - {module}
        return digest("\n".join(f"{one} {digests[one]}" for one in sorted(around)).encode())
