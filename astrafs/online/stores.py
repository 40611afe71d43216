"""Opening the store that a place names: a directory, or a Redis database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.online.sqlite_store import SqliteStore
from astrafs.online.store import Store

DEFAULT_PLACE: Final = ".astrafs/online"
"""Below the project root, where neither the command line nor ``astrafs.toml`` names a place."""

_REDIS: Final = ("redis", "rediss", "unix")


def open_store(place: str | Path, *, create: bool = False) -> Store:
    """Open the store at ``place``: a directory, or ``redis://host:port/db[?prefix=name]``.

    With ``create`` an empty one is made where there is none. Raises
    :class:`~astrafs.diagnostics.model.AstrafsError` where it cannot be opened.
    """
    scheme = _scheme(place)
    if scheme is None:
        return SqliteStore(Path(place), create=create)
    if scheme not in _REDIS:
        raise AstrafsError(
            codes.BAD_STORE_PLACE.nowhere(f"stores are not kept in `{scheme}:`").help(
                "name a directory, or `redis://host:6379/0?prefix=name`"
            )
        )
    try:
        from astrafs.online.redis_store import RedisStore
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise AstrafsError(
            codes.NO_REDIS_LIBRARY.nowhere().help('pip install "astrafs[redis]"')
        ) from None
    return RedisStore(str(place), create=create)


def place_of(root: Path, given: str | None, configured: str | None) -> str | Path:
    """Return where the store of the project in ``root`` is: ``given`` on the command line
    (relative to the working directory), else ``configured`` in the project file (relative to the
    project, and inside it unless absolute), else below the project.
    """
    if given is not None:
        return given if _scheme(given) else Path(given)
    named = DEFAULT_PLACE if configured is None else configured
    if _scheme(named):
        return named
    place = root / named
    if Path(named).is_absolute() or place.resolve().is_relative_to(root.resolve()):
        return place
    raise AstrafsError(
        codes.BAD_STORE_PLACE.nowhere(
            f"the store `{named}` of the project lies outside it, in `{place.resolve()}`"
        ).help("write that path in `astrafs.toml` if you mean it, or give it as `--store`")
    )


def _scheme(place: str | Path) -> str | None:
    if isinstance(place, Path):
        return None
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", place)
    return found[1].lower() if found else None
