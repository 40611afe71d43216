"""Where the records of a project lie between two runs: one JSON file in ``.astrafs/cache``.

The file begins with the digest of the rest, and names the compiler that wrote it: what is damaged
or of another compiler is as good as absent. It is replaced in one step, so processes may run side
by side; the last one's records stay, and any of them are right.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astrafs._version import __version__
from astrafs.cache.records import Record, from_json, to_json
from astrafs.record import dataclass

FOLDER = ".astrafs"
FILE = "check.json"
MOST_BYTES = 1 << 25
_STALE_SECONDS = 600
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Memory:
    """The records of a project by path. ``repeats`` bounds what its templates repeat."""

    records: Mapping[str, Record]
    repeats: int = 0


NOTHING = Memory({})


def digest(data: bytes) -> str:
    """Return the digest by which texts and interfaces are compared."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def compiler() -> str:
    """Return what names this compiler: its version, its own files, the interpreter."""
    found = [__version__, sys.version]
    waiting = [str(_PACKAGE), str(_PACKAGE.parent / "grammar")]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith((".py", ".lark", ".json")):
                state = entry.stat()
                found.append(f"{entry.name} {state.st_size} {state.st_mtime_ns}")
            elif entry.is_dir() and entry.name != "__pycache__":
                waiting.append(entry.path)
    return digest("\n".join(found).encode())


class Store:
    """The cache of the project at ``root``. Whatever goes wrong with it is passed over."""

    def __init__(self, root: Path, *, keep: bool = True) -> None:
        """With ``keep`` off, nothing is written."""
        self._keep = keep
        self._top = root / FOLDER
        self._folder = self._top / "cache"
        self._file = self._folder / FILE
        self._written = b""

    def load(self) -> Memory:
        """Return what was saved last, or nothing."""
        try:
            if self._leads_away():
                return NOTHING
            with self._file.open("rb") as stream:
                data = stream.read(MOST_BYTES + 1)
            head, _, body = data.partition(b"\n")
            if len(data) > MOST_BYTES or head != digest(body).encode():
                return NOTHING
            document: dict[str, Any] = json.loads(body)
            if document["compiler"] != compiler():
                return NOTHING
            records = {path: from_json(one) for path, one in document["records"].items()}
            self._written = data
            return Memory(records, int(document["repeats"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return NOTHING

    def save(self, memory: Memory) -> None:
        """Keep ``memory`` in place of what was there."""
        if not self._keep:
            return
        document = {
            "compiler": compiler(),
            "repeats": memory.repeats,
            "records": {path: to_json(one) for path, one in sorted(memory.records.items())},
        }
        body = json.dumps(document, separators=(",", ":")).encode("utf-8", "surrogatepass")
        data = digest(body).encode() + b"\n" + body
        if data == self._written or len(data) > MOST_BYTES:
            return
        with contextlib.suppress(OSError):
            if not self._leads_away():
                self._replace(data)
                self._written = data

    def _leads_away(self) -> bool:
        """Whether a link would have us read or write elsewhere than in the project."""
        return self._top.is_symlink() or self._folder.is_symlink() or self._file.is_symlink()

    def _replace(self, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        ignore = self._folder / ".gitignore"  # beside it lie definitions, which are to be kept
        if not ignore.exists():
            ignore.write_text("# written by astrafs: nothing here belongs to the project\n*\n")
        self._sweep()
        beside = self._folder / f"{FILE}.{os.getpid()}.tmp"
        try:
            with beside.open("xb") as stream:
                stream.write(data)
            beside.replace(self._file)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise

    def _sweep(self) -> None:
        """Take away what a process that was killed left behind."""
        before = time.time() - _STALE_SECONDS
        for entry in os.scandir(self._folder):
            if entry.name.endswith(".tmp") and entry.stat().st_mtime < before:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


class NoStore(Store):
    """A store that remembers nothing."""

    def load(self) -> Memory:
        """Return nothing."""
        return NOTHING

    def save(self, memory: Memory) -> None:
        """Keep nothing."""
