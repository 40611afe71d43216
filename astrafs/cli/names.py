"""Names on the command line: columns of a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.suggest import closest

if TYPE_CHECKING:
    from astrafs.plan import ir

LISTED = 12


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
