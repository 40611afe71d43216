"""The exception for plans that break an invariant: a bug of the compiler or a damaged file."""

from __future__ import annotations


class PlanError(Exception):
    """A plan is not valid; the message names the node at fault."""
