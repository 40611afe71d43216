"""Calls: builtin functions, ``fn`` inlined, keys made with ``User(x)``."""

from __future__ import annotations

from dataclasses import replace

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.registry import CALLABLE
from astrafs.builtins.spec import Mismatch
from astrafs.diagnostics.codes import leakage as leakage_codes
from astrafs.diagnostics.codes import names as codes
from astrafs.diagnostics.codes import types as type_codes
from astrafs.diagnostics.codes import windows as window_codes
from astrafs.diagnostics.model import Edit, Sink
from astrafs.diagnostics.words import count
from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.resolve.collect import suggest
from astrafs.resolve.symbols import Symbol, SymbolKind
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.context import Context, EntityInfo, Environment, Place
from astrafs.typecheck.convert import assign, may_be_null, mismatch, widen
from astrafs.typecheck.declared import declared_type
from astrafs.typecheck.entities import request_field
from astrafs.typecheck.facts import NOTHING
from astrafs.typecheck.foreign import FUNCTIONS, called_here
from astrafs.typecheck.lists import argument_hint
from astrafs.typecheck.rows import apply_row, argument_problem, bounded, describe
from astrafs.typecheck.typed import Typed, failed
from astrafs.typesys import Type

MAX_NESTING = 96
"""How deep expressions nest, with the bodies of functions in place of their calls."""
_MOMENTS = frozenset(["now", "current_timestamp", "utcnow", "clock"])
WALL_CLOCK = frozenset(
    [
        "now",
        "today",
        "current_timestamp",
        "current_date",
        "utcnow",
        "clock",
        "rand",
        "random",
        "uuid",
        "gen_random_uuid",
    ]
)


def check_call(expr: ast.CallExpr, ctx: Context, want: Type | None) -> Typed:
    """Check ``name(...)``: a key, a function of the program, or a builtin."""
    name = expr.callee.text
    if not name or ctx.scope.is_broken(name):
        return failed(expr.span)
    symbol = ctx.scope.find(name)
    if symbol is not None and symbol.kind is SymbolKind.ENTITY:
        return _make_key(expr, ctx.env.entities.get(symbol.qualified), ctx)
    if symbol is not None and symbol.kind is SymbolKind.FN:
        return _inline(expr, symbol, ctx)
    if name in CALLABLE and not (name in AGGREGATES and len(expr.args) <= 1):
        return _builtin(expr, ctx, want)
    if name in AGGREGATES:
        return _aggregate_without_window(expr, ctx)
    for arg in expr.args:
        ctx.env.check(arg, ctx)
    _report_unknown(expr, symbol, ctx)
    return failed(expr.span)


def _builtin(expr: ast.CallExpr, ctx: Context, want: Type | None) -> Typed:
    name = expr.callee.text
    if not _plain_arguments(expr, ctx):
        return failed(expr.span)
    args: tuple[Typed, ...] = ()
    for place, arg in enumerate(expr.args):
        args += (ctx.env.check(arg, ctx, argument_hint(name, place, args, want)),)
    return apply_row(name, args, expr.span, ctx.sink)


def _plain_arguments(expr: ast.CallExpr, ctx: Context) -> bool:
    if expr.each or expr.by is not None:
        word = "each" if expr.each else "by"
        ctx.sink.emit(
            type_codes.BAD_ARGUMENT.at(
                expr.span if expr.by is None else expr.by.span,
                "only aggregates go over rows",
                title=f"`{expr.callee.text}` takes no `{word}`",
            ).help(
                "aggregate over a window: "
                + ("`count(each xs) over 7d`" if expr.each else "`count() by x over 7d`")
            )
        )
        return False
    if expr.where is not None:
        ctx.sink.emit(
            type_codes.BAD_ARGUMENT.at(
                expr.where.span,
                "only aggregates select rows",
                title=f"`{expr.callee.text}` takes no `where`",
            ).help("use `if condition then x else y`")
        )
        return False
    return True


