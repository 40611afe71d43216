"""Checking a whole project: declarations in order of need, then the plan and its origins."""

from __future__ import annotations

from collections.abc import Mapping

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.registry import CALLABLE
from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.model import Sink
from astrafs.plan import ir
from astrafs.plan.graph import Node, cycles, dependencies, node_key
from astrafs.plan.program import (
    Binding,
    DatasetOrigin,
    FeatureOrigin,
    Program,
    SourceOrigin,
    StreamOrigin,
    ViewOrigin,
)
from astrafs.plan.tags import tag_trails, with_tags
from astrafs.resolve.symbols import Symbol, SymbolKind, Symbols
from astrafs.source import SourceFile, Span
from astrafs.typecheck.calls import declare_function
from astrafs.typecheck.constants import declare_constant
from astrafs.typecheck.context import NOTHING_OUTSIDE, Environment, Outside
from astrafs.typecheck.datasets import check_dataset
from astrafs.typecheck.entities import declare_entities, declare_requests
from astrafs.typecheck.expressions import check
from astrafs.typecheck.features import FeatureChecker, declare_features
from astrafs.typecheck.order import constant_order, path_text
from astrafs.typecheck.requests import declare_request_rows
from astrafs.typecheck.sources import declare_source
from astrafs.typecheck.streams import declare_stream, stream_order
from astrafs.typecheck.tags import report_forbidden
from astrafs.typecheck.tests import check_tests
from astrafs.typecheck.views import check_view
from astrafs.typecheck.windows import declare_window

MAX_LABELS = 6
BUILTIN_NAMES = frozenset(CALLABLE) | frozenset(AGGREGATES)
"""Names that a ``fn`` may not take."""


def check_program(
    symbols: Symbols,
    files: Mapping[str, SourceFile],
    sink: Sink,
    outside: Outside = NOTHING_OUTSIDE,
) -> Program:
    """Check everything that ``symbols`` declare and lower it; mistakes go to ``sink``."""
    env = Environment(symbols, sink, check, outside)
    declare_entities(env)
    declare_requests(env)
    _declare_constants(env)
    sources: list[ir.Source] = []
    source_origins: dict[str, SourceOrigin] = {}
    bindings: dict[str, Binding] = {}
    for symbol in _of_kind(symbols, SymbolKind.SOURCE, SymbolKind.TABLE):
        source, origin, binding = declare_source(symbol, env)
        sources.append(source)
        source_origins[source.name] = origin
        bindings[source.name] = binding
    declare_request_rows(env)
    declare_features(env)
    streams: list[ir.Stream] = []
    stream_origins: dict[str, StreamOrigin] = {}
    unions: list[ir.Union] = []
    for symbol in stream_order(env):
        declared = declare_stream(symbol, env)
        if declared is not None:
            streams.append(declared[0])
            stream_origins[symbol.qualified] = declared[1]
            env.streams[symbol.qualified] = declared[0], declared[1]
            unions += [declared[2]] if declared[2] is not None else []
    features, feature_origins = _features(env)
    views: list[ir.View] = []
    view_origins: dict[str, ViewOrigin] = {}
    for symbol in _of_kind(symbols, SymbolKind.VIEW):
        viewed = check_view(symbol, env)
        if viewed is not None:
            views.append(viewed[0])
            view_origins[symbol.qualified] = viewed[1]
    by_name = {view.name: view for view in views}
    datasets: list[ir.Dataset] = []
    dataset_origins: dict[str, DatasetOrigin] = {}
    for symbol in _of_kind(symbols, SymbolKind.DATASET):
        checked = check_dataset(symbol, by_name, env)
        if checked is not None:
            datasets.append(checked[0])
            dataset_origins[symbol.qualified] = checked[1]
    plan = ir.Plan(
        tuple(_entities(env)),
        tuple(sorted(sources, key=lambda source: source.name)),
        tuple(sorted(streams, key=lambda stream: stream.name)),
        features,
        tuple(sorted(views, key=lambda view: view.name)),
        tuple(sorted(unions, key=lambda union: union.name)),
        tuple(sorted(datasets, key=lambda dataset: dataset.name)),
    )
    _report_cycles(plan, feature_origins, stream_origins, sink)
    own = {one.id: one.tags for one in symbols.all_features() if one.tags is not None}
    trails = tag_trails(plan, own)
    plan = with_tags(plan, trails)
    report_forbidden(plan, trails, view_origins, feature_origins, source_origins, sink)
    tests = check_tests(env, plan, source_origins)
    return Program(
        plan,
        bindings,
        feature_origins,
        source_origins,
        stream_origins,
        view_origins,
        files,
        tests,
        dataset_origins,
    )


def _declare_constants(env: Environment) -> None:
    """Check constants, named windows and functions, each after those that it is made of."""
    order, _ = constant_order(env)
    for symbol in order:
        match symbol.kind:
            case SymbolKind.CONST:
                declare_constant(symbol, env)
            case SymbolKind.WINDOW:
                declare_window(symbol, env)
            case _:
                declare_function(symbol, env)


def _of_kind(symbols: Symbols, *kinds: SymbolKind) -> list[Symbol]:
    return [
        symbol
        for scope in symbols.modules.values()
        for symbol in scope.own.values()
        if symbol.kind in kinds
    ]


def _entities(env: Environment) -> list[ir.Entity]:
    return [
        ir.Entity(name, info.keys, info.request, info.rows)
        for name, info in sorted(env.entities.items())
    ]


def _features(
    env: Environment,
) -> tuple[tuple[ir.Feature, ...], dict[ir.FeatureId, FeatureOrigin]]:
    checker = FeatureChecker(env)
    checker.check_heads()
    features: list[ir.Feature] = []
    origins: dict[ir.FeatureId, FeatureOrigin] = {}
    for symbol in env.symbols.all_features():
        feature, origin = checker.check(symbol)
        features.append(feature)
        origins[feature.id] = origin
    return tuple(sorted(features, key=lambda feature: feature.id)), origins


def _report_cycles(
    plan: ir.Plan,
    features: Mapping[ir.FeatureId, FeatureOrigin],
    streams: Mapping[str, StreamOrigin],
    sink: Sink,
) -> None:
    """Report features and streams that read one another in a circle, with the path."""
    unions = {union.name for union in plan.unions}
    for found_cycle in cycles(dependencies(plan), node_key):
        cycle = tuple(node for node in found_cycle if node not in unions)  # they have no names
        if all(isinstance(node, str) for node in cycle):
            continue  # streams based on one another; said when their bases were resolved
        first = cycle[0]
        found = name_codes.REFERENCE_CYCLE.at(
            _node_span(first, features, streams),
            f"reads {path_text([_node_text(node) for node in cycle])}",
            title=f"`{_node_text(first)}` depends on itself",
        )
        for node, following in zip(cycle[1:MAX_LABELS], (*cycle[2:], first), strict=False):
            found = found.label(
                _node_span(node, features, streams), f"reads `{_node_text(following)}`"
            )
        sink.emit(found.help("take one of these references out of the circle"))


def _node_text(node: Node) -> str:
    if isinstance(node, str):
        return node.rsplit(".", 1)[-1]
    return f"{node.entity.rsplit('.', 1)[-1]}.{str(node).rsplit('.', 1)[-1]}"


def _node_span(
    node: Node,
    features: Mapping[ir.FeatureId, FeatureOrigin],
    streams: Mapping[str, StreamOrigin],
) -> Span:
    return streams[node].name if isinstance(node, str) else features[node].name
