"""Collecting the names of all modules: declarations, ``use`` lines, duplicates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from astrafs.diagnostics.codes import names as codes
from astrafs.diagnostics.codes import plan as plan_codes
from astrafs.diagnostics.model import Diagnostic, Edit, Sink
from astrafs.diagnostics.suggest import closest
from astrafs.resolve.symbols import (
    Import,
    Lost,
    ModuleScope,
    Symbol,
    SymbolKind,
    Symbols,
    with_article,
)
from astrafs.source import Span
from astrafs.syntax import ast

MAX_COMPARED = 300_000


def suggest(found: Diagnostic, name: str, candidates: Iterable[str], span: Span) -> Diagnostic:
    """Add "did you mean" with a fix to ``found`` if a candidate is near to ``name``.

    Of a mapping to what has a ``span``, the place of the candidate is labelled too.
    """
    near = closest(name, candidates)
    if near is None:
        return found
    if isinstance(candidates, Mapping):
        place = getattr(candidates[near], "span", None)
        if isinstance(place, Span) and place.path:
            found = found.label(place, f"`{near}` is declared here")
    return found.help(f"did you mean `{near}`?").fix(
        f"write `{near}`", Edit(span, near), safe=False
    )


def suggest_within(
    found: Diagnostic,
    name: str,
    candidates: Callable[[], Collection[str]],
    span: Span,
    symbols: Symbols,
) -> Diagnostic:
    """Add "did you mean" as :func:`suggest` does, for as long as the project's comparisons last."""
    if symbols.compared > MAX_COMPARED:
        return found
    known = candidates()
    symbols.compared += len(known)
    return suggest(found, name, known, span)


def collect_symbols(
    modules: Sequence[ast.Module],
    builtin_names: frozenset[str],
    damaged: Mapping[str, str],
    sink: Sink,
) -> Symbols:
    """Build the symbol tables of ``modules``; ``builtin_names`` may not be redefined by a ``fn``.

    ``damaged`` holds what was lost of modules with syntax errors: names that these texts seem to
    declare are not reported as unknown.
    """
    symbols = Symbols()
    for tree in modules:
        scope = ModuleScope(tree.name, tree)
        if tree.name in damaged:
            scope.lost = Lost(damaged[tree.name])
        symbols.modules[tree.name] = scope
        _collect_module(scope, builtin_names, sink)
    for scope in symbols.modules.values():
        for declaration in scope.tree.declarations:
            if isinstance(declaration, ast.Use):
                _collect_use(scope, declaration, symbols, sink)
    return symbols


def report_unused(symbols: Symbols, sink: Sink) -> None:
    """Warn about names that are imported and never used."""
    for scope in symbols.modules.values():
        lines = {
            name.span: use
            for use in scope.tree.declarations
            if isinstance(use, ast.Use)
            for name in use.names
        }
        for imported in scope.imports.values():
            if not imported.used and (imported.symbol is not None or imported.features):
                sink.emit(
                    codes.UNUSED_IMPORT.at(
                        imported.span, f"`{imported.name}` is not used in this file"
                    )
                    .help("remove it from the `use` line")
                    .fix("remove it", _removal(imported.span, lines[imported.span]))
                )


def _removal(name: Span, use: ast.Use) -> Edit:
    """Take a name out of a ``use`` line, with one comma; the last one takes the line along."""
    spans = [ident.span for ident in use.names]
    at = spans.index(name)
    if len(spans) == 1:
        return Edit(use.span, "")
    if at + 1 < len(spans):
        return Edit(Span(name.path, name.start, spans[at + 1].start), "")
    return Edit(Span(name.path, spans[at - 1].end, name.end), "")


def _collect_module(scope: ModuleScope, builtin_names: frozenset[str], sink: Sink) -> None:
    folded: dict[str, Symbol] = {}
    owner: ast.Owner | None = None
    for declaration in scope.tree.declarations:
        match declaration:
            case ast.Owner():
                if owner is not None:
                    sink.emit(
                        codes.DUPLICATE_NAME.at(
                            declaration.span, "a second owner", title="a file has two owners"
                        )
                        .label(owner.span, "the first owner")
                        .help("keep one; a feature of someone else says `@owner(...)`")
                    )
                else:
                    owner = declaration
                    scope.owner = declaration.text
            case ast.FeaturesDecl() | ast.Use() | ast.TestDecl():
                pass
            case _:
                _declare(scope, _symbol_of(scope, declaration), folded, builtin_names, sink)