def _aggregate_without_window(expr: ast.CallExpr, ctx: Context) -> Typed:
    name = expr.callee.text
    if ctx.place in (Place.FEATURE, Place.VIEW):
        ctx.sink.emit(
            window_codes.MISSING_WINDOW.at(
                expr.span, "over which rows?", title=f"aggregate `{name}` has no window"
            )
            .help(f"say how far it looks back: `{name}(...) over 7d`, or `over all`")
            .fix("read all rows: `over all`", Edit.after(expr.span, " over all"), safe=False)
        )
    else:
        report_misplaced(expr, ctx)
    return failed(expr.span)


def report_misplaced(expr: ast.CallExpr, ctx: Context) -> None:
    """Report an aggregate where there are no rows to go over."""
    name = expr.callee.text
    found = type_codes.MISPLACED_AGGREGATE.at(
        expr.span,
        f"`{name}` goes over rows",
        title=f"aggregate `{name}` cannot stand in {ctx.place}",
    )
    if ctx.place is Place.AGGREGATE:
        advice = (
            "give the inner one a feature of its own and read it in a column of a stream "
            "(`x: ... = Entity[key].feature`), then aggregate that"
        )
    elif ctx.place is Place.VIEW:
        advice = "a view lists features: declare one, and name it here"
    else:
        advice = "declare a feature with it, and look that up: `Entity[key].feature`"
    ctx.sink.emit(found.help(advice))


def _report_unknown(expr: ast.CallExpr, symbol: Symbol | None, ctx: Context) -> None:
    ident = expr.callee
    name = ident.text
    if symbol is not None:
        ctx.sink.emit(
            codes.WRONG_KIND.at(
                ident.span, "not a function", title=f"`{name}` is a {symbol.kind}, not a function"
            ).label(symbol.span, "declared here")
        )
        return
    if name.lower() in WALL_CLOCK:
        random = "ra" in name or "uuid" in name
        problem = leakage_codes.WALL_CLOCK.at(
            ident.span,
            "its value would depend on when and where the program runs",
            title=f"`{name}()` does not exist",
        ).help(
            "use `hash(x, n)` for stable groups, or a field of a `request`"
            if random
            else "use `t`, the time that the feature is asked for, or a field of a `request`"
        )
        if name.lower() in _MOMENTS and not expr.args and ctx.place is Place.FEATURE:
            problem = problem.fix("use `t`", Edit(expr.span, "t"), safe=False)
        ctx.sink.emit(problem)
        return
    found = codes.UNKNOWN_FUNCTION.at(
        ident.span, "no function or aggregate of this name", title=f"unknown function `{name}`"
    )
    elsewhere = sorted(
        scope.name
        for scope in ctx.env.symbols.modules.values()
        if name in scope.own and scope.own[name].kind in (SymbolKind.FN, SymbolKind.ENTITY)
    )
    if elsewhere:
        ctx.sink.emit(found.help(f"import it: `use {elsewhere[0]}.{{{name}}}`"))
        return
    known = [*CALLABLE, *AGGREGATES]
    renamed = called_here(found, name, ident.span, known, FUNCTIONS)
    if renamed is not None:
        ctx.sink.emit(renamed)
        return
    known += ctx.scope.visible((SymbolKind.FN, SymbolKind.ENTITY))
    ctx.sink.emit(suggest(found, name, known, ident.span))


# --- keys -----------------------------------------------------------------------------------------


def _make_key(expr: ast.CallExpr, info: EntityInfo | None, ctx: Context) -> Typed:
    """``User(x)``: a key of the entity from one value per key column."""
    if info is None or not _plain_arguments(expr, ctx):
        return failed(expr.span)
    args = tuple(ctx.env.check(arg, ctx) for arg in expr.args)
    if any(arg.failed for arg in args):
        return failed(expr.span)
    parts = key_parts(args, info, expr.span, ctx)
    if parts is None:
        return failed(expr.span)
    nullable = any(part.expr.type.nullable for part in parts)
    type_ = info.type.with_null(nullable)
    if len(parts) == 1:
        return replace(parts[0], type=type_, exact=None).at(expr.span)
    return Typed(
        ir.Literal(None, type_),
        type_,
        Origin(expr.span),
        tuple((part.expr, part.origin) for part in parts),
    )


