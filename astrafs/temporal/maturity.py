"""Labels in tests: before a label is mature, it is null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from astrafs.diagnostics.codes import tests as codes
from astrafs.diagnostics.model import Sink
from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.tests import Expectation, TestCase
from astrafs.plan.text import timestamp_text
from astrafs.plan.tree import transform, walk
from astrafs.temporal.datasets import label_horizons
from astrafs.typesys import duration_text


def with_maturity(plan: ir.Plan, tests: tuple[TestCase, ...], sink: Sink) -> tuple[TestCase, ...]:
    """Return ``tests`` with null in place of every label that is not mature at the expectation's
    cutoff; an expectation of anything but null is reported.
    """
    if not tests or not any(feature.label for feature in plan.features):
        return tests
    try:
        horizons = label_horizons(plan)
    except (PlanError, KeyError):
        return tests  # a cycle or a missing name, which was reported
    return tuple(
        replace(case, expects=tuple(_matured(one, horizons, sink) for one in case.expects))
        for case in tests
    )


def _matured(
    expectation: Expectation, horizons: Mapping[ir.FeatureId, int], sink: Sink
) -> Expectation:
    def mature(node: ir.Expr) -> ir.Expr:
        decided = _decided(node, expectation.at, horizons)
        if decided > expectation.at and decided > expectation.as_of:
            return ir.Literal(None, node.type.optional())
        return node

    expression = transform(expectation.expression, mature)
    if expression == expectation.expression:
        return expectation
    if expectation.expected is not None:
        at = max(_decided(node, expectation.at, horizons) for node in walk(expectation.expression))
        sink.emit(
            codes.TEST_IMMATURE.at(
                expectation.origin.span,
                f"decided {duration_text(at - expectation.at)} after that time",
                title="the label is not mature at the time of the expectation",
            )
            .note(f"it is null until {timestamp_text(at)}")
            .help(f"say what is known: `as_of {timestamp_text(at)}`, or expect null")
        )
    return replace(expectation, expression=expression)


def _decided(node: ir.Expr, t: int, horizons: Mapping[ir.FeatureId, int]) -> int:
    """Return when the label that ``node`` looks up at ``t`` is decided; ``t`` for anything else."""
    if isinstance(node, ir.EntityLookup) and node.feature in horizons:
        return t + max(0, horizons[node.feature] - node.offset)
    return t
