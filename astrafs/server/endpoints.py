"""The endpoints: what a request asks of the service, and how the answer is written."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.online.questions import TIME
from astrafs.online.service import Online
from astrafs.server import metrics as numbers
from astrafs.server.arrow import read_table, to_stream
from astrafs.server.bodies import (
    ARROW,
    JSON,
    LINES,
    check_accepted,
    media_type,
    questions_of,
    read_body,
    rows_of,
)
from astrafs.server.metrics import Metrics
from astrafs.server.openapi import document, schema_of
from astrafs.server.problems import RefusalError, about_one, problems_of
from astrafs.server.tokens import Tokens
from astrafs.server.work import Work
from astrafs.serving import Serving
from astrafs.values.times import iso

SMALL_BYTES: Final = 2_048
"""A JSON body of at most this size is a question or a few."""
EXPANSION: Final = 8
"""How many times the size of the largest body an Arrow table may take when it is written out."""

Handler = Callable[[Request], Awaitable[Response]]


class Endpoints:
    """What the routes do. ``clock`` gives microseconds since 1970; ``reach`` reads from the store.

    ``aside`` is for what must be answered also where ``work`` is full.
    """

    def __init__(
        self,
        online: Online,
        settings: Serving,
        tokens: Tokens | None,
        work: Work,
        aside: Work,
        metrics: Metrics,
        clock: Callable[[], int],
        reach: Callable[[], object],
    ) -> None:
        self._online = online
        self._settings = settings
        self._tokens = tokens
        self._work = work
        self._aside = aside
        self._reach = reach
        self._metrics = metrics
        self._clock = clock
        self.draining = False
        self._document = _json(document(online, settings, secured=tokens is not None))

    def routes(self) -> list[Route]:
        """Return the routes, each with the scope that it needs."""
        return [
            self._route("/views/{view}", self.ask, "POST", "read"),
            self._route("/views", self.views, "GET", "read"),
            self._route("/views/{view}/schema", self.schema, "GET", "read"),
            self._route("/ingest/{source}", self.ingest, "POST", "write"),
            self._route("/healthz", self.health, "GET", ""),
            self._route("/readyz", self.ready, "GET", ""),
            self._route("/metrics", self.measured, "GET", "read"),
            self._route("/openapi.json", self.openapi, "GET", "read"),
        ]

    def _route(self, path: str, handler: Handler, method: str, scope: str) -> Route:
        async def guarded(request: Request) -> Response:
            request.scope["astrafs"]["route"] = path
            if scope and self._tokens is not None:
                self._authorize(request, self._tokens, scope)
            return await handler(request)

        return Route(path, guarded, methods=[method])

    def _authorize(self, request: Request, tokens: Tokens, scope: str) -> None:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        challenge = {"www-authenticate": 'Bearer realm="astrafs"'}
        if kind.lower() != "bearer" or not given:
            raise RefusalError(codes.NO_TOKEN.nowhere(), headers=challenge)
        token = tokens.find(given.strip().encode("latin-1"))
        if token is None:
            challenge["www-authenticate"] += ', error="invalid_token"'
            raise RefusalError(codes.NO_TOKEN.nowhere("the token is not known"), headers=challenge)
        request.scope["astrafs"]["token"] = token.name
        if scope not in token.scopes:
            challenge["www-authenticate"] += f', error="insufficient_scope", scope="{scope}"'
            found = codes.WRONG_SCOPE.nowhere(f"the token lacks the scope `{scope}`")
            raise RefusalError(found, headers=challenge)

    async def ask(self, request: Request) -> Response:
        """Answer questions to a view: JSON for JSON, an Arrow stream for an Arrow stream."""
        schema = self._online.view_schema(request.path_params["view"])
        request.scope["astrafs"]["name"] = view = schema.name
        kind = media_type(request, (JSON, ARROW))
        check_accepted(request, kind)
        body = await read_body(request, self._settings.max_body_bytes)
        call = self._arrow_answer if kind == ARROW else self._json_answer
        small = kind == JSON and len(body) <= SMALL_BYTES
        similar = f"{view} {len(body).bit_length()}"  # bodies of one length cost about the same
        questions, answer = await self._work.run(
            lambda: call(view, body), kind=similar, small=small
        )
        self._metrics.answered(view, questions, questions * len(schema.outputs))
        self._metrics.cached(self._online.cached)
        return Response(answer, media_type=kind)

    def _json_answer(self, view: str, body: bytes) -> tuple[int, bytes]:
        timed = all(key.name != TIME for key in self._online.view_schema(view).keys)
        asked = questions_of(body, self._settings.max_batch, timed=timed)
        at = self._clock() if asked.at is None else asked.at
        try:
            answers = self._online.answer(view, asked.questions, at)
        except AstrafsError as error:
            raise about_one(error) if asked.one else error from None
        found: Any = {"answer": answers[0]} if asked.one else {"answers": answers}
        return len(answers), _json({"at": iso(at), **found})

    def _arrow_answer(self, view: str, body: bytes) -> tuple[int, bytes]:
        table = self._table(body)
        return table.num_rows, to_stream(self._online.get_many(view, table, self._clock()))

    def _table(self, body: bytes) -> Any:
        settings = self._settings
        most = EXPANSION * settings.max_body_bytes
        return read_table(body, settings.max_batch, most)

    async def views(self, request: Request) -> Response:
        """List the views."""
        check_accepted(request, JSON)
        found = []
        for name in self._online.views:
            one = self._online.view_schema(name)
            kind = "request" if one.request else "entity"
            about = {"name": name, "doc": one.doc, kind: one.entity}
            found.append({**about, "schema": f"/views/{name}/schema"})
        return Response(_json({"views": found}), media_type=JSON)

    async def schema(self, request: Request) -> Response:
        """Say what a view takes and gives."""
        check_accepted(request, JSON)
        found = self._online.view_schema(request.path_params["view"])
        request.scope["astrafs"]["name"] = found.name
        return Response(_json(schema_of(found)), media_type=JSON)

    async def ingest(self, request: Request) -> Response:
        """Take rows of a source; those that are told as taken are on disk."""
        source = self._online.source_schema(request.path_params["source"]).name
        request.scope["astrafs"]["name"] = source
        kind = media_type(request, (JSON, LINES, ARROW))
        check_accepted(request, JSON)
        body = await read_body(request, self._settings.max_body_bytes)

        def call() -> Any:
            if kind == ARROW:
                return self._online.ingest(source, self._table(body))
            return self._online.ingest(source, rows_of(body, kind, self._settings.max_batch))

        found = await self._work.run(call)
        counts = {"taken": found.taken, "repeated": found.repeated, "expired": found.expired}
        self._metrics.ingested(source, {**counts, "refused": len(found.refused)})
        told = {**counts, "refused": problems_of(found.refused)}
        if found.refused and not any(counts.values()):
            raise RefusalError(codes.REFUSED_ROWS.nowhere(), more=told)
        return Response(_json(told), media_type=JSON)

    async def health(self, request: Request) -> Response:
        """Say that the process answers."""
        check_accepted(request, JSON)
        return Response(_json({"status": "ok"}), media_type=JSON)

    async def ready(self, request: Request) -> Response:
        """Say whether requests should be sent here: the store is reachable, and we stay."""
        check_accepted(request, JSON)
        if self.draining:
            raise RefusalError(codes.BUSY.nowhere("the server is shutting down"))
        await self._aside.run(self._reach)
        return Response(_json({"status": "ready"}), media_type=JSON)

    async def measured(self, _request: Request) -> Response:
        """Return the metrics."""
        text = await self._aside.run(self._metrics.text)
        return Response(text, headers={"content-type": numbers.CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """Return the OpenAPI document."""
        check_accepted(request, JSON)
        return Response(self._document, media_type=JSON)


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()