def key_parts(
    args: tuple[Typed, ...], info: EntityInfo, span: Span, ctx: Context
) -> tuple[Typed, ...] | None:
    """Return ``args`` as an entity's key columns, or None after reporting what does not fit."""
    name = info.symbol.name
    usage = ", ".join(f"{field.name}: {field.type}" for field in info.keys)
    if len(args) != len(info.keys):
        ctx.sink.emit(
            type_codes.BAD_LOOKUP.at(
                args[0].span.to(args[-1].span) if args else span,
                f"{len(args)} given",
                title=f"a key of `{name}` has {count(len(info.keys), 'part')}",
            ).note(f"the key of `{name}` is `{{ {usage} }}`")
        )
        return None
    found: list[Typed] = []
    for arg, field in zip(args, info.keys, strict=True):
        if mismatch(arg, field.type) is not None or arg.is_composite:
            ctx.sink.emit(
                type_codes.BAD_LOOKUP.at(
                    arg.span,
                    describe(arg),
                    title=f"key column `{field.name}` of `{name}` is `{field.type}`, "
                    f"not `{arg.type}`",
                ).label(info.symbol.span, f"`{name}` is declared here")
            )
            return None
        found.append(widen(arg, field.type, ctx.sink))
    return tuple(found)


# --- functions of the program ---------------------------------------------------------------------


def declare_function(symbol: Symbol, env: Environment) -> None:
    """Check a ``fn`` with its declared types, used or not; those that it calls are done."""
    tree = symbol.declaration
    assert isinstance(tree, ast.FnDecl)
    scope = env.symbols.modules[symbol.module]
    params: dict[str, Typed] = {}
    for param in tree.params:
        type_ = declared_type(param.type, scope, env, env.sink)
        if param.name.text in params:
            env.sink.emit(
                codes.DUPLICATE_NAME.at(
                    param.name.span,
                    "declared again here",
                    title=f"parameter `{param.name.text}` is declared twice",
                ).help("rename one of them")
            )
        params[param.name.text] = _parameter(param, type_, env)
    sink = Sink()
    result = declared_type(tree.result, scope, env, env.sink)
    value = _body(symbol, tree, params, result, env, sink, nesting(tree.body))
    env.sink.extend(sink)
    sound = not value.failed and not any(param.failed for param in params.values())
    env.functions[symbol.qualified] = sound


def _parameter(param: ast.Param, type_: Type, env: Environment) -> Typed:
    """Return what stands for a parameter while its function is checked by itself."""
    if type_.is_error:
        return failed(param.span)
    value = request_field(param.name.text, type_, param.span, env)
    return value.read(param.span, False, NOTHING)


def _body(
    symbol: Symbol,
    tree: ast.FnDecl,
    params: dict[str, Typed],
    result: Type,
    env: Environment,
    sink: Sink,
    depth: int,
) -> Typed:
    scope = env.symbols.modules[symbol.module]
    ctx = Context(env, scope, sink, Place.FN, params=params, nesting=depth)
    value = env.check(tree.body, ctx, result)
    return assign(value, result, tree.result, f"the result of `{symbol.name}`", sink)


