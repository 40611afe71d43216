"""Making records of modules that have just been compiled."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from astrafs.cache.modules import imports, mentions
from astrafs.cache.records import Counts, Record, UnstorableError, found_of
from astrafs.cache.store import digest
from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import plan as plan_codes
from astrafs.diagnostics.codes import types as type_codes
from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.driver import Analysis, analyse
from astrafs.plan.graph import dependencies
from astrafs.plan.ir import FeatureId
from astrafs.record import dataclass
from astrafs.source import SourceFile, Span
from astrafs.syntax import ast
from astrafs.syntax.machine import machine
from astrafs.temporal.footprint import Readings

_LOCAL = frozenset(
    code.id
    for code in (
        name_codes.MISSING_DOC,
        name_codes.MISSING_OWNER,
        name_codes.BAD_ANNOTATION,
        name_codes.DEPRECATED,
    )
)
"""Diagnostics about names that do not compare them with those of other modules."""

_SOUGHT = frozenset(
    code.id
    for code in (
        name_codes.UNKNOWN_NAME,
        name_codes.UNKNOWN_COLUMN,
        name_codes.UNKNOWN_FUNCTION,
        type_codes.UNKNOWN_TYPE,
    )
)
"""Diagnostics that say where in the project the same name is declared, if it is, and compare it
with names that the module sees.
"""

_ELSEWHERE = frozenset({plan_codes.NOT_SUPPORTED.id})
_WORD = re.compile(r"\w+")
_QUOTED = re.compile(r"`([^`]*)`")

_SIMPLE = (
    ast.Use, ast.Owner, ast.UnitDecl, ast.ConstDecl, ast.WindowDecl, ast.FnDecl, ast.EntityDecl,
    ast.SourceDecl, ast.StreamDecl, ast.ViewDecl,
)  # fmt: skip
"""Declarations that see of another module's features no more than their types and footprints."""


@dataclass(frozen=True, slots=True)
class Examined:
    """Modules after every pass. ``records`` (by module, without their basis) is None where they
    must not be kept: they are only right next to the other modules as these are now.
    """

    analysis: Analysis | None
    records: Mapping[str, Record] | None


def examine(
    files: Mapping[str, SourceFile], texts: Mapping[str, str], known: frozenset[str], sink: Sink
) -> Examined:
    """Compile ``files`` (by module), of a project with the modules ``known``; problems go to
    ``sink``. ``texts`` are the digests of the files.
    """
    own = Sink()
    analysis = analyse(tuple(files.values()), own)
    found = tuple(own)
    sink.extend(found)
    if analysis is None or not _can_keep(analysis, found):
        return Examined(analysis, None)
    try:
        return Examined(analysis, dict(_Maker(analysis, found, files, texts, known).records()))
    except UnstorableError:
        return Examined(analysis, None)


def _can_keep(analysis: Analysis, found: Sequence[Diagnostic]) -> bool:
    """Whether the diagnostics of each module would be the same if only modules changed of which it
    sees nothing.
    """
    return (
        analysis.footprints is not None
        and not analysis.symbols.guessed
        and not any(_asks_project(one) for one in found)
    )


def _asks_project(found: Diagnostic) -> bool:
    code = found.code.id
    return (
        found.primary is None
        or code in _ELSEWHERE
        or (code.startswith("AFS02") and code not in _LOCAL and code not in _SOUGHT)
    )


