"""Features: every version of every feature, checked against its declared type."""

from __future__ import annotations

from dataclasses import replace

from astrafs.diagnostics.codes import types as codes
from astrafs.plan import ir
from astrafs.plan.program import FeatureOrigin
from astrafs.plan.tree import transform
from astrafs.resolve.expand import TemplateSink
from astrafs.resolve.symbols import FeatureSymbol
from astrafs.syntax import ast
from astrafs.typecheck.blocks import block_rows
from astrafs.typecheck.context import Context, Environment, Place, Rows
from astrafs.typecheck.convert import assign
from astrafs.typecheck.declared import declared_type
from astrafs.typecheck.retired import expired, is_expired
from astrafs.typecheck.typed import failed
from astrafs.typesys import ERROR, Kind, Type


def declare_features(env: Environment) -> None:
    """Fill ``env.feature_types`` from the declarations, so that features may refer to one another
    freely.
    """
    known: dict[int, Type] = {}
    for symbol in env.symbols.all_features():
        tree = symbol.declaration.type
        type_ = known.get(id(tree))
        if type_ is None:
            scope = env.symbols.modules[symbol.module]
            type_ = declared_type(tree, scope, env, env.sink)
            type_ = _one_column(type_, tree, env)
            known[id(tree)] = type_
        env.feature_types[symbol.id] = type_


def _one_column(type_: Type, tree: ast.TypeExpr, env: Environment) -> Type:
    if type_.kind is Kind.KEY and len(type_.parts) != 1:
        parts = " and ".join(f"`{part}`" for part in type_.parts)
        env.sink.emit(
            codes.BAD_TYPE.at(
                tree.span,
                f"the key of `{type_.required()}` has {len(type_.parts)} parts",
                title="a feature holds one value, not a key of several parts",
            ).help(
                f"declare a feature for each part ({parts}), and make the key where it is used: "
                f"`{type_.required()}(a, b)`"
            )
        )
        return ERROR
    return type_


def _in_hindsight(expr: ir.Expr) -> ir.Expr:
    """Let a label's window that looks forward hold the rows known by K, whatever t."""
    if not isinstance(expr, ir.Aggregate) or not isinstance(expr.window, ir.RangeWindow):
        return expr
    return replace(expr, window=replace(expr.window, hindsight=expr.window.near < 0))


class FeatureChecker:
    """Checks features one by one; the head of a block is checked once for all features in it."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.heads: dict[int, tuple[Rows | None, bool]] = {}
        self.sinks: dict[int, TemplateSink] = {}

    def check_heads(self) -> None:
        """Check the heads of all blocks, those without a sound feature too."""
        for scope in self.env.symbols.modules.values():
            for tree in scope.tree.declarations:
                if not isinstance(tree, ast.FeaturesDecl):
                    continue
                symbol = scope.own.get(tree.entity.text)
                imported = scope.imports.get(tree.entity.text)
                symbol = symbol or (imported.symbol if imported is not None else None)
                entity = self.env.entities.get(symbol.qualified) if symbol is not None else None
                if entity is not None:
                    self.heads[id(tree)] = block_rows(tree, entity, scope, self.env)

    def check(self, symbol: FeatureSymbol) -> tuple[ir.Feature, FeatureOrigin]:
        """Check one feature version."""
        env, tree = self.env, symbol.declaration
        if is_expired(symbol, env):
            self.sink(symbol).emit(
                expired(symbol, tree.name.span, env).help("take the definition out")
            )
        entity = env.entities.get(symbol.id.entity)
        rows, sound = self.heads.get(id(symbol.block), (None, False))
        target = env.feature_types[symbol.id]
        value = failed(tree.value.span)
        if entity is not None and (sound or rows is not None):
            sink = self.sink(symbol)
            ctx = Context(
                env,
                env.symbols.modules[symbol.module],
                sink,
                Place.FEATURE,
                entity=entity,
                rows=rows,
                loops=symbol.loops,
                feature=symbol,
            )
            value = env.check(tree.value, ctx, target)
            fitted = assign(value, target, tree.type, f"feature `{symbol.id.name}`", sink)
            # Of the wrong type, it may still read what it must not: the leakage pass looks at it.
            value = value if fitted.failed and not value.is_composite else fitted
        feature = ir.Feature(
            symbol.id,
            target,
            transform(value.expr, _in_hindsight) if symbol.block.labels else value.expr,
            symbol.doc,
            symbol.owner,
            symbol.tags or (),
            symbol.deprecated,
            symbol.block.labels,
            symbol.remove_after,
        )
        origin = FeatureOrigin(
            tree.name.span, tree.span, value.origin, symbol.module, symbol.expansion
        )
        return feature, origin

    def sink(self, symbol: FeatureSymbol) -> TemplateSink:
        """Return the sink of a declaration: its expansions report each cause once."""
        key = id(symbol.declaration)
        sink = self.sinks.get(key)
        if sink is None:
            sink = self.sinks[key] = TemplateSink(target=self.env.sink)
        sink.expansion = symbol.expansion
        return sink
