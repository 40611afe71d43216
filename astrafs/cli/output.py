"""Where a command's text goes: standard output, or a file that is replaced whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
import tempfile
from pathlib import Path

from astrafs.cli import console
from astrafs.config import FILE_NAME as PROJECT_FILE
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.excerpt import Style
from astrafs.refusals import refused
from astrafs.source import SourceFile
from astrafs.workspace import SUFFIX


def deliver(text: str, output: Path | None) -> None:
    """Write ``text`` to the file ``output``; to standard output without one, or for ``-``."""
    if output is None or str(output) == "-":
        console.write(text)
        return
    refuse_sources(output)
    replace_file(output, text)


def refuse_sources(path: Path) -> None:
    """Raise where ``path`` is what people write by hand, and a result would replace it."""
    from astrafs.registry.lock import FILE_NAME as LOCK_FILE

    by_hand = path.suffix == SUFFIX or path.name in (PROJECT_FILE, LOCK_FILE)
    if by_hand and path.exists():
        raise AstrafsError(
            codes.CANNOT_WRITE.nowhere(f"`{path}` is a file of the project").help(
                "name a file that may be replaced"
            )
        )


def replace_file(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` in one step: beside it first, then renamed; a link stays one. Raises
    :class:`AstrafsError`.
    """
    if path.is_symlink():
        path = path.resolve()
    if path.exists() and not path.is_file():
        _pour(path, text)
        return
    with refused(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with refused(path):
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
            Path(name).chmod(mode)
            Path(name).replace(path)
    except BaseException:
        _discard(name)
        raise


def _pour(path: Path, text: str) -> None:
    """Write into a device or pipe such as ``/dev/stdout``, which must not be replaced."""
    with refused(path), path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)


def _discard(name: str) -> None:
    with contextlib.suppress(OSError):
        Path(name).unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def unified_diff(file: SourceFile, text: str) -> str:
    """Return what changes from ``file`` to ``text``, as lines in the colours of standard output."""
    lines = difflib.unified_diff(
        file.text.splitlines(), text.splitlines(), file.path, file.path, lineterm=""
    )
    styles = {"-": Style.REMOVED, "+": Style.ADDED, "@": Style.FRAME}
    return "".join(
        console.styled(line, styles.get(line[:1], Style.PLAIN), sys.stdout) + "\n" for line in lines
    )