def unsupported(span: Span, what: str) -> Diagnostic:
    """Refuse a construct of the language that this version cannot plan."""
    return plan_codes.NOT_SUPPORTED.at(
        span, f"{what} is not supported yet", title=f"{what} is not supported by this version"
    )


def _symbol_of(scope: ModuleScope, declaration: ast.Decl) -> Symbol:
    match declaration:
        case ast.EntityDecl():
            kind = SymbolKind.ENTITY
        case ast.RequestDecl():
            kind = SymbolKind.REQUEST
        case ast.SourceDecl():
            kind = SymbolKind.TABLE if declaration.table else SymbolKind.SOURCE
        case ast.StreamDecl():
            kind = SymbolKind.STREAM
        case ast.UnitDecl():
            kind = SymbolKind.UNIT
        case ast.ConstDecl():
            kind = SymbolKind.CONST
        case ast.WindowDecl():
            kind = SymbolKind.WINDOW
        case ast.FnDecl():
            kind = SymbolKind.FN
        case ast.ViewDecl():
            kind = SymbolKind.VIEW
        case ast.DatasetDecl():
            kind = SymbolKind.DATASET
        case _:
            raise TypeError(f"{type(declaration).__name__} declares no name")
    return Symbol(kind, declaration.name.text, scope.name, declaration.name.span, declaration)


def _declare(
    scope: ModuleScope,
    symbol: Symbol,
    folded: dict[str, Symbol],
    builtin_names: frozenset[str],
    sink: Sink,
) -> None:
    if not symbol.name:
        return  # the parser recovered here and has said so
    if symbol.kind is SymbolKind.FN and symbol.name in builtin_names:
        sink.emit(
            codes.RESERVED_NAME.at(
                symbol.span, f"`{symbol.name}` is a function of the language"
            ).help("give yours another name")
        )
        return
    # Entities begin with a capital and nothing else does, so `Checkout` and `checkout` live apart.
    first = folded.setdefault(symbol.name[0] + symbol.name[1:].casefold(), symbol)
    if first is not symbol:
        same = first.name == symbol.name
        sink.emit(
            codes.DUPLICATE_NAME.at(
                symbol.span,
                "declared again here" if same else "differs only in the case of its letters",
                title=f"`{symbol.name}` is declared twice in this file",
            )
            .label(first.span, f"first declared here, as {with_article(first.kind)}")
            .help("rename one of them")
        )
        return
    scope.own[symbol.name] = symbol


def _collect_use(scope: ModuleScope, use: ast.Use, symbols: Symbols, sink: Sink) -> None:
    path = ".".join(part.text for part in use.module)
    target = symbols.modules.get(path)
    span = use.module[0].span.to(use.module[-1].span) if use.module else use.span
    if target is None:
        found = codes.UNKNOWN_MODULE.at(
            span, "no file of the project has this name", title=f"there is no module `{path}`"
        )
        sink.emit(suggest(found, path, symbols.modules, span))
    elif target is scope:
        sink.emit(
            codes.UNKNOWN_MODULE.at(span, "this file itself", title="a file imports itself").help(
                "remove the line: names of this file need no `use`"
            )
        )
    for ident in use.names:
        _import_name(scope, ident, path, target, sink)


def _import_name(
    scope: ModuleScope, ident: ast.Ident, path: str, target: ModuleScope | None, sink: Sink
) -> None:
    name = ident.text
    clash = scope.own.get(name) or scope.imports.get(name)
    if clash is not None:
        repeated = isinstance(clash, Import) and clash.module == path
        sink.emit(
            codes.DUPLICATE_NAME.at(
                ident.span,
                "imported again" if repeated else "imported here",
                title=f"`{name}` is {'imported' if repeated else 'declared'} twice in this file",
            )
            .label(clash.span, "already has a meaning here")
            .help("remove one of the two")
        )
        return
    imported = Import(name, ident.span, path, None)
    scope.imports[name] = imported
    if target is None or target is scope:
        return
    imported.symbol = target.own.get(name)
    if imported.symbol is not None or (target.lost is not None and name in target.lost):
        return
    # Names made by templates are known only after expansion; expand.py checks those.
    imported.features = True
