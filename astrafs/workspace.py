"""Finding and reading project files: the only place that touches the disk (or standard input) for
source text.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from astrafs.config import FILE_NAME
from astrafs.diagnostics.codes import config as codes
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.model import AstrafsError, Diagnostic, Sink
from astrafs.diagnostics.suggest import closest
from astrafs.record import dataclass
from astrafs.source import SourceFile
from astrafs.syntax.characters import decode

SUFFIX = ".afs"
FILE_LIMIT = 2_000
READ_LIMIT = 1 << 26
"""Bytes; far above the largest allowed file, so that a larger one can be named with its size."""

STDIN_NAME = "stdin.afs"
SKIPPED = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files of one project as read. ``only`` is the path of the one file that was asked for, if
    one was.
    """

    root: Path
    files: tuple[SourceFile, ...]
    only: str = ""


def find_root(path: Path) -> Path:
    """Return the nearest directory at or above ``path`` that holds ``astrafs.toml``, else the
    directory itself.
    """
    here = path.resolve()
    start = here if here.is_dir() else here.parent
    for directory in (start, *start.parents):
        if (directory / FILE_NAME).is_file():
            return directory
    return start


def open_workspace(path: Path, sink: Sink) -> Workspace:
    """Read the project that ``path`` (a directory or an ``.afs`` file) belongs to.

    A file that cannot be used is reported to ``sink``. Raises :class:`AstrafsError` where ``path``
    does not exist.
    """
    if not path.exists():
        raise AstrafsError(missing(path, f"there is no file or directory `{path}`"))
    root = find_root(path)
    if path.is_dir():
        files = read_files(root, sink)
        if not files and not sink.has_errors:
            sink.emit(
                codes.NO_FILES.nowhere(f"there is no `.afs` file under {_shown(root)}").help(
                    "`astrafs init DIR` writes a small project to start from"
                )
            )
        return Workspace(root, files)
    if path.suffix != SUFFIX:
        raise AstrafsError(
            usage.MISSING_FILE.nowhere(f"`{path}` is no `.afs` file").help(
                "name a project directory or a file that ends in `.afs`"
            )
        )
    only = path.resolve().relative_to(root).as_posix()
    if (root / FILE_NAME).is_file():
        return Workspace(root, read_files(root, sink), only)
    return Workspace(root, tuple(_read(root, only, sink)), only)


def read_stdin(stream: BinaryIO, root: Path, name: str, sink: Sink) -> Workspace:
    """Read one file from ``stream``. With a ``name`` in the project at ``root`` it stands in for
    that file.
    """
    file = decode(name or STDIN_NAME, stream.read(READ_LIMIT), sink)
    given = () if file is None else (file,)
    if not name:
        return Workspace(root, given, STDIN_NAME)
    others = (one for one in read_files(root, sink) if one.path != name)
    files = sorted((*others, *given), key=lambda one: one.path)
    return Workspace(root, tuple(files), name)


def read_files(root: Path, sink: Sink) -> tuple[SourceFile, ...]:
    """Read every ``.afs`` file under ``root``, sorted by path; hidden and nested projects'
    directories are skipped.
    """
    paths = sorted(find_paths(root, sink))
    if len(paths) > FILE_LIMIT:
        sink.emit(
            codes.TOO_MANY_FILES.nowhere(
                f"{len(paths):,} `.afs` files lie under {_shown(root)}; "
                f"a project holds at most {FILE_LIMIT:,}"
            ).help(f"give parts of it an {FILE_NAME} of their own")
        )
        return ()
    return tuple(file for path in paths for file in _read(root, path, sink))


def missing(path: Path, title: str) -> Diagnostic:
    """Say that a path on the command line does not exist, and which one does."""
    found = usage.MISSING_FILE.nowhere(title)
    near = nearby(path)
    return found if near is None else found.help(f"did you mean `{path.with_name(near)}`?")


def nearby(path: Path) -> str | None:
    """Return the name in the directory of ``path`` that its own is most likely a misspelling of."""
    try:
        with os.scandir(path.parent) as entries:
            return closest(path.name, sorted(entry.name for entry in entries))
    except OSError:
        return None


def find_paths(root: Path, sink: Sink) -> Iterator[str]:
    """Yield the ``.afs`` paths under ``root``, relative, with ``/``. Linked directories are not
    entered.
    """
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            entries = list(os.scandir(root / inside))
        except OSError as error:
            sink.emit(_unreadable(inside or _shown(root), error))
            continue
        if inside and any(entry.name == FILE_NAME for entry in entries):
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in SKIPPED:
                continue
            path = f"{inside}/{entry.name}" if inside else entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif entry.name.endswith(SUFFIX) and not _linked_directory(entry):
                yield path


def _read(root: Path, path: str, sink: Sink) -> Iterator[SourceFile]:
    """Yield the file at ``path``, or report why it cannot be read."""
    full = root / path
    try:
        real = full.resolve(strict=True)
        if full.is_symlink() and not real.is_relative_to(root):
            sink.emit(
                codes.LINK_ESCAPES.nowhere(f"`{path}` is a link that leads out of the project")
                .note(f"it points to {real}, and the project is {root}")
                .help("copy the file into the project")
            )
            return
        if not stat.S_ISREG(real.stat().st_mode):
            raise OSError("it is not a regular file")
        with real.open("rb") as stream:
            data = stream.read(READ_LIMIT)
    except (OSError, RuntimeError) as error:
        sink.emit(_unreadable(path, error))
        return
    file = decode(path, data, sink)
    if file is not None:
        yield file


def _linked_directory(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and os.path.isdir(entry)


def _unreadable(path: str, error: Exception) -> Diagnostic:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return codes.CANNOT_READ.nowhere(f"{path.strip('`')} cannot be read: {reason.lower()}")


def _shown(path: Path) -> str:
    """Return ``path`` from the working directory where that is shorter."""
    try:
        near = path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
    return "this directory" if near == "." else f"`{near}`"
