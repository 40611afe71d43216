"""What a store says of itself: for which views, which groups and tables it holds, since when.

One entry, written on the condition that nobody else wrote it meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.online.groups import Shape
from astrafs.online.layout import Held, Layout
from astrafs.online.store import Store
from astrafs.record import dataclass
from astrafs.values.text import instant_text

PLACE = b"m"
FORMAT = 2
_TRIES = 50
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a store. ``groups`` gives, by the name of each loaded group, what is kept of it;
    ``tables`` the names of the changelogs. ``as_of`` is the latest time of loading, ``floor`` the
    oldest time that can be asked (microseconds; None: any).
    """

    views: tuple[str, ...] = ()
    groups: Mapping[str, Held] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    as_of: int | None = None
    floor: int | None = None

    @classmethod
    def read(cls, data: bytes | None) -> Manifest:
        """Return what :meth:`data` gave; empty without any."""
        if data is None:
            return cls()
        try:
            found: dict[str, Any] = json.loads(data)
            if found["format"] != FORMAT:
                raise AstrafsError(
                    codes.NEWER_STORE.nowhere(
                        f"state of format {found['format']}; this version reads {FORMAT}"
                    )
                )
            groups = {
                name: Held(one["rows"], tuple(one["columns"]))
                for name, one in found["groups"].items()
            }
            views, tables = tuple(found["views"]), tuple(found["tables"])
            return cls(views, groups, tables, found["as_of"], found["floor"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise AstrafsError(
                codes.STORE_FAILED.nowhere("state in the store is damaged").note("its manifest")
            ) from None

    def data(self) -> bytes:
        """Return the manifest as bytes."""
        return json.dumps(
            {
                "format": FORMAT,
                "views": sorted(self.views),
                "groups": {
                    name: {"rows": held.rows, "columns": list(held.columns)}
                    for name, held in sorted(self.groups.items())
                },
                "tables": sorted(self.tables),
                "as_of": self.as_of,
                "floor": self.floor,
            },
            separators=(",", ":"),
        ).encode()

    # --- against a program

    def lacks(self, layout: Layout) -> Lacking:
        """Return what a program needs that is not here."""
        shapes = tuple(
            shape for shape in layout.shapes if layout.names[shape].hex() not in self.groups
        )
        tables = tuple(
            name for name in layout.tables if layout.tables[name].hex() not in self.tables
        )
        return Lacking(shapes, tables)

    def judge(self, layout: Layout) -> None:
        """Raise :class:`AstrafsError` where a program needs what is not here."""
        lacking = self.lacks(layout)
        if not lacking.shapes and not lacking.tables:
            return
        features = [str(one) for one in layout.features(lacking.shapes, lacking.tables)]
        shown = ", ".join(f"`{name}`" for name in features[:_SHOWN])
        more = f" and {len(features) - _SHOWN} more" if len(features) > _SHOWN else ""
        raise AstrafsError(
            codes.NOT_LOADED.nowhere(f"the store has no rows for {shown}{more}").help(
                "`astrafs online load` reads what is missing from the sources"
            )
        )

    def judge_time(self, since: int) -> None:
        """Raise :class:`AstrafsError` where a question at ``since`` is older than what is here."""
        if self.floor is not None and since < self.floor:
            raise AstrafsError(
                codes.BELOW_FLOOR.nowhere(
                    f"asked at {instant_text(since)}; the store answers from "
                    f"{instant_text(self.floor)} on"
                )
            )

    # --- what follows it

    def loaded(
        self, layout: Layout, shapes: Sequence[Shape], tables: Sequence[str], as_of: int
    ) -> Manifest:
        """Return the manifest after groups and tables of a program were loaded."""
        groups = dict(self.groups)
        for shape in shapes:
            groups[layout.names[shape].hex()] = layout.held(shape)
        names = {*self.tables, *(layout.tables[name].hex() for name in tables)}
        latest = as_of if self.as_of is None else max(self.as_of, as_of)
        return Manifest(self.views, groups, tuple(sorted(names)), latest, self.floor)

    def of(self, layout: Layout, views: Sequence[str]) -> Manifest:
        """Return the manifest of a store that from now on is fed for one program alone: what that
        does not need gets no rows any more, so it is not here.
        """
        groups = {
            name: layout.held(shape)
            for shape, name in ((one, layout.names[one].hex()) for one in layout.shapes)
            if name in self.groups
        }
        known = {name.hex() for name in layout.tables.values()}
        tables = tuple(name for name in self.tables if name in known)
        return Manifest(tuple(views), groups, tables, self.as_of, self.floor)

    @classmethod
    def whole(cls, layout: Layout) -> Manifest:
        """Return the manifest of a store that was fed for one program from its first row on."""
        return cls(
            tuple(view.name for view in layout.engine.plan.views),
            {layout.names[shape].hex(): layout.held(shape) for shape in layout.shapes},
            tuple(sorted(name.hex() for name in layout.tables.values())),
        )

    def raised(self, floor: int) -> Manifest:
        """Return the manifest with a floor no lower than ``floor``."""
        most = floor if self.floor is None else max(floor, self.floor)
        return Manifest(self.views, self.groups, self.tables, self.as_of, most)


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a program needs that a store does not hold: groups, and tables by name."""

    shapes: tuple[Shape, ...]
    tables: tuple[str, ...]


def read_manifest(store: Store) -> Manifest:
    """Return the manifest of a store, empty where it has none yet."""
    (data,) = store.get((PLACE,))
    return Manifest.read(data)


def change_manifest(store: Store, change: Callable[[Manifest], Manifest]) -> Manifest:
    """Replace the manifest of a store by what ``change`` makes of it, and return that."""
    for _ in range(_TRIES):
        (data,) = store.get((PLACE,))
        made = change(Manifest.read(data))
        if made.data() == data or store.write({PLACE: made.data()}, {PLACE: data}):
            return made
    raise AstrafsError(
        codes.STORE_BUSY.nowhere("others kept changing what the store says of itself")
    )
