"""Engine exceptions as diagnostics: a run never ends in a traceback."""

from __future__ import annotations

import errno
import re

import duckdb

from astrafs.builtins.errors import MARK
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import backend as backend_codes
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic

_RAISED = re.compile(re.escape(MARK) + r"\|(AFS\d{4})\|([^\n]*)")
_NO_SPACE = ("No space left", "disk full", "max_temp_directory_size", "temporary directory")
_DAMAGED = ("CSV Error", "Malformed JSON", "No magic bytes", "footer", "snappy", "ZSTD", "thrift")


def is_interrupt(error: BaseException) -> bool:
    """Whether the engine stopped because the user asked (Ctrl-C arrives as one of two exceptions)."""
    return isinstance(error, duckdb.InterruptException) or (
        isinstance(error, RuntimeError) and "interrupted" in str(error).lower()
    )


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
        return ALL[raised[1]].nowhere(raised[2].strip()).note(where)
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
    if any(mark in message for mark in _DAMAGED) or isinstance(error, duckdb.IOException):
        return codes.UNREADABLE_FILE.nowhere().note(where).note(_short(message))
    return backend_codes.ENGINE_FAILED.nowhere().note(where).note(_short(message))


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
