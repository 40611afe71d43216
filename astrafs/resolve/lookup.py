"""Resolving a name of a module to a declaration of the kind that is wanted there."""

from __future__ import annotations

from astrafs.diagnostics.codes import names as codes
from astrafs.diagnostics.model import Sink
from astrafs.resolve.collect import suggest
from astrafs.resolve.symbols import ENTITIES, ModuleScope, Symbol, SymbolKind, Symbols, with_article
from astrafs.syntax import ast


def resolve_name(
    scope: ModuleScope,
    ident: ast.Ident,
    kinds: tuple[SymbolKind, ...],
    symbols: Symbols,
    sink: Sink,
) -> Symbol | None:
    """Return what ``ident`` names if it is of one of ``kinds``; else report it and return None."""
    name = ident.text
    if not name or scope.is_broken(name):
        return None
    capitals = {kind in ENTITIES for kind in kinds}
    odd = len(capitals) == 1 and name[0].isupper() not in capitals
    if odd and scope.lost is not None:
        return None  # the parser has reported a name of the wrong shape
    symbol = scope.find(name)
    wanted = " or ".join(kind.value for kind in kinds)
    if symbol is None:
        report_unknown(scope, ident, wanted, kinds, symbols, sink)
        return None
    if symbol.kind not in kinds:
        sink.emit(
            codes.WRONG_KIND.at(
                ident.span,
                f"{with_article(wanted)} is wanted here",
                title=f"`{name}` is {with_article(symbol.kind)}, not {with_article(wanted)}",
            ).label(symbol.span, f"declared here, as {with_article(symbol.kind)}")
        )
        return None
    return symbol


def report_unknown(
    scope: ModuleScope,
    ident: ast.Ident,
    wanted: str,
    kinds: tuple[SymbolKind, ...],
    symbols: Symbols,
    sink: Sink,
) -> None:
    """Report a name that nothing of this file or its ``use`` lines declares."""
    found = codes.UNKNOWN_NAME.at(
        ident.span,
        "not declared in this file nor imported",
        title=f"unknown {wanted} `{ident.text}`",
    )
    elsewhere = sorted(
        other.name
        for other in symbols.modules.values()
        if ident.text in other.own and other.own[ident.text].kind in kinds
    )
    if elsewhere:
        found = found.help(f"import it: `use {elsewhere[0]}.{{{ident.text}}}`")
    else:
        found = suggest(found, ident.text, scope.visible(kinds), ident.span)
    sink.emit(found)
