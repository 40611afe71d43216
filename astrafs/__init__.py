"""AstraFS: a feature-definition language with a compiler. Features are point-in-time correct by
construction.

project = astrafs.load("features/")
table = project.backfill("checkout_risk", spine=frame, as_of="2026-01-01T00:00:00Z")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from astrafs._version import __version__

if TYPE_CHECKING:
    from astrafs.diagnostics.model import AstrafsError, Diagnostic
    from astrafs.project import Project, load

__all__ = ["AstrafsError", "Diagnostic", "Project", "__version__", "load"]

_PLACES = {
    "AstrafsError": "astrafs.diagnostics.model",
    "Diagnostic": "astrafs.diagnostics.model",
    "Project": "astrafs.project",
    "load": "astrafs.project",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that ``import astrafs`` and the command line start
    fast.
    """
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'astrafs' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(place), name)
