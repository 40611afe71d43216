"""The pipeline from source text to a checked plan, top to bottom. Read this file first."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.diagnostics.codes import names as codes
from astrafs.diagnostics.model import Sink
from astrafs.leakage.check import check_leakage
from astrafs.plan.program import Program
from astrafs.plan.verify import verify
from astrafs.resolve.collect import collect_symbols, report_unused
from astrafs.resolve.expand import Expander
from astrafs.resolve.symbols import Symbols
from astrafs.source import SourceFile, Span
from astrafs.syntax import ast
from astrafs.syntax.parse import parse_module
from astrafs.typecheck.check import BUILTIN_NAMES, check_program

MAX_FILES = 2_000


def compile_project(files: Sequence[SourceFile], sink: Sink) -> Program | None:
    """Compile the ``.afs`` files of a project; every problem goes to ``sink``.

    The order of ``files`` does not matter. Returns the program so far even where there are errors
    (its faulty expressions have the ERROR type), and None only where there was nothing to build on.
    A plan without errors has been verified.
    """
    modules = parse_files(files, sink)
    if modules is None:
        return None
    symbols = resolve(modules, sink)
    program = check_program(symbols, {file.path: file for file in files}, sink)
    report_unused(symbols, sink)
    check_leakage(program, sink)
    if not sink.has_errors:
        verify(program.plan)
    return program


def parse_files(files: Sequence[SourceFile], sink: Sink) -> tuple[ast.Module, ...] | None:
    """Parse every file, in the order of paths; None where there are more than a project may have."""
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
    return tuple(parse_module(file, module_name(file.path), sink) for file in ordered)


def module_name(path: str) -> str:
    """Return the module of a file by its path in the project: ``fraud/cards.afs`` is
    ``fraud.cards``.
    """
    return path.removesuffix(".afs").replace("/", ".")


def resolve(modules: Sequence[ast.Module], sink: Sink) -> Symbols:
    """Collect the names of all modules and expand their templates."""
    symbols = collect_symbols(modules, BUILTIN_NAMES, sink)
    Expander(symbols, sink).expand_all()
    return symbols
