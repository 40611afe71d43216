"""Engine exceptions as diagnostics: a run never ends in a traceback."""

from __future__ import annotations

import errno
import re
from pathlib import PurePath

import duckdb

from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import backend as backend_codes
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Code, Diagnostic
from astrafs.values.errors import MARK

_RAISED = re.compile(re.escape(MARK) + r"\|(AFS\d{4})\|([^\n]*)")
_NO_SPACE = ("No space left", "disk full", "max_temp_directory_size", "temporary directory")
_READING = ("reading ", "opening ")
# A statement that makes no sense is never caused by a damaged file. Whatever else a reader meets is
# the file's fault, and the engine has many exceptions for that.
_OUR_MISTAKES = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.SyntaxException,
    duckdb.PermissionException,
    duckdb.ConnectionException,
    duckdb.InterruptException,
)
_FILE = re.compile(r"(?:^\s*file = |\bfile [\"'])(?P<path>[^\"'\n]+)", re.MULTILINE | re.IGNORECASE)


def is_interrupt(error: BaseException) -> bool:
    """Whether the engine stopped because the user asked: Ctrl-C comes as one of two, and from a
    kernel wrapped in a third.
    """
    if isinstance(error, duckdb.InterruptException):
        return True
    message = str(error)
    if isinstance(error, duckdb.Error):
        return "KeyboardInterrupt" in message
    return isinstance(error, RuntimeError) and "interrupted" in message.lower()


def translate(error: Exception, doing: str) -> AstrafsError:
    """Return what to tell the user about ``error``, which the engine raised while it was ``doing``
    something.
    """
    return AstrafsError(_diagnose(error, doing))


def _diagnose(error: Exception, doing: str) -> Diagnostic:
    message = str(error)
    where = f"while {doing}"
    raised = _RAISED.search(message)
    if raised is not None and raised[1] in ALL:
        return _raised(ALL[raised[1]], raised[2].strip()).note(where)
    first = message.split("\n", 1)[0]
    if any(mark in message for mark in _NO_SPACE) or _errno(error) == errno.ENOSPC:
        return (
            codes.DISK_FULL.nowhere()
            .note(where)
            .note(first)
            .help("free some space, or set TMPDIR to a larger disk")
        )
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return (
            codes.OUT_OF_MEMORY.nowhere()
            .note(where)
            .note(first)
            .help("raise `--memory-limit`, or lower `--threads`")
        )
    if isinstance(error, duckdb.OutOfRangeException | duckdb.ConversionException):
        return _range(first, where)
    if doing.startswith(_READING) and not isinstance(error, _OUR_MISTAKES):
        return _unreadable(message, where)
    return backend_codes.ENGINE_FAILED.nowhere().note(where).note(_short(message))


def _raised(code: Code, text: str) -> Diagnostic:
    """Return what a kernel said. Where a sum takes no such value, that is the value and its row."""
    if code != codes.SUM_RANGE:
        return code.nowhere(text)
    return code.nowhere(f"{code.title}: {text}").help(
        "mend the row, or bound the column with an `expect` on its source"
    )


def _unreadable(message: str, where: str) -> Diagnostic:
    """Say which file is damaged and where, without the engine's advice about its own options."""
    file = _FILE.search(message)
    title = f"`{PurePath(file['path'].strip()).name}` cannot be read" if file is not None else ""
    found = codes.UNREADABLE_FILE.nowhere(title).note(where)
    text = re.split(r"\n(?:Possible|Try )", message, maxsplit=1)[0]
    words = _short(text.removeprefix("Invalid Input Error: ").removeprefix("IO Error: "))
    found = found.note(words)
    return found.help("save it as UTF-8") if "utf-8" in words.lower() else found


def _range(first: str, where: str) -> Diagnostic:
    words = first.upper()
    if "DECIMAL" in words:
        return codes.DECIMAL_OVERFLOW.nowhere().note(where).note(first)
    if "DOUBLE" in words or "FLOAT" in words:
        return codes.FLOAT_OVERFLOW.nowhere().note(where).note(first)
    if "TIMESTAMP" in words or "DATE" in words:
        return codes.TIME_RANGE.nowhere().note(where).note(first)
    return (
        codes.INT_OVERFLOW.nowhere()
        .note(where)
        .note(first)
        .help("convert with `float(x)` or `decimal(x, 38, 0)` before the operation")
    )


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def _short(message: str, lines: int = 6, width: int = 300) -> str:
    kept = [line.strip()[:width] for line in message.split("\n") if line.strip()]
    return "\n".join(kept[:lines])
