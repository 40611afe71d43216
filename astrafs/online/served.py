"""Which views of a program a store serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.plan import ir
from astrafs.plan.find import find_view
from astrafs.plan.program import Program
from astrafs.plan.prune import prune


def chosen_views(program: Program, names: Sequence[str]) -> tuple[str, ...]:
    """Return the qualified names of the views called ``names``; without any, of all that can be
    served.

    Raises :class:`AstrafsError` for a view that is not there or cannot be served.
    """
    plan = program.plan
    if not names:
        found = tuple(view.name for view in plan.views if unservable(program, view) is None)
        if not found:
            problems = [unservable(program, view) for view in plan.views]
            nothing = codes.CANNOT_SERVE.nowhere("the project has no view that can be served")
            raise AstrafsError(nothing, *(one for one in problems if one is not None))
        return found
    views = [find_view(plan, name) for name in dict.fromkeys(names)]
    problems = [one for view in views if (one := unservable(program, view)) is not None]
    if problems:
        raise AstrafsError(*problems)
    return tuple(dict.fromkeys(view.name for view in views))


def unservable(program: Program, view: ir.View) -> Diagnostic | None:
    """Say why ``view`` cannot be served, None where it can."""
    needed = prune(program.plan, views=(view.name,)).features
    label = next((feature for feature in needed if feature.label), None)
    if label is None:
        return None
    title = f"the view `{view.name}` cannot be served: `{label.id}` is a label"
    origin = program.views.get(view.name)
    found = codes.CANNOT_SERVE.nowhere(title)
    if origin is not None:
        found = codes.CANNOT_SERVE.at(origin.name, "this view", title=title)
    return found.help("a label is known only later: leave it out of the view, and use a dataset")


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
