"""Which files a source reads: patterns resolved here, never by the engine, and only under allowed
directories.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.record import dataclass
from astrafs.workspace import nearby

_MAGIC = "*?["
LONGEST_NAME = 255
"""Of a file, in characters."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class InputFile:
    """One regular file. ``shown`` is its path from the project's directory where it lies inside."""

    path: Path
    shown: str
    size: int
    changed_ns: int
    inode: int


def resolve(
    source: str, patterns: Sequence[str], root: Path, roots: Sequence[Path]
) -> tuple[InputFile, ...]:
    """Return the files of ``source``, sorted by path, each once.

    ``patterns`` are globs relative to ``root`` unless absolute. Raises :class:`AstrafsError` where
    a pattern matches nothing, or a match (links followed) lies outside every directory of
    ``roots``.
    """
    allowed = tuple(directory.resolve() for directory in roots)
    base = root.resolve()
    found: dict[Path, InputFile] = {}
    for pattern in patterns:
        if "\0" in pattern or not pattern:
            raise AstrafsError(_nothing(source, pattern, base))
        start = _fixed_part(base, pattern)
        if not _inside(start, allowed):
            raise AstrafsError(_outside(source, pattern, start, allowed))
        matches = _matches(pattern, base)
        if not matches:
            raise AstrafsError(_nothing(source, pattern, base))
        for match in matches:
            real = Path(os.path.realpath(match))
            if not _inside(real, allowed):
                raise AstrafsError(_outside(source, pattern, match, allowed))
            found[real] = inspect(real, base)
    return tuple(found[path] for path in sorted(found))


def inspect(path: Path, base: Path) -> InputFile:
    """Return what is at ``path`` now; raises :class:`AstrafsError` where it cannot be read."""
    shown = path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
    try:
        state = path.stat()
        if not os.access(path, os.R_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AstrafsError(
            codes.UNREADABLE_FILE.nowhere(f"`{shown}` cannot be read: {reason}")
        ) from None
    if not stat.S_ISREG(state.st_mode):
        raise AstrafsError(codes.UNREADABLE_FILE.nowhere(f"`{shown}` is no regular file"))
    return InputFile(path, shown, state.st_size, state.st_mtime_ns, state.st_ino)


def sha256(file: InputFile) -> str:
    """Return the SHA-256 of the file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    try:
        with file.path.open("rb", buffering=0) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AstrafsError(
            codes.UNREADABLE_FILE.nowhere(f"`{file.shown}` cannot be read: {reason}")
        ) from None
    return digest.hexdigest()


def check_unchanged(files: Sequence[InputFile], base: Path) -> None:
    """Raise :class:`AstrafsError` where a file is not the one that was inspected."""
    for file in files:
        now = inspect(file.path, base)
        if (now.size, now.changed_ns) != (file.size, file.changed_ns):
            raise AstrafsError(
                codes.INPUT_CHANGED.nowhere(
                    f"`{file.shown}` changed while the run was reading it"
                ).help("run again when nothing writes to it")
            )


def _matches(pattern: str, base: Path) -> list[Path]:
    literal = base / pattern
    try:
        if literal.is_file():
            return [literal]
        names = glob.glob(pattern, root_dir=base, recursive=True)
    except OSError:  # a name longer than any file's
        return []
    return [path for path in (base / name for name in sorted(names)) if not path.is_dir()]


def _fixed_part(base: Path, pattern: str) -> Path:
    """Return the directory (or file) that every match of ``pattern`` lies under, links followed."""
    parts = Path(pattern).parts
    fixed = []
    for part in parts:
        if any(sign in part for sign in _MAGIC):
            break
        fixed.append(part)
    return Path(os.path.realpath(base.joinpath(*fixed)))


def _inside(path: Path, allowed: Sequence[Path]) -> bool:
    return any(path.is_relative_to(directory) for directory in allowed)


def _nothing(source: str, pattern: str, base: Path) -> Diagnostic:
    found = codes.NO_FILES_MATCH.nowhere(f"source `{source}`: no file matches `{pattern}`")
    found = found.note(f"looked from {base}")
    if "\0" in pattern or any(len(part) > LONGEST_NAME for part in pattern.split("/")):
        return found
    if pattern and (base / pattern).is_dir():
        return found.help(f"it is a directory: name the files in it, such as `{pattern}/*`")
    near = nearby(base / pattern)
    if near is not None:
        found = found.help(f"did you mean `{(Path(pattern).parent / near).as_posix()}`?")
    return found.help("mend the pattern, or override it for this environment in `astrafs.toml`")


def _outside(source: str, pattern: str, place: Path, allowed: Sequence[Path]) -> Diagnostic:
    listed = ", ".join(str(directory) for directory in allowed) or "nowhere"
    return (
        codes.OUTSIDE_ROOTS.nowhere(
            f"source `{source}`: `{pattern}` leads outside the allowed directories"
        )
        .note(f"{place} is not under {listed}")
        .help('allow the directory: `roots = ["..."]` under `[project]` of `astrafs.toml`')
    )
