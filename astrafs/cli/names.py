"""Names on the command line: views of a project, columns of a view."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.diagnostics.suggest import closest

LISTED = 12


def find_view(plan: ir.Plan, name: str) -> ir.View:
    """Return the view called ``name``, qualified or by its last part if only one is called so."""
    found = [view for view in plan.views if view.name == name]
    found = found or [view for view in plan.views if view.name.rsplit(".", 1)[-1] == name]
    if len(found) == 1:
        return found[0]
    if found:
        full = _listed([view.name for view in found])
        raise AstrafsError(
            codes.UNKNOWN_VIEW.nowhere(f"several views are called `{name}`").help(
                f"name one: {full}"
            )
        )
    names = [view.name for view in plan.views]
    short = [one.rsplit(".", 1)[-1] for one in names]
    missing = codes.UNKNOWN_VIEW.nowhere(f"the project has no view `{name}`")
    likely = closest(name, names) or closest(name.rsplit(".", 1)[-1], short)
    if likely:
        missing = missing.help(f"did you mean `{likely}`?")
    elif names:
        missing = missing.help(f"its views are {_listed(names)}")
    else:
        missing = missing.help("declare one: `view NAME for ENTITY { ... }`")
    raise AstrafsError(missing)


def pick_features(view: ir.View, given: str) -> tuple[str, ...] | None:
    """Return the columns of ``view`` that the comma-separated list ``given`` names; None for an
    empty list.
    """
    wanted = tuple(name.strip() for name in given.split(",") if name.strip())
    names = [output.name for output in view.outputs]
    problems = []
    for name in wanted:
        if name not in names:
            likely = closest(name, names)
            advice = f"did you mean `{likely}`?" if likely else f"it has {_listed(names)}"
            problems.append(
                codes.UNKNOWN_FEATURE.nowhere(
                    f"the view `{view.name}` has no feature `{name}`"
                ).help(advice)
            )
    if problems:
        raise AstrafsError(*problems)
    return tuple(dict.fromkeys(wanted)) or None


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(f"`{name}`" for name in names[:LISTED])
    return f"{text} and {len(names) - LISTED} more" if len(names) > LISTED else text