def _inline(expr: ast.CallExpr, symbol: Symbol, ctx: Context) -> Typed:
    """Put the body of a ``fn`` in place of its call, with the arguments' exact types."""
    tree = symbol.declaration
    assert isinstance(tree, ast.FnDecl)
    if not _plain_arguments(expr, ctx):
        return failed(expr.span)
    deeper = ctx.nesting + nesting(tree.body)
    if deeper > MAX_NESTING:
        ctx.sink.emit(
            type_codes.TOO_COMPLEX.at(
                expr.callee.span,
                f"expressions would nest more than {MAX_NESTING} deep",
                title="functions call one another too deeply",
            )
        )
        return failed(expr.span)
    env = ctx.env
    scope = env.symbols.modules[symbol.module]
    quiet = Sink()
    types = [declared_type(param.type, scope, env, quiet) for param in tree.params]
    if len(expr.args) != len(types):
        usage = ", ".join(
            f"{param.name.text}: {type_}" for param, type_ in zip(tree.params, types, strict=True)
        )
        problem = Mismatch(None, f"{len(types)} argument{'' if len(types) == 1 else 's'}")
        args = tuple(env.check(arg, ctx) for arg in expr.args)
        ctx.sink.emit(argument_problem(symbol.name, usage, problem, args, expr.span))
        return failed(expr.span)
    params: dict[str, Typed] = {}
    for param, type_, arg in zip(tree.params, types, expr.args, strict=True):
        params[param.name.text] = _argument(symbol, param, type_, env.check(arg, ctx, type_), ctx)
    if any(param.failed for param in params.values()) or not env.functions.get(symbol.qualified):
        return failed(expr.span)
    result = declared_type(tree.result, scope, env, quiet)
    value = _body(symbol, tree, params, result, env, quiet, deeper)
    if value.failed:
        _report_body(expr, symbol, quiet, ctx)
        return failed(expr.span)
    return bounded(value.at(expr.span), ctx.sink)


def nesting(expr: ast.Expr) -> int:
    """Return how deep an expression nests; chains of operators count as one level."""
    deepest = 0
    pending: list[tuple[object, int]] = [(expr, 1)]
    while pending:
        part, depth = pending.pop()
        deepest = max(deepest, depth)
        match part:
            case ast.Binary(left=left, right=right):
                pending += ((left, depth), (right, depth + 1))
            case ast.IfExpr(condition=condition, then=then, otherwise=otherwise):
                pending += ((condition, depth + 1), (then, depth + 1), (otherwise, depth))
            case ast.CallExpr(args=args):
                pending += ((arg, depth + 1) for arg in args)
            case ast.Unary(operand=operand) | ast.IsNull(operand=operand):
                pending.append((operand, depth + 1))
            case ast.ListLit(items=items):
                pending += ((item, depth + 1) for item in items)
            case ast.InList(operand=operand, items=items):
                pending += ((item, depth + 1) for item in (operand, *items))
            case ast.Member(base=base):
                pending.append((base, depth + 1))
            case _:
                pass
    return deepest


def _argument(symbol: Symbol, param: ast.Param, type_: Type, arg: Typed, ctx: Context) -> Typed:
    if arg.failed or type_.is_error:
        return failed(arg.span)
    what = f"parameter `{param.name.text}` of `{symbol.name}`"
    problem = mismatch(arg, type_)
    if problem is not None:
        ctx.sink.emit(
            type_codes.BAD_ARGUMENT.at(
                arg.span, describe(arg), title=f"{what} is `{type_}`, not `{arg.type}`"
            )
            .label(param.span, "declared here")
            .note(problem)
        )
        return failed(arg.span)
    if arg.type.nullable and not type_.nullable:
        ctx.sink.emit(may_be_null(arg, type_, what))
        return failed(arg.span)
    return widen(arg, type_, ctx.sink)


def _report_body(expr: ast.CallExpr, symbol: Symbol, quiet: Sink, ctx: Context) -> None:
    """Pass on what is wrong with a body that is sound by itself: its size here, or exact types."""
    for found in quiet:
        ctx.sink.emit(found.label(expr.span, f"`{symbol.name}` is called here"))


__all__ = ["check_call", "declare_function", "key_parts", "report_misplaced"]
