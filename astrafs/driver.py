"""The pipeline from source text to a checked plan, top to bottom. Read this file first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from astrafs.diagnostics.codes import names as codes
from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.leakage.check import check_leakage
from astrafs.plan.program import Program
from astrafs.plan.verify import verify
from astrafs.record import dataclass
from astrafs.resolve.collect import collect_symbols, report_unused
from astrafs.resolve.expand import Expander
from astrafs.resolve.symbols import Symbols
from astrafs.source import SourceFile, Span
from astrafs.syntax import ast
from astrafs.syntax.parse import parse_damaged
from astrafs.syntax.report import Reporter
from astrafs.temporal.datasets import with_horizons
from astrafs.temporal.footprint import Footprints
from astrafs.temporal.maturity import with_maturity
from astrafs.typecheck.check import BUILTIN_NAMES, check_program
from astrafs.typecheck.context import NOTHING_OUTSIDE, Outside

MAX_FILES = 2_000
_SEGMENT = re.compile(r"[a-z][a-z0-9_]*\Z")


def compile_project(
    files: Sequence[SourceFile], sink: Sink, outside: Outside = NOTHING_OUTSIDE
) -> Program | None:
    """Compile the ``.afs`` files of a project; every problem goes to ``sink``.

    The order of ``files`` does not matter. ``outside`` is what only diagnostics depend on. Returns
    the program so far even where there are errors (its faulty expressions have the ERROR type), and
    None only where there was nothing to build on. A plan without errors has been verified.
    """
    analysis = analyse(files, sink, outside)
    if analysis is None:
        return None
    if not analysis.refused:
        sink.extend(analysis.unused)
    return analysis.program


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the passes found out besides their diagnostics.

    ``footprints`` is None where names are missing or form a cycle. ``refused`` are the paths with
    errors other than leaks (empty for those without a place). ``unused`` warns about imports; it
    may be wrong where something was refused.
    """

    modules: tuple[ast.Module, ...]
    symbols: Symbols
    program: Program
    footprints: Footprints | None
    refused: frozenset[str]
    unused: tuple[Diagnostic, ...]


def analyse(
    files: Sequence[SourceFile], sink: Sink, outside: Outside = NOTHING_OUTSIDE
) -> Analysis | None:
    """Run every pass over ``files``; None where there are too many of them."""
    parsed = parse_files(files, sink)
    if parsed is None:
        return None
    by_path = {file.path: file for file in files}
    later = LaterSink.over(sink, by_path, parsed.heads)
    symbols = resolve(parsed, later)
    program = check_program(symbols, by_path, later, outside)
    program = replace(program, plan=with_horizons(program.plan))
    program = replace(program, tests=with_maturity(program.plan, program.tests, later))
    refused = frozenset(
        found.primary.span.path if found.primary else "" for found in sink if found.is_error
    )
    unused = Sink()
    report_unused(symbols, unused)
    footprints = check_leakage(program, later)
    if not sink.has_errors:
        verify(program.plan)
    return Analysis(parsed.modules, symbols, program, footprints, refused, tuple(unused))


@dataclass(frozen=True, slots=True)
class Parsed:
    """The trees of a project.

    ``damaged`` holds, for each module with syntax errors, the text that is not in its tree;
    ``heads`` says where the declarations begin that lost a part of their header.
    """

    modules: tuple[ast.Module, ...]
    damaged: Mapping[str, str]
    heads: tuple[Span, ...]


def parse_files(files: Sequence[SourceFile], sink: Sink) -> Parsed | None:
    """Parse every file, in the order of paths; None where there are too many."""
    ordered = sorted(files, key=lambda file: file.path)
    if len(ordered) > MAX_FILES:
        extra = ordered[MAX_FILES]
        sink.emit(
            codes.TOO_LARGE.at(
                Span(extra.path, 0, 0),
                f"this is file number {MAX_FILES + 1:,}",
                title=f"a project has at most {MAX_FILES:,} files",
            ).help("split the project")
        )
        return None
    modules: list[ast.Module] = []
    damaged: dict[str, str] = {}
    heads: list[Span] = []
    for file in ordered:
        _check_path(file, sink)
        found = Sink()
        report = Reporter(file, found)
        modules.append(parse_damaged(report, module_name(file.path)))
        if found.has_errors:
            lost = "\n".join(file.text[span.start : span.end] for span in report.lost)
            damaged[modules[-1].name] = lost
            heads += [Span(file.path, start, start) for start in sorted(report.damaged)]
        sink.extend(found)
    return Parsed(tuple(modules), damaged, tuple(heads))


def _check_path(file: SourceFile, sink: Sink) -> None:
    wrong = next((p for p in module_name(file.path).split(".") if not _SEGMENT.match(p)), None)
    if wrong is not None or "." in file.path.removesuffix(".afs"):
        shown = wrong or file.path.removesuffix(".afs")
        sink.emit(
            codes.BAD_MODULE_NAME.at(
                Span(file.path, 0, 0),
                f"`{shown}` cannot stand in a `use` line",
                title=f"`{file.path}` is no path of a module",
            ).help("rename it: lower-case letters, digits and `_`, beginning with a letter")
        )


@dataclass(slots=True)
class LaterSink(Sink):
    """The sink of all passes after the parser: silent about lines with a syntax error.

    What the parser recovers there is a guess, and a second message about it would be noise.
    """

    target: Sink = field(default_factory=Sink)
    files: Mapping[str, SourceFile] = field(default_factory=dict)
    lines: set[tuple[str, int]] = field(default_factory=set)

    @classmethod
    def over(
        cls, target: Sink, files: Mapping[str, SourceFile], heads: Sequence[Span]
    ) -> LaterSink:
        """Return a sink that passes on what is neither on a line that ``target`` already holds
        nor on one of ``heads``.
        """
        later = cls(target=target, files=files)
        later.lines = {
            later.line(found.primary.span)
            for found in target
            if found.primary is not None and found.is_error
        } | {later.line(head) for head in heads}
        return later

    def line(self, span: Span) -> tuple[str, int]:
        """Return the file and line where ``span`` starts."""
        file = self.files.get(span.path)
        return span.path, file.position(span.start)[0] if file is not None else 0

    def emit(self, diagnostic: Diagnostic) -> None:
        """Pass ``diagnostic`` on."""
        if self.lines and diagnostic.primary and self.line(diagnostic.primary.span) in self.lines:
            return
        self.target.emit(diagnostic)


def module_name(path: str) -> str:
    """Return the module of a file by its path in the project: ``fraud/cards.afs`` is
    ``fraud.cards``.
    """
    return path.removesuffix(".afs").replace("/", ".")


def resolve(parsed: Parsed, sink: Sink) -> Symbols:
    """Collect the names of all modules and expand their templates."""
    symbols = collect_symbols(parsed.modules, BUILTIN_NAMES, parsed.damaged, sink)
    Expander(symbols, sink).expand_all()
    return symbols
