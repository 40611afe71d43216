"""Names on the command line: columns of a view."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astrafs.plan import ir


def pick_features(view: ir.View, given: str) -> tuple[str, ...] | None:
    """Return the columns of ``view`` that the comma-separated list ``given`` names; None for an
    empty list.
    """
    from astrafs.plan.outputs import check_outputs  # the plan is not needed to start

    wanted = tuple(name.strip() for name in given.split(",") if name.strip())
    check_outputs(view, wanted)
    return tuple(dict.fromkeys(wanted)) or None
