"""Asking single expressions of a plan: a question without keys, as a view that engines answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from astrafs.plan import ir
from astrafs.typesys import Type

PROBE = "probe"
"""The entity and the view that are added. Qualified names hold a dot, so it is free."""


def probe_feature(place: int) -> ir.FeatureId:
    """Return the name of the feature that holds expression number ``place``."""
    return ir.FeatureId(PROBE, f"v{place}")


def with_probe(plan: ir.Plan, asked: Sequence[tuple[ir.Expr, Type]]) -> ir.Plan:
    """Return ``plan`` with the view :data:`PROBE` alone: one output per expression, in order.

    Its entity has no keys, so expressions may look up and compute, and read no key.
    """
    features = tuple(
        ir.Feature(probe_feature(place), type_, expression)
        for place, (expression, type_) in enumerate(asked)
    )
    outputs = tuple(
        ir.Output(f"v{place}", ir.FeatureRef(feature.id, feature.expression.type), feature.type)
        for place, feature in enumerate(features)
    )
    return replace(
        plan,
        entities=(*plan.entities, ir.Entity(PROBE, ())),
        features=(*plan.features, *features),
        views=(ir.View(PROBE, PROBE, outputs),),
        datasets=(),
    )
