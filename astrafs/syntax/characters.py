"""What a source file may consist of: UTF-8, a limited size, and no characters that hide or
reorder text.
"""

from __future__ import annotations

import re

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Diagnostic, Edit, Sink
from astrafs.source import SourceFile
from astrafs.syntax.report import Reporter

MOST_BYTES = 1_048_576
BYTE_ORDER_MARK = "\ufeff"

_FORBIDDEN = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"  # zero width, line separators, direction marks
    "\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # tags, variation selectors
    "]|\r(?!\n)"
)
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def decode(path: str, data: bytes, sink: Sink) -> SourceFile | None:
    """Return the source file that ``data`` holds, or None with a diagnostic if it is too large
    or not UTF-8.
    """
    if len(data) > MOST_BYTES:
        sink.emit(_too_large(path, len(data)))
        return None
    try:
        return SourceFile(path, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = codes.NOT_UTF8.nowhere(
            f"`{path}` is not UTF-8: line {line} has the byte 0x{data[error.start]:02x}"
        )
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            found = found.note("it looks like UTF-16")
        sink.emit(found.help("save the file as UTF-8"))
        return None


def _too_large(path: str, size: int) -> Diagnostic:
    return codes.FILE_TOO_LARGE.nowhere(
        f"`{path}` has {size:,} bytes; a source file has at most {MOST_BYTES:,}"
    ).help("split it into several modules")


def readable_text(report: Reporter) -> str | None:
    """Return the text with every forbidden character reported and replaced by a space, None if it
    is too large.

    Offsets stay as they are.
    """
    text = report.file.text
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        report.emit(_too_large(report.file.path, size))
        return None
    if text.startswith(BYTE_ORDER_MARK):
        text = " " + text[1:]
    for match in _FORBIDDEN.finditer(text):
        if report.full:
            break
        point = ord(match[0])
        what = "changes the direction of text" if _DIRECTION.match(match[0]) else "cannot be seen"
        span = report.span(match.start(), match.end())
        found = codes.FORBIDDEN_CHARACTER.at(span, f"U+{point:04X} {what}").help(
            "delete it; inside a text, write it as an escape such as `\\u{200B}`"
        )
        if not _in_text(text, match.start()):
            # What separates stays a separation; what joins nothing goes without a trace.
            right = " " if match[0].isspace() or point < 0x20 else ""
            found = found.fix("put a space there" if right else "delete it", Edit(span, right))
        elif point != 0 and not 0xD800 <= point <= 0xDFFF:
            escape = f"\\u{{{point:X}}}"
            found = found.fix(f"write `{escape}`", Edit(span, escape))
        report.emit(found)
        report.taint(match.start(), match.end())
    return _FORBIDDEN.sub(" ", text)


def _in_text(text: str, at: int) -> bool:
    """Whether ``at`` lies between the quotes of a text."""
    inside = escaped = False
    for character in text[text.rfind("\n", 0, at) + 1 : at]:
        if escaped:
            escaped = False
        elif inside:
            escaped, inside = character == "\\", character != '"'
        elif character == "#":
            return False
        else:
            inside = character == '"'
    return inside
