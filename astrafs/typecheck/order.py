"""Which declarations to check first: those that others are made of. Circles are reported here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from astrafs.diagnostics.codes import names as codes
from astrafs.plan.graph import cycles, topological_order
from astrafs.resolve.symbols import ModuleScope, Symbol, SymbolKind
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.context import Environment

_CONSTANT = (SymbolKind.CONST, SymbolKind.WINDOW, SymbolKind.FN)
_SHOWN = 6


def constant_order(env: Environment) -> tuple[list[Symbol], set[str]]:
    """Order constants, named windows and functions; also return the names of those in circles."""
    symbols = {
        symbol.qualified: symbol
        for scope in env.symbols.modules.values()
        for symbol in scope.own.values()
        if symbol.kind in _CONSTANT
    }
    graph = {name: _uses(symbol, env) & symbols.keys() for name, symbol in symbols.items()}
    return _ordered(symbols, graph, env)


def entity_order(env: Environment) -> tuple[list[Symbol], set[str]]:
    """Order entities by what their keys are made of; also return the names of those in circles."""
    symbols = {
        symbol.qualified: symbol
        for scope in env.symbols.modules.values()
        for symbol in scope.own.values()
        if symbol.kind is SymbolKind.ENTITY
    }
    graph: dict[str, set[str]] = {}
    for name, symbol in symbols.items():
        tree = symbol.declaration
        assert isinstance(tree, ast.EntityDecl)
        scope = env.symbols.modules[symbol.module]
        found = (peek(scope, field.type.name.text) for field in tree.fields)
        graph[name] = {target.qualified for target in found if target is not None}
        graph[name] &= symbols.keys()
    return _ordered(symbols, graph, env)


def _ordered(
    symbols: Mapping[str, Symbol], graph: Mapping[str, Iterable[str]], env: Environment
) -> tuple[list[Symbol], set[str]]:
    order, broken = ordered(graph, lambda cycle: report_circle([symbols[n] for n in cycle], env))
    return [symbols[name] for name in order if name not in broken], broken


def ordered(
    graph: Mapping[str, Iterable[str]], report: Callable[[tuple[str, ...]], None]
) -> tuple[tuple[str, ...], set[str]]:
    """Return the nodes, each after all it needs, and those in circles, which ``report`` gets."""
    open_graph = {name: tuple(targets) for name, targets in graph.items()}
    broken: set[str] = set()
    while found := cycles(open_graph, str):
        for cycle in found:
            report(cycle)
            broken.update(cycle)
            open_graph.update(dict.fromkeys(cycle, ()))
    return topological_order(open_graph, str), broken


def report_circle(cycle: list[Symbol], env: Environment) -> None:
    """Report declarations that are made of one another."""
    first = cycle[0]
    found = codes.REFERENCE_CYCLE.at(
        first.span,
        f"made of {path_text([symbol.name for symbol in cycle])}",
        title=f"{first.kind} `{first.name}` is made of itself",
    )
    for symbol, following in zip(cycle[1:_SHOWN], (*cycle[2:], first), strict=False):
        found = found.label(symbol.span, f"made of `{following.name}`")
    env.sink.emit(found.help("take one of these references out of the circle"))


def path_text(names: list[str]) -> str:
    """Print a circle: its names in order and the first again, without the middle of a long one."""
    shown = [f"`{name}`" for name in names]
    if len(shown) > _SHOWN:
        left_out = len(shown) - _SHOWN
        shown = [*shown[: _SHOWN - 1], f"({left_out} more)", shown[-1]]
    return " -> ".join((*shown, f"`{names[0]}`"))


def peek(scope: ModuleScope, name: str) -> Symbol | None:
    """Return what ``name`` means in a module, without counting as a use of its import."""
    imported = scope.imports.get(name)
    return scope.own.get(name) or (imported.symbol if imported is not None else None)


def _uses(symbol: Symbol, env: Environment) -> set[str]:
    scope = env.symbols.modules[symbol.module]
    tree = symbol.declaration
    own = {param.name.text for param in tree.params} if isinstance(tree, ast.FnDecl) else set()
    found = (peek(scope, name) for name in names_in(tree) - own)
    return {target.qualified for target in found if target is not None}


def names_in(tree: object) -> set[str]:
    """Return the bare names that a tree mentions: values, functions called, windows."""
    found: set[str] = set()
    pending: list[object] = [tree]
    while pending:
        part = pending.pop()
        match part:
            case tuple():
                pending.extend(part)
                continue
            case ast.Ident() | ast.TypeExpr() | Span():
                continue
            case ast.Name(ident=ident) | ast.NamedWindow(name=ident) | ast.CallExpr(callee=ident):
                found.add(ident.text)
            case _:
                pass
        fields: Iterable[str] = getattr(part, "__dataclass_fields__", ())
        pending.extend(getattr(part, name) for name in fields)
    return found