class _Maker:
    """Takes apart by module what the passes found out about all of them."""

    def __init__(
        self,
        analysis: Analysis,
        found: Sequence[Diagnostic],
        files: Mapping[str, SourceFile],
        texts: Mapping[str, str],
        known: frozenset[str],
    ) -> None:
        self.analysis = analysis
        self.files = files
        self.texts = texts
        self.known = known
        self.found = _by_path(found)
        self.unused = _by_path(analysis.unused)
        self.reads: dict[str, set[str]] = {name: set() for name in files}
        self.names: dict[str, set[str]] = {name: set() for name in files}
        program = analysis.program
        origins = {feature: origin.module for feature, origin in program.features.items()}
        for node, targets in dependencies(program.plan).items():
            reader = origins[node] if isinstance(node, FeatureId) else _module_of(node)
            for target in targets:
                if isinstance(target, FeatureId):
                    self.reads[reader].add(origins.get(target, reader))
                    self.names[reader].add(target.name)
                else:
                    self.reads[reader].add(_module_of(target))
        self.tags = {one.id: one.tags for one in program.plan.features if one.tags}
        self.features: dict[str, list[FeatureId]] = {name: [] for name in files}
        for symbol in analysis.symbols.all_features():
            self.features[symbol.module].append(symbol.id)

    def records(self) -> Iterator[tuple[str, Record]]:
        """Yield the records of all modules by their names."""
        plan = self.analysis.program.plan
        sources = _count(source.name for source in plan.sources)
        views = _count(view.name for view in plan.views)
        for tree in self.analysis.modules:
            name, file = tree.name, self.files[tree.name]
            refused = file.path in self.analysis.refused
            found = tuple(found_of(one) for one in self.found.get(file.path, ()))
            reads = self.reads[name] - {name}
            yield (
                name,
                Record(
                    module=name,
                    text=self.texts[name],
                    interface=self.texts[name] if found else self._interface(tree, file),
                    exact=bool(found) or not all(map(_is_simple, tree.declarations)),
                    basis="",
                    imports=imports(file.text, self.known - {name}),
                    reads=tuple(sorted(reads)),
                    mentions=tuple(sorted({*mentions(file.text), *self.names[name]})),
                    absent=self._absent(file),
                    features=tuple(
                        (one.entity, one.name, one.version) for one in self.features[name]
                    ),
                    counts=Counts(
                        sources.get(name, 0), len(self.features[name]), views.get(name, 0)
                    ),
                    bindings=tuple(
                        sorted(n for n in self.analysis.program.bindings if _module_of(n) == name)
                    ),
                    refused=refused,
                    found=found,
                    unused=tuple(found_of(one) for one in self.unused.get(file.path, ())),
                ),
            )

    def _absent(self, file: SourceFile) -> tuple[str, ...]:
        """Return the names that diagnostics of ``file`` say are nowhere to be found."""
        names: set[str] = set()
        for found in self.found.get(file.path, ()):
            if found.code.id in _SOUGHT and found.primary is not None:
                span = found.primary.span
                written = file.text[span.start : span.end]
                if "{" in written:  # the title has the name that the template made
                    written = " ".join(_QUOTED.findall(found.title))
                names |= set(_WORD.findall(written))
        return tuple(sorted(names))

    def _interface(self, tree: ast.Module, file: SourceFile) -> str:
        """Return the digest of what others see: all tokens but those of what features are made of,
        and the features' footprints and tags. Descriptions and comments are not among it.
        """
        hidden = sorted(_values(tree), key=lambda span: span.start)
        parts: list[str] = []
        at = 0
        for token in machine().scanner.scan(file.text):
            while at < len(hidden) and hidden[at].end <= token.start_pos:
                at += 1
            inside = at < len(hidden) and hidden[at].start <= token.start_pos
            if token.type != "COMMENT" and not inside:
                parts.append(str(token))
        footprints = self.analysis.footprints
        assert footprints is not None
        for feature in self.features[tree.name]:
            parts += (str(feature), *_readings(footprints.features.get(feature, {})))
            parts += self.tags.get(feature, ())
        return digest("\0".join(parts).encode("utf-8", "surrogatepass"))


def _by_path(found: Sequence[Diagnostic]) -> dict[str, list[Diagnostic]]:
    paths: dict[str, list[Diagnostic]] = {}
    for one in found:
        if one.primary is not None:
            paths.setdefault(one.primary.span.path, []).append(one)
    return paths


def _module_of(name: str) -> str:
    return name.rpartition(".")[0]


def _count(names: Iterator[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[_module_of(name)] = counts.get(_module_of(name), 0) + 1
    return counts


def _is_simple(declaration: ast.Decl) -> bool:
    if isinstance(declaration, ast.FeaturesDecl):
        return not declaration.labels
    return isinstance(declaration, _SIMPLE)


def _values(tree: ast.Module) -> Iterator[Span]:
    """Yield where the expressions of features stand."""
    waiting: list[ast.FeatureItem] = []
    for declaration in tree.declarations:
        if isinstance(declaration, ast.FeaturesDecl):
            waiting.extend(declaration.items)
    while waiting:
        item = waiting.pop()
        if isinstance(item, ast.ForLoop):
            waiting.extend(item.items)
        else:
            yield item.value.span


def _readings(found: Readings) -> Iterator[str]:
    """Yield what counts of readings: all but the paths that led to them."""
    for _, reading in sorted(found.items()):
        yield repr(
            [getattr(reading, one.name) for one in dataclasses.fields(reading) if one.compare]
        )
