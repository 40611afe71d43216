"""``astrafs.lock`` and the kept definitions on disk: reading, and writing all or nothing.

Definitions live under ``.astrafs/definitions`` by identity; both belong in version control.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from astrafs.cli.output import replace_file
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan.errors import PlanError
from astrafs.plan.ir import FeatureId
from astrafs.registry.definitions import Definition, read_definition
from astrafs.registry.lock import EMPTY, REMOVED, Lock, read_lock, write_lock

try:
    import fcntl
except ImportError:  # not on this system; writers are then kept apart by the atomic rename alone
    fcntl = None  # type: ignore[assignment]

FILE_NAME = "astrafs.lock"
DEFINITIONS = ".astrafs/definitions"
_HELD = ".astrafs/apply.lock"
_PATIENCE = 60.0
"""Seconds to wait for another writer."""


def load_lock(root: Path) -> Lock:
    """Return the lock of the project at ``root``, an empty one where there is none.

    Raises :class:`AstrafsError` where it cannot be read.
    """
    try:
        return read_lock((root / FILE_NAME).read_text("utf-8"))
    except FileNotFoundError:
        return EMPTY
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise AstrafsError(codes.BAD_LOCK_FILE.nowhere().note(str(reason).lower())) from None


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


def recall(root: Path, identity: str) -> Definition | None:
    """Return the kept definition with ``identity``, None where there is no readable one."""
    try:
        return read_definition(_definition(root, identity).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, PlanError):
        return None


def _definition(root: Path, identity: str) -> Path:
    return root / DEFINITIONS / identity[:2] / f"{identity}.json"


def is_kept(root: Path, identity: str) -> bool:
    """Whether a definition with ``identity`` is on disk."""
    return _definition(root, identity).exists()


def save(root: Path, lock: Lock, definitions: Mapping[str, str]) -> None:
    """Write ``lock`` and the texts of ``definitions`` (by identity), the lock file last."""
    for identity, text in definitions.items():
        path = _definition(root, identity)
        with _refused(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    replace_file(root / FILE_NAME, write_lock(lock))


@contextlib.contextmanager
def held(root: Path) -> Iterator[None]:
    """Keep other writers of the lock out while the block runs; wait up to a minute for them.

    The system releases the lock of a process that dies.
    """
    path = root / _HELD
    with _refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    with stream:
        _wait_for(stream)
        yield


def _wait_for(stream: BinaryIO) -> None:
    if fcntl is None:
        return
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise AstrafsError(codes.LOCK_HELD.nowhere()) from None
            time.sleep(0.01)


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AstrafsError(
            usage.CANNOT_WRITE.nowhere(f"`{path}` cannot be written: {reason}")
        ) from None
