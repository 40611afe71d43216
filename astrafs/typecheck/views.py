"""Views: the columns that a model is served, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import types as codes
from astrafs.plan import ir
from astrafs.plan.program import ViewOrigin
from astrafs.plan.tree import Origin
from astrafs.resolve.expand import TemplateSink, filled, loop_text, loop_values
from astrafs.resolve.lookup import resolve_name
from astrafs.resolve.symbols import ENTITIES, ModuleScope, Symbol
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.context import Context, Environment, Place
from astrafs.typecheck.typed import Typed
from astrafs.typesys import Kind, Type

MAX_COLUMNS = 10_000
_OUTPUTS = (ir.FeatureRef, ir.EntityLookup, ir.KeyPart)


def check_view(symbol: Symbol, env: Environment) -> tuple[ir.View, ViewOrigin] | None:
    """Check one view; None where its entity is unknown."""
    tree = symbol.declaration
    assert isinstance(tree, ast.ViewDecl)
    scope = env.symbols.modules[symbol.module]
    target = resolve_name(scope, tree.entity, ENTITIES, env.symbols, env.sink)
    entity = env.entities.get(target.qualified) if target is not None else None
    if entity is None:
        return None
    if not tree.items and scope.lost is None:
        env.sink.emit(
            name_codes.EMPTY_BLOCK.at(
                symbol.span, "no feature follows", title=f"view `{symbol.name}` has no columns"
            ).help("list features: `view risk for User { txn_count_7d }`")
        )
    outputs: list[ir.Output] = []
    origins: list[Origin] = []
    taken: dict[str, Span] = {}
    sinks: dict[int, TemplateSink] = {}
    for item, loops in _items(tree.items, {}, scope, env):
        sink = sinks.setdefault(id(item), TemplateSink(target=env.sink))
        sink.expansion = loop_text(loops)
        ctx = Context(env, scope, sink, Place.VIEW, entity=entity, loops=loops)
        if len(outputs) >= MAX_COLUMNS:
            env.sink.emit(
                name_codes.TOO_LARGE.at(
                    symbol.span,
                    "this one has more",
                    title=f"a view has at most {MAX_COLUMNS:,} columns",
                ).help("split the view")
            )
            break
        for output, origin in _outputs(item, ctx):
            if _is_new(output.name, item, taken, sink):
                outputs.append(output)
                origins.append(origin)
    view = ir.View(symbol.qualified, entity.name, tuple(outputs), tree.doc, tree.forbids)
    return view, ViewOrigin(symbol.span, tree.span, tuple(origins), symbol.module)


def _items(
    items: tuple[ast.ViewItem | ast.ViewLoop, ...],
    loops: dict[str, ast.Expr],
    scope: ModuleScope,
    env: Environment,
) -> Iterator[tuple[ast.ViewItem, dict[str, ast.Expr]]]:
    for item in items:
        if loops and env.symbols.repeats.exhausted(item.span, env.sink):
            return
        match item:
            case ast.ViewItem():
                yield item, loops
            case ast.ViewLoop():
                name = item.variable.text
                if name in loops:
                    env.sink.emit(
                        name_codes.DUPLICATE_NAME.at(
                            item.variable.span,
                            "already a variable of a `for` around this one",
                            title=f"`{name}` is declared twice",
                        ).help("rename one of them")
                    )
                    continue
                for value in loop_values(item.values, loops, scope, env.sink):
                    yield from _items(item.items, {**loops, name: value}, scope, env)
            case _:
                assert_never(item)


def _is_new(name: str, item: ast.ViewItem, taken: dict[str, Span], sink: TemplateSink) -> bool:
    span = item.alias.span if item.alias is not None else item.value.span
    first = taken.setdefault(name.casefold(), span)
    if first is span:
        return True
    sink.emit(
        name_codes.DUPLICATE_NAME.at(
            span, "named again here", title=f"the view has two columns `{name}`"
        )
        .label(first, "first named here")
        .help(f"give one another name: `... as other_{name}`, or remove it")
    )
    return False


def _outputs(item: ast.ViewItem, ctx: Context) -> Iterator[tuple[ir.Output, Origin]]:
    """Check one item; a key of several parts gives one column per part."""
    expr = item.value
    if not isinstance(expr, ast.Name | ast.Member | ast.LookupTime | ast.BadExpr):
        ctx.sink.emit(
            codes.BAD_VIEW_ITEM.at(expr.span, "a computation").help(
                "declare a feature with it, and name that here"
            )
        )
        return
    value = ctx.env.check(expr, ctx)
    if value.failed:
        return
    name = _name(item, ctx)
    if name is None:
        return
    if value.parts:
        info = ctx.env.entities[value.type.entity]
        for (part, origin), field in zip(value.parts, info.keys, strict=True):
            type_ = field.type.with_null(part.type.nullable)
            yield ir.Output(f"{name}.{field.name}", part, type_), origin
        return
    if not isinstance(value.expr, _OUTPUTS) or not _plain_keys(value.expr):
        ctx.sink.emit(
            codes.BAD_VIEW_ITEM.at(expr.span, "not a feature, a lookup of one, or a field").help(
                "declare a feature with it, and name that here"
            )
        )
        return
    yield ir.Output(name, value.expr, _shown(value)), value.origin


def _plain_keys(expr: ir.Expr) -> bool:
    """Whether a lookup's keys are fields of the view's own entity or constants."""
    if not isinstance(expr, ir.EntityLookup):
        return True
    return all(not isinstance(key, ir.Aggregate | ir.TableLookup) for key in expr.keys)


def _shown(value: Typed) -> Type:
    if value.type.kind is Kind.KEY:
        return value.type.with_null(value.expr.type.nullable)
    return replace(value.type, nullable=value.expr.type.nullable)


def _name(item: ast.ViewItem, ctx: Context) -> str | None:
    """Return the output's name: the alias, else the last name of the path."""
    if item.alias is not None:
        ident = filled(item.alias, ctx.loops, ctx.sink)
        return None if ident is None else ident.text
    expr = item.value
    while isinstance(expr, ast.LookupTime):
        expr = expr.lookup
    last = expr.ident if isinstance(expr, ast.Name) else getattr(expr, "field", None)
    if not isinstance(last, ast.Ident):
        return None
    ident = filled(last, ctx.loops, ctx.sink)
    return None if ident is None else ident.text
