"""Which views of a program a store serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan.find import find_view
from astrafs.plan.program import Program
from astrafs.plan.prune import prune


def chosen_views(program: Program, names: Sequence[str]) -> tuple[str, ...]:
    """Return the qualified names of the views called ``names``; without any, of all.

    Raises :class:`AstrafsError` for a view that is not there, and where there is none.
    """
    plan = program.plan
    found = [find_view(plan, name).name for name in names] or [view.name for view in plan.views]
    if not found:
        raise AstrafsError(
            codes.NO_VIEWS.nowhere().help("a `view` names the features that are asked for together")
        )
    return tuple(dict.fromkeys(found))


def restricted(program: Program, views: Sequence[str]) -> Program:
    """Return a program with ``views`` alone, and the features that they need; sources keep all that
    they declare, as rows are judged by it.

    Views that the program does not have any more are passed over.
    """
    plan = program.plan
    kept = tuple(view for view in plan.views if view.name in views)
    needed = {one.id for one in prune(plan, views=[view.name for view in kept]).features}
    features = tuple(feature for feature in plan.features if feature.id in needed)
    return replace(program, plan=replace(plan, views=kept, features=features, datasets=()))
