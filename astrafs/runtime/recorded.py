"""What a manifest says of the outputs of a view and the labels of a dataset: enough to compute them
again when the program no longer has them, or has others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.identity import (
    definition_digests,
    feature_identities,
    kept_name,
    view_identity,
)
from astrafs.plan.json import expression_data, expression_of

Recorded = Mapping[str, Any]


class Writer:
    """Writes what expressions show: identities for features, and what they are asked by."""

    def __init__(self, plan: ir.Plan) -> None:
        self._plan = plan
        self._identities = feature_identities(plan)
        self._digests = definition_digests(plan)

    def features(self, view: ir.View) -> dict[str, str]:
        """Return the identity of the feature behind each output; key columns have none."""
        return {
            one.name: self._identities[one.expression.feature]
            for one in view.outputs
            if isinstance(one.expression, ir.FeatureRef | ir.EntityLookup)
        }

    def view(self, view: ir.View) -> dict[str, Any]:
        """Return what a manifest says of a view."""
        return {
            "name": view.name,
            "identity": view_identity(self._plan, view.name),
            "entity": view.entity,
            "outputs": [one.name for one in view.outputs],
            "shown": self.shown(view.outputs),
        }

    def shown(self, named: Iterable[ir.Output | ir.Label]) -> dict[str, Recorded]:
        """Return what each of ``named`` shows, by its name."""
        return {one.name: self._one(one.expression) for one in named}

    def _one(self, expr: ir.Expr) -> Recorded:
        match expr:
            case ir.FeatureRef() | ir.EntityLookup():
                found: dict[str, Any] = {
                    "identity": self._identities[expr.feature],
                    "definition": self._digests[expr.feature],
                }
                if isinstance(expr, ir.EntityLookup):
                    found["of"] = expr.entity
                    found["keys"] = [expression_data(key) for key in expr.keys]
                    found["offset_us"] = expr.offset
                return found
            case _:
                return {"expression": expression_data(expr)}


def kept_names(shown: Mapping[str, Recorded]) -> dict[str, str]:
    """Return the name under which the definition of each feature is kept, by what shows it."""
    return {
        name: kept_name(one["identity"], one["definition"])
        for name, one in shown.items()
        if "identity" in one
    }


def expressions(
    plan: ir.Plan, shown: Mapping[str, Recorded], features: Mapping[str, ir.FeatureId]
) -> dict[str, tuple[ir.Expr, ir.Feature | None]]:
    """Return the expressions of what was recorded, and the feature that each shows; ``features``
    are those of ``plan`` by what shows them. Raises :class:`KeyError` or :class:`PlanError` where
    the record is not sound.
    """
    known = {feature.id: feature for feature in plan.features}
    found: dict[str, tuple[ir.Expr, ir.Feature | None]] = {}
    for name, one in shown.items():
        if name not in features:
            found[name] = expression_of(one["expression"]), None
            continue
        feature = known[features[name]]
        kind = feature.expression.type
        if "of" not in one:
            found[name] = ir.FeatureRef(feature.id, kind), feature
            continue
        keys = tuple(expression_of(key) for key in one["keys"])
        lookup = ir.EntityLookup(one["of"], keys, feature.id, one["offset_us"], kind)
        found[name] = lookup, feature
    return found


def view_of(plan: ir.Plan, recorded: Recorded, features: Mapping[str, ir.FeatureId]) -> ir.View:
    """Return the view that a manifest describes; raises as :func:`expressions` does."""
    entity = next((one for one in plan.entities if one.name == recorded["entity"]), None)
    if entity is None:
        raise PlanError(f"the project no longer has `{recorded['entity']}`")
    fields = {field.name: field.type for field in entity.keys}
    shown = expressions(plan, recorded["shown"], features)
    outputs = []
    for name in recorded["outputs"]:
        expr, feature = shown[name]
        if feature is not None:
            type_ = feature.type
        else:
            type_ = fields[expr.name] if isinstance(expr, ir.KeyPart) else expr.type
        outputs.append(ir.Output(name, expr, type_))
    return ir.View(recorded["name"], entity.name, tuple(outputs))


def labels_of(
    plan: ir.Plan,
    today: ir.Dataset,
    recorded: Iterable[Recorded],
    features: Mapping[str, ir.FeatureId],
) -> tuple[ir.Label, ...]:
    """Return the labels that a manifest describes; raises as :func:`expressions` does."""
    listed = list(recorded)
    shown = expressions(plan, {one["name"]: one["shown"] for one in listed}, features)
    types = {one.name: one.type for one in today.labels}
    found = []
    for one in listed:
        expr, feature = shown[one["name"]]
        type_ = types.get(one["name"], expr.type) if feature is None else feature.type
        known = tuple(one["known"])
        found.append(ir.Label(one["name"], expr, type_.optional(), one["horizon_us"], known))
    return tuple(found)
