"""Request bodies: their media type, their bytes within the limits, JSON and JSON lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request

from astrafs.diagnostics.codes import online as online_codes
from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.online.questions import TIME
from astrafs.online.values import from_json, parse_json
from astrafs.record import dataclass
from astrafs.server.problems import RefusalError
from astrafs.typesys import TIMESTAMP

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
ARROW: Final = "application/vnd.apache.arrow.stream"

_TYPE: Final = re.compile(
    r"\s*(?P<type>[\w.+-]+/[\w.+-]+)\s*(?:;\s*charset\s*=\s*\"?(?P<charset>[\w.-]+)\"?\s*)?", re.A
)
_RANGE: Final = re.compile(r"\s*(?P<type>[\w.+*-]+/[\w.+*-]+)\s*(?P<parameters>;[^,]*)?", re.A)
_ZERO: Final = re.compile(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Questions:
    """What a JSON body asks; ``one`` where it has a single ``question``. Times are microseconds."""

    questions: Sequence[Mapping[str, Any]]
    at: int | None
    one: bool


def media_type(request: Request, taken: Sequence[str]) -> str:
    """Return the media type of the body, one of ``taken``; raises :class:`RefusalError`."""
    given = request.headers.get("content-type", "")
    match = _TYPE.fullmatch(given)
    listed = ", ".join(f"`{one}`" for one in taken)
    if match is None or match["type"].lower() not in taken:
        what = f"`{given[:60]}` is not taken here" if given else "there is no `Content-Type`"
        raise RefusalError(codes.MEDIA_TYPE.nowhere(what).help(f"send {listed}"))
    if (match["charset"] or "utf-8").lower() not in ("utf-8", "utf8"):
        raise RefusalError(codes.MEDIA_TYPE.nowhere("the body must be UTF-8"))
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        found = codes.MEDIA_TYPE.nowhere("compressed bodies are not taken")
        raise RefusalError(found, headers={"accept-encoding": "identity"})
    return match["type"].lower()


def check_accepted(request: Request, answer: str) -> None:
    """Raise :class:`RefusalError` where the client does not accept the media type ``answer``."""
    ranges = request.headers.getlist("accept")
    if not ranges:
        return
    family = answer.split("/")[0]
    for one in ",".join(ranges).split(","):
        match = _RANGE.fullmatch(one)
        if match is None or _ZERO.search(match["parameters"] or ""):
            continue
        if match["type"].lower() in (answer, f"{family}/*", "*/*"):
            return
    raise RefusalError(codes.NOT_ACCEPTABLE.nowhere(f"the answer would be `{answer}`"))


async def read_body(request: Request, most: int) -> bytes:
    """Return the body, of at most ``most`` bytes; raises :class:`RefusalError`."""
    length = request.headers.get("content-length")
    if length is None and "transfer-encoding" not in request.headers:
        raise RefusalError(codes.NO_LENGTH.nowhere())
    too_large = codes.TOO_LARGE.nowhere(f"the body has more than {most:,} bytes")
    if length is not None and (not length.isdecimal() or int(length) > most):
        raise RefusalError(too_large)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise RefusalError(too_large)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def questions_of(body: bytes, most: int, *, timed: bool) -> Questions:
    """Return what a JSON body asks: one ``question`` or several ``questions``, and ``at``; where
    they are ``timed``, a member ``t`` of a question is its time, and read.

    Raises :class:`RefusalError` or :class:`AstrafsError` where it is of another form, or asks more
    than ``most``.
    """
    document = _parsed(body)
    if not isinstance(document, dict):
        raise RefusalError(_shape(f"the body is {_kind(document)}, and an object is asked for"))
    for name in document:
        if name not in ("question", "questions", "at"):
            found = _shape(f"the body has a member `{name[:60]}`, which means nothing here")
            near = closest(name, ("question", "questions", "at"))
            raise RefusalError(found.help(f"did you mean `{near}`?") if near else found)
    if ("question" in document) == ("questions" in document):
        raise RefusalError(_shape("the body has either a `question` or `questions`"))
    at = document.get("at")
    if "at" in document and not isinstance(at, str):
        raise RefusalError(_shape(f"`at` is {_kind(at)}, and a time in a string is asked for"))
    one = "question" in document
    questions = [document["question"]] if one else document["questions"]
    if not isinstance(questions, list):
        raise RefusalError(_shape(f"`questions` is {_kind(questions)}, and an array is asked for"))
    check_count(len(questions), most, "questions")
    if timed:
        questions = [
            _timed(question, "question" if one else f"questions[{place}]")
            for place, question in enumerate(questions)
        ]
    time = None if at is None else from_json(at, TIMESTAMP, "at")
    return Questions(questions, time, one)


def _timed(question: Any, place: str) -> Any:
    if not isinstance(question, dict) or TIME not in question:
        return question
    return {**question, TIME: from_json(question[TIME], TIMESTAMP, f"{place}.{TIME}")}


def rows_of(body: bytes, kind: str, most: int) -> list[Any]:
    """Return the rows of a JSON body (an object or an array of them) or of JSON lines, unjudged.

    Raises :class:`RefusalError` or :class:`AstrafsError` where it is of another form or holds more
    than ``most``.
    """
    if kind == LINES:
        check_count(body.count(b"\n"), most + 1, "lines")
        lines = body.split(b"\n")
        rows = [
            _parsed(line, f"line {number:,}")
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
    else:
        document = _parsed(body)
        if not isinstance(document, dict | list):
            title = f"the body is {_kind(document)}, and a row or an array of rows is asked for"
            raise RefusalError(_shape(title))
        rows = [document] if isinstance(document, dict) else document
    check_count(len(rows), most, "rows")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise RefusalError(
                _shape(f"row {number:,} is {_kind(row)}, and an object is asked for")
            )
    return rows


def check_count(count: int, most: int, what: str) -> None:
    """Raise :class:`RefusalError` where there are more than ``most``."""
    if count > most:
        title = f"there are {count:,} {what}, and {most:,} are taken at once"
        raise RefusalError(codes.TOO_LARGE.nowhere(title))


def _parsed(text: bytes, what: str = "the body") -> Any:
    if not text.strip():
        raise AstrafsError(online_codes.BAD_JSON.nowhere(f"{what} is empty"))
    return parse_json(text, most_bytes=len(text), what=what)


def _shape(title: str) -> Diagnostic:
    return codes.BAD_BODY.nowhere(title)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case dict():
            return "an object"
        case list():
            return "an array"
        case _:
            return "a number"
