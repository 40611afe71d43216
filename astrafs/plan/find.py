"""Finding a feature or a view by the name that a person types."""

from __future__ import annotations

import re

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.plan import ir
from astrafs.plan.program import Program

_NAME = re.compile(r"(?P<path>(?:[A-Za-z0-9_]+\.)*)(?P<name>[A-Za-z0-9_]+)(?:@(?P<version>\d+))?")
_LISTED = 8


def find_feature(program: Program, text: str) -> ir.FeatureId:
    """Return the feature that ``text`` names: ``txn_count_1h``, ``User.txn_count_1h``,
    ``fraud.cards.txn_count_1h``, ``common.User.txn_count_1h@2``.

    Without a version it is the latest that is not deprecated, if any is. Raises
    :class:`AstrafsError` for a name of no feature, or of several.
    """
    found = _NAME.fullmatch(text.strip().replace("`", ""))
    if found is None:
        raise AstrafsError(
            codes.NO_SUCH_FEATURE.nowhere(f"`{text}` is no name of a feature").help(
                "write `txn_count_1h`, `User.txn_count_1h` or `User.txn_count_1h@2`"
            )
        )
    path, name = found["path"].rstrip("."), found["name"]
    of_name = [f for f in program.plan.features if f.id.name == name]
    fitting = [f for f in of_name if _fits(program, f.id, path)]
    if not fitting:
        raise AstrafsError(_unknown(program, text, name, of_name))
    entities = sorted({f.id.entity for f in fitting})
    if len(entities) > 1:
        listed = ", ".join(f"`{entity}.{name}`" for entity in entities[:_LISTED])
        raise AstrafsError(
            codes.NO_SUCH_FEATURE.nowhere(f"{len(entities)} entities have a feature `{name}`").help(
                f"name one: {listed}"
            )
        )
    return _version(fitting, text, found["version"])


def find_view(plan: ir.Plan, name: str) -> ir.View:
    """Return the view called ``name``, qualified or by its last part where that is unique."""
    found = [view for view in plan.views if view.name == name]
    found = found or [view for view in plan.views if view.name.rsplit(".", 1)[-1] == name]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"`{view.name}`" for view in found)
        raise AstrafsError(
            codes.UNKNOWN_VIEW.nowhere(f"several views are called `{name}`").help(
                f"name one: {listed}"
            )
        )
    names = [view.name for view in plan.views] + [one.name for one in plan.datasets]
    short = [one.rsplit(".", 1)[-1] for one in names]
    near = closest(name, names) or closest(name.rsplit(".", 1)[-1], short)
    missing = codes.UNKNOWN_VIEW.nowhere(f"the project has no view `{name}`")
    if any(name in (one.id.name, str(one.id)) for one in plan.features):
        missing = missing.note(f"`{name}` is a feature; values are computed for views")
    if near:
        missing = missing.help(f"did you mean `{near}`?")
    elif names:
        missing = missing.note("it has " + ", ".join(f"`{one}`" for one in names[:12]))
    raise AstrafsError(missing)


def versions_of(program: Program, feature: ir.FeatureId) -> list[ir.Feature]:
    """Return all versions of a feature, the oldest first."""
    same = [
        f
        for f in program.plan.features
        if (f.id.entity, f.id.name) == (feature.entity, feature.name)
    ]
    return sorted(same, key=lambda f: f.id.version)


def _fits(program: Program, feature: ir.FeatureId, path: str) -> bool:
    if not path:
        return True
    module = program.features[feature].module
    short = feature.entity.rsplit(".", 1)[-1]
    places = (feature.entity, module, f"{module}.{short}")
    return any(place == path or place.endswith(f".{path}") for place in places)


def _version(fitting: list[ir.Feature], text: str, version: str | None) -> ir.FeatureId:
    by_number = {f.id.version: f for f in fitting}
    if version is None:
        active = [number for number, f in by_number.items() if not f.deprecated]
        return by_number[max(active or by_number)].id
    if int(version) in by_number:
        return by_number[int(version)].id
    known = ", ".join(f"`@{number}`" for number in sorted(by_number))
    raise AstrafsError(
        codes.NO_SUCH_FEATURE.nowhere(f"`{text}`: there is no version {version}").help(
            f"there is {known}"
        )
    )


def _unknown(program: Program, text: str, name: str, of_name: list[ir.Feature]) -> Diagnostic:
    missing = codes.NO_SUCH_FEATURE.nowhere(f"the project has no feature `{text}`")
    if of_name:
        listed = sorted({f"`{f.id.entity}.{name}`" for f in of_name})
        return missing.help(f"did you mean {' or '.join(listed[:_LISTED])}?")
    for kind, names in (
        ("view", [one.name for one in program.plan.views]),
        ("dataset", [one.name for one in program.plan.datasets]),
        ("source", [one.name for one in program.plan.sources]),
    ):
        if any(text in (one, one.rsplit(".", 1)[-1]) for one in names):
            return missing.note(f"`{text}` is a {kind}")
    near = closest(name, sorted({f.id.name for f in program.plan.features}))
    if near is None:
        return missing.help("`astrafs graph --format json` lists the features")
    entity = min(f.id.entity for f in program.plan.features if f.id.name == near)
    return missing.help(f"did you mean `{entity.rsplit('.', 1)[-1]}.{near}`?")
