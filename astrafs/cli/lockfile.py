"""``astrafs.lock`` and the kept definitions on disk: reading, and writing all or nothing.

Definitions live under ``.astrafs/definitions`` by identity; both belong in version control.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

from astrafs.cli.output import replace_file
from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan.errors import PlanError
from astrafs.plan.identity import definition_digests
from astrafs.plan.ir import FeatureId
from astrafs.refusals import refused
from astrafs.registry.definitions import Definition, read_definition
from astrafs.registry.lock import EMPTY, FILE_NAME, REMOVED, Lock, read_lock, write_lock

try:
    import fcntl
except ImportError:  # not on this system; writers are then kept apart by the atomic rename alone
    fcntl = None  # type: ignore[assignment]

FOLDER = ".astrafs"
DEFINITIONS = f"{FOLDER}/definitions"
IGNORED = """\
# Written by astrafs: only what was locked belongs into version control.
*
!.gitignore
!definitions/
!definitions/**
"""
_HELD = f"{FOLDER}/apply.lock"
_PATIENCE = 60.0
"""Seconds to wait for another writer."""


def load_lock(root: Path, *, join: bool = False) -> Lock:
    """Return the lock of the project at ``root``, an empty one where there is none; with ``join``
    that of both sides of a merge.

    Raises :class:`AstrafsError` where it cannot be read.
    """
    try:
        return read_lock((root / FILE_NAME).read_text("utf-8"), join=join)
    except FileNotFoundError:
        return EMPTY
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise AstrafsError(codes.BAD_LOCK_FILE.nowhere().note(str(reason).lower())) from None


def engines() -> tuple[str, ...]:
    """Return the engines that compute here, with their versions."""
    found = ((name, metadata.version(name)) for name in ("duckdb", "pyarrow"))
    return tuple(f"{name} {version}" for name, version in found)


def lock_bytes(root: Path) -> bytes | None:
    """Return what the lock file holds, to see whether it changes; None where there is none."""
    try:
        return (root / FILE_NAME).read_bytes()
    except OSError:
        return None


def removed_versions(root: Path) -> Mapping[FeatureId, str]:
    """Return the removed feature versions of the lock with the ISO dates of their removal; none
    where there is no readable lock.
    """
    try:
        lock = load_lock(root)
    except AstrafsError:
        return {}
    return {name: one.ended for name, one in lock.features.items() if one.status == REMOVED}


def recall(root: Path, name: str) -> Definition | None:
    """Return the definition that is kept under ``name``, None where there is no readable one.

    Stores of earlier versions kept one per identity; and a name may be an identity alone, which
    any definition of it will do for.
    """
    found = _read(_definition(root, name))
    if found is not None:
        return found
    identity, _, digest = name.partition("-")
    if not digest:
        others = sorted((root / DEFINITIONS / identity[:2]).glob(f"{identity}-*.json"))
        return next(filter(None, map(_read, others)), None)
    found = _read(_definition(root, identity))
    same = found is not None and definition_digests(found.plan)[found.feature] == digest
    return found if same else None


def _read(path: Path) -> Definition | None:
    try:
        return read_definition(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, PlanError):
        return None


def _definition(root: Path, name: str) -> Path:
    return root / DEFINITIONS / name[:2] / f"{name}.json"


def is_kept(root: Path, name: str) -> bool:
    """Whether a definition is on disk under ``name``."""
    return _definition(root, name).exists()


def save(root: Path, lock: Lock, definitions: Mapping[str, str]) -> None:
    """Write ``lock`` and the texts of ``definitions`` (by kept name), the lock file last."""
    for name, text in definitions.items():
        path = _definition(root, name)
        with refused(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    replace_file(root / FILE_NAME, write_lock(lock))


@contextlib.contextmanager
def held(root: Path) -> Iterator[None]:
    """Keep other writers of the lock out while the block runs; wait for them as long as one after
    the other gets its turn, but not more than a minute for any.

    The system releases the lock of a process that dies.
    """
    path = root / _HELD
    _make_folder(root)
    with refused(path):
        stream = path.open("a+b")
    with stream:
        _wait_for(stream)
        generation = _generation(stream)
        with refused(path):
            stream.truncate(0)
            stream.write(b"%d\n" % (generation + 1))
            stream.flush()
        yield


def _make_folder(root: Path) -> None:
    """Make the project's own folder. Of what is in it only definitions are for others."""
    ignore = root / FOLDER / ".gitignore"
    with refused(ignore):
        ignore.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), ignore.open("x", encoding="utf-8") as stream:
            stream.write(IGNORED)


def _generation(stream: BinaryIO) -> int:
    """Return how often the lock was held."""
    stream.seek(0)
    digits = stream.read(20).strip()
    return int(digits) if digits.isdigit() else 0


def _wait_for(stream: BinaryIO) -> None:
    if fcntl is None:
        return
    deadline, seen = time.monotonic() + _PATIENCE, _generation(stream)
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            generation = _generation(stream)
            if generation != seen:
                deadline, seen = time.monotonic() + _PATIENCE, generation
            if time.monotonic() > deadline:
                raise AstrafsError(codes.LOCK_HELD.nowhere()) from None
            time.sleep(0.01)
