"""Checking a project again: only the modules that changed, what they depend on, and what depends on
what others can see of them.

The answer is that of a check of everything, to the letter. So a record is used again only where
nothing that its module can see has changed, and everything is checked wherever a diagnostic may
speak of the project as a whole: a misspelt name is compared with all names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from astrafs.cache.modules import Graph, Needs, imports, mentions
from astrafs.cache.records import Counts, Record, diagnostic_of
from astrafs.cache.store import Memory, Store, digest
from astrafs.diagnostics.model import Sink
from astrafs.record import dataclass
from astrafs.source import SourceFile

MOST_FEATURES = 10_000
MOST_REPEATS = 100_000
MOST_PROBLEMS = 100
"""Timelines are drawn for so many leaks of a project; the passes count their work as well."""
MOST_ROUNDS = 4
MOST_SHARE = 0.7
"""Of the modules: to check more of them by themselves saves nothing."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check says besides its diagnostics; ``bindings`` are the names of all sources."""

    counts: Counts
    bindings: tuple[str, ...]


def check_files(files: Sequence[SourceFile], sink: Sink, store: Store) -> Checked | None:
    """Check the project of ``files``; every problem goes to ``sink``, as from ``compile_project``.

    None where there was nothing to build on.
    """
    by_module = {_module_name(file.path): file for file in files}
    texts = {
        name: digest(file.text.encode("utf-8", "surrogatepass")) for name, file in by_module.items()
    }
    again = _Again(by_module, texts, store.load())
    if len(by_module) == len(files) and again.run():
        _report(again.records, sink)
        again.save(store)
        counts = sum((one.counts for one in again.records.values()), Counts())
        names = (name for one in again.records.values() for name in one.bindings)
        return Checked(counts, tuple(sorted(names)))
    return _check_all(files, again, sink, store)


def _check_all(
    files: Sequence[SourceFile], again: _Again, sink: Sink, store: Store
) -> Checked | None:
    from astrafs.cache.examine import examine

    had_errors = sink.has_errors
    if len(again.files) < len(files):  # two files claim one module, which is an error
        from astrafs.driver import compile_project

        program = compile_project(files, sink)
        if program is None:
            return None
    else:
        done = examine(again.files, again.texts, frozenset(again.files), sink)
        if done.analysis is None:
            return None
        if not done.analysis.refused and not had_errors:
            sink.extend(done.analysis.unused)
        program = done.analysis.program
        if done.records is not None:
            again.records = dict(done.records)
            again.repeats = done.analysis.symbols.repeats.count
            again.settle()
            if again.is_whole() and not again.seeks_what_is_there(again.graph()):
                again.save(store)
    plan = program.plan
    counts = Counts(len(plan.sources), len(plan.features), len(plan.views))
    return Checked(counts, tuple(program.bindings))


def _module_name(path: str) -> str:
    return path.removesuffix(".afs").replace("/", ".")


def _report(records: Mapping[str, Record], sink: Sink) -> None:
    """Emit what the records hold."""
    found = [one for record in records.values() for one in record.found]
    if not sink.has_errors and not any(record.refused for record in records.values()):
        found += [one for record in records.values() for one in record.unused]
    if found:
        from astrafs.diagnostics.codes import ALL  # all codes are many; a clean project needs none

        sink.extend(diagnostic_of(one, ALL) for one in found)


class _Again:
    """One check that begins with the records of an earlier one."""

    def __init__(
        self, files: Mapping[str, SourceFile], texts: Mapping[str, str], memory: Memory
    ) -> None:
        self.files = files
        self.texts = texts
        self.known = frozenset(files)
        self.repeats = memory.repeats
        self.records = {
            name: record
            for name, file in files.items()
            if (record := memory.records.get(file.path)) is not None
            and record.text == texts[name]
            and record.module == name
        }

    def run(self) -> bool:
        """Bring ``records`` up to date; False where everything must be checked."""
        if not self.records:
            return False
        stale = set(self.known - self.records.keys())
        checked: frozenset[str] = frozenset()  # by the last compilation
        for _ in range(MOST_ROUNDS):
            graph = self.graph()
            if self.records.keys() == self.known:
                stale |= self._outdated(graph)
            todo = graph.closure(stale)
            if todo <= checked:
                self.settle()
                return self.is_whole() and not self.seeks_what_is_there(graph)
            if len(todo) > MOST_SHARE * len(self.files) or not self._check(todo):
                return False
            checked = todo
        return False

    def settle(self) -> None:
        """Give the records that were made just now their basis."""
        basis = self._bases(self.graph())
        for name, record in self.records.items():
            if not record.basis:
                self.records[name] = replace(record, basis=basis(record))

    def is_whole(self) -> bool:
        """Whether the records together say what a check of everything would: there are no features
        declared twice, and no more of anything than is counted for the whole project.
        """
        names: dict[tuple[str, str], str] = {}
        versions: set[tuple[str, str, int]] = set()
        for record in self.records.values():
            for entity, name, version in record.features:
                if names.setdefault((entity, name.casefold()), name) != name:
                    return False
                if (entity, name, version) in versions:
                    return False
                versions.add((entity, name, version))
        problems = sum(len(record.found) for record in self.records.values())
        return (
            self.records.keys() == self.known
            and len(versions) <= MOST_FEATURES
            and self.repeats <= MOST_REPEATS
            and problems < MOST_PROBLEMS
        )

    def save(self, store: Store) -> None:
        """Keep the records."""
        records = {self.files[name].path: record for name, record in self.records.items()}
        store.save(Memory(records, self.repeats))

    def graph(self) -> Graph:
        """Return the graph of all modules; of those without a record, their texts say enough."""
        needs: dict[str, Needs] = {}
        features: dict[str, list[str]] = {}
        for name, file in self.files.items():
            record = self.records.get(name)
            if record is None:
                needs[name] = Needs(imports(file.text, self.known), (), mentions(file.text))
            else:
                needs[name] = Needs(record.imports, record.reads, record.mentions)
                features[name] = [feature for _, feature, _ in record.features]
        return Graph(needs, features)

    def _outdated(self, graph: Graph) -> set[str]:
        """Return the modules that see something else than they saw when they were checked."""
        basis = self._bases(graph)
        return {
            name
            for name, record in self.records.items()
            if record.basis and record.basis != basis(record)
        }

    def seeks_what_is_there(self, graph: Graph) -> bool:
        """Whether a name that a module looked for in vain may be that of something which it does
        not see: then the answer says where it is, or, in a damaged file, says nothing.
        """
        for name, record in self.records.items():
            if not record.absent:
                continue
            outside = self.known - graph.closure({name})
            for other in outside:
                features = {feature for _, feature, _ in self.records[other].features}
                text = self.files[other].text
                if self.records[other].refused or not features.isdisjoint(record.absent):
                    return True
                if any(word in text for word in record.absent):
                    return True
        return False

    def _bases(self, graph: Graph) -> Callable[[Record], str]:
        """Return what gives the basis of a record as it is now."""
        interfaces = {name: one.interface for name, one in self.records.items()}
        return lambda one: graph.basis(one.module, self.texts if one.exact else interfaces)

    def _check(self, todo: frozenset[str]) -> bool:
        """Check the modules ``todo``, which need no others; False if that says too little."""
        from astrafs.cache.examine import examine  # with it comes the compiler

        chosen = {name: self.files[name] for name in sorted(todo)}
        done = examine(chosen, self.texts, self.known, Sink())
        if done.analysis is None or done.records is None:
            return False
        self.repeats += done.analysis.symbols.repeats.count
        self.records.update(done.records)
        return True
