"""What a client is told when something is wrong: problem documents (RFC 9457), and their status."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import online as online_codes
from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import AstrafsError, Code, Diagnostic

CONTENT_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1

STATUSES: Final[Mapping[str, int]] = {
    code.id: status
    for code, status in (
        (codes.BAD_HTTP, 400),
        (codes.BAD_BODY, 400),
        (codes.NO_TOKEN, 401),
        (codes.WRONG_SCOPE, 403),
        (codes.NO_PATH, 404),
        (codes.WRONG_METHOD, 405),
        (codes.NOT_ACCEPTABLE, 406),
        (codes.TOO_SLOW, 408),
        (codes.NO_LENGTH, 411),
        (codes.TOO_LARGE, 413),
        (codes.LONG_TARGET, 414),
        (codes.MEDIA_TYPE, 415),
        (codes.EXPECTATION, 417),
        (codes.WRONG_HOST, 421),
        (codes.REFUSED_ROWS, 422),
        (codes.UNSAFE_ARROW, 422),
        (codes.LARGE_HEADERS, 431),
        (codes.BUSY, 503),
        (codes.TOOK_LONG, 503),
        (usage.INTERNAL, 500),
        (usage.UNKNOWN_VIEW, 404),
        (online_codes.UNKNOWN_SOURCE, 404),
        (online_codes.BAD_JSON, 400),
        (online_codes.BAD_ARROW, 400),
        (online_codes.NO_STORE, 503),
        (online_codes.NEWER_STORE, 503),
        (online_codes.STORE_FAILED, 503),
        (online_codes.STORE_BUSY, 503),
        (online_codes.STORE_UNREACHABLE, 503),
        (online_codes.STORE_FORGETS, 503),
    )
}
"""The status of each code; any other code of a question, a row or its data has 422."""


class RefusalError(Exception):
    """A request that is answered with a problem document.

    ``more`` are further members of the document. ``status`` wins over that of the code.
    """

    def __init__(
        self,
        *diagnostics: Diagnostic,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(diagnostics[0].title)
        self.diagnostics = diagnostics
        self.status = status or STATUSES.get(diagnostics[0].code.id, 422)
        self.headers = dict(headers or {})
        self.more = more or {}
        if self.status in (429, 503):
            self.headers.setdefault("retry-after", str(RETRY_SECONDS))

    @property
    def code(self) -> Code:
        """The code of the first problem."""
        return self.diagnostics[0].code

    def body(self) -> bytes:
        """Return the problem document as JSON."""
        return json.dumps(self._document(), ensure_ascii=True, separators=(",", ":")).encode()

    def response(self) -> Response:
        """Return the answer."""
        return Response(self.body(), self.status, self.headers, CONTENT_TYPE)

    def _document(self) -> dict[str, Any]:
        first = self.diagnostics[0]
        code = first.code
        document: dict[str, Any] = {
            "type": f"urn:astrafs:{code.id}",
            "title": code.title,
            "status": self.status,
            "code": code.id,
            "detail": _detail(self.status, first),
            **self.more,
        }
        if self.status < 500:
            if first.notes:
                document["notes"] = list(first.notes)
            if first.helps:
                document["help"] = list(first.helps)
            errors = [located(found) for found in self.diagnostics]
            if len(errors) > 1 or "pointer" in errors[0]:
                document["errors"] = errors
        return document


def refusal_of(error: AstrafsError) -> RefusalError:
    """Return what a client is told of a failed operation."""
    return RefusalError(*error.diagnostics)


def _detail(status: int, found: Diagnostic) -> str:
    """Return what is wrong in one sentence. Faults on our side say no more than their kind: their
    titles name files and hosts.
    """
    return found.code.title if status >= 500 else found.title


_PLACE = re.compile(r"`(?P<list>questions?)(?:\[(?P<number>\d+)\])?(?:\.(?P<field>\w+))?`")
"""How titles begin that speak of a question."""


def located(found: Diagnostic) -> dict[str, Any]:
    """Return one problem of several as a member of ``errors``, with a JSON pointer where its title
    says of which question it speaks.
    """
    one: dict[str, Any] = {"code": found.code.id, "detail": found.title}
    place = _PLACE.match(found.title)
    if place is not None:
        one["pointer"] = "".join(f"/{part}" for part in place.groups() if part is not None)
    if found.notes:
        one["notes"] = list(found.notes)
    if found.helps:
        one["help"] = list(found.helps)
    return one


def about_one(error: AstrafsError) -> AstrafsError:
    """Return ``error`` about the only question of a request, which has no number there."""
    return AstrafsError(
        *(
            replace(found, title=found.title.replace("`questions[0]", "`question", 1))
            for found in error.diagnostics
        )
    )


def problems_of(rows: Sequence[tuple[int, Diagnostic]]) -> list[dict[str, Any]]:
    """Return refused rows as JSON: the place of each from 1, its code, and why."""
    return [{"row": place + 1, **located(found)} for place, found in rows]
