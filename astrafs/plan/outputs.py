"""Choosing some of a view's outputs by name."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.suggest import closest
from astrafs.plan import ir

_LISTED = 12


def check_outputs(view: ir.View, wanted: Sequence[str]) -> None:
    """Raise :class:`AstrafsError`, a diagnostic a name, where ``view`` has no output so called."""
    names = [output.name for output in view.outputs]
    problems = []
    for name in wanted:
        if name not in names:
            near = closest(name, names)
            found = usage.UNKNOWN_FEATURE.nowhere(f"the view `{view.name}` has no feature `{name}`")
            problems.append(
                found.help(f"did you mean `{near}`?" if near else f"it has {_listed(names)}")
            )
    if problems:
        raise AstrafsError(*problems)


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(f"`{name}`" for name in names[:_LISTED])
    return f"{text} and {len(names) - _LISTED} more" if len(names) > _LISTED else text
