"""Whether a store can answer: it holds what a view needs, back to the time of the question."""

from __future__ import annotations

import threading

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.layout import Layout
from astrafs.online.manifest import Manifest
from astrafs.plan.prune import prune

_SHOWN = 5


class Readiness:
    """Judges questions by what a store says of itself. Safe to share between threads."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._guard = threading.Lock()
        self._data: bytes | None = None
        self._manifest = Manifest()
        self._missing: dict[str, Diagnostic | None] = {}

    def judge(self, data: bytes | None, view: str, since: int) -> None:
        """Raise :class:`AstrafsError` where the store whose manifest is ``data`` lacks rows that
        ``view`` needs, or was rid of what a question at ``since`` may need.

        A store without a manifest was fed from its first row on, so it lacks nothing.
        """
        if data is None:
            return
        with self._guard:
            if data != self._data:
                self._data, self._manifest, self._missing = data, Manifest.read(data), {}
            if view not in self._missing:
                self._missing[view] = self._lacks(view)
            manifest, missing = self._manifest, self._missing[view]
        if missing is not None:
            raise AstrafsError(missing)
        manifest.judge_time(since)

    def _lacks(self, view: str) -> Diagnostic | None:
        lacking = self._manifest.lacks(self._layout)
        if not lacking.shapes and not lacking.tables:
            return None
        needed = prune(self._layout.engine.plan, views=[view])
        read = {feature.id for feature in needed.features}
        found = [
            str(one) for one in self._layout.features(lacking.shapes, lacking.tables) if one in read
        ]
        # Streams look tables up too.
        found += sorted({source.name for source in needed.sources} & set(lacking.tables))
        if not found:
            return None
        shown = ", ".join(f"`{name}`" for name in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        title = f"`{view}` cannot be served: the store has no rows for {shown}{more}"
        return codes.NOT_LOADED.nowhere(title).help(
            "`astrafs online load` reads what is missing from the sources"
        )
