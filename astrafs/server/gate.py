"""The outermost layer of the application: what holds for every request, whatever its route.

It counts and logs, checks the host, tells of every failure as a problem document, and lets nothing
out of the program that a client need not know.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
import traceback
from collections.abc import Iterable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.server.log import Entry, Log
from astrafs.server.metrics import Metrics
from astrafs.server.problems import RefusalError, refusal_of

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
_HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Gate:
    """Wraps ``app``. ``hosts`` are the host names that are answered; empty for all of them."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        log: Log,
        hosts: Iterable[str] = (),
        *,
        debug: bool = False,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._hosts = frozenset(host.lower() for host in hosts)
        self._debug = debug
        self._prefix = f"{os.urandom(4).hex()}-"
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        about: dict[str, str] = {}
        scope["app"], scope["astrafs"] = self, about
        identity = f"{self._prefix}{next(self._numbers)}"
        status = received = sent = 0

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", identity.encode())
                message["headers"] = [*message.get("headers", ()), *_HEADERS, own]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self._metrics.started()
        try:
            refusal = await self._answer(scope, receiving, sending, identity)
            if refusal is not None:
                about["code"] = refusal.code.id
                if not status:
                    await refusal.response()(scope, receiving, sending)
        except ClientDisconnect:
            status = status or 499  # nobody is there to be told; the number is that of other logs
        finally:
            route = about.get("route", "other")
            took = time.perf_counter() - started
            self._metrics.finished(route, status, took)
            self._log.request(
                Entry(
                    time.time(),
                    identity,
                    scope["method"] if scope["method"] in METHODS else "other",
                    route,
                    status,
                    took,
                    received,
                    sent,
                    about.get("token", ""),
                    about.get("name", ""),
                    about.get("code", ""),
                )
            )

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, identity: str
    ) -> RefusalError | None:
        """Let the application answer; return what the client is to be told instead, if so."""
        try:
            self._check_host(scope)
            await self._app(scope, receive, send)
        except RefusalError as error:
            return error
        except HTTPException as error:
            return _not_routed(error)
        except AstrafsError as error:
            refusal = refusal_of(error)
            if refusal.status >= 500:
                self._report(identity, refusal, error)
            return refusal
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - the one net: no failure ends the server
            refusal = RefusalError(usage.INTERNAL.nowhere())
            self._report(identity, refusal, error)
            return refusal
        return None

    def _report(self, identity: str, refusal: RefusalError, error: Exception) -> None:
        """Tell the operator of a failure on our side in full: the client only hears its kind."""
        if isinstance(error, AstrafsError):
            self._metrics.store_failed()
            detail = "; ".join(found.title for found in error.diagnostics)
        else:
            detail = f"{type(error).__name__}: {error}"
        self._log.event("failed", id=identity, code=refusal.code.id, detail=detail)
        if self._debug:
            traceback.print_exception(error, file=sys.stderr)

    def _check_host(self, scope: Scope) -> None:
        if not self._hosts:
            return
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1").lower()
                bare = host if host.endswith("]") else host.rsplit(":", 1)[0]
                if bare not in self._hosts:
                    raise RefusalError(codes.WRONG_HOST.nowhere())


def _not_routed(error: HTTPException) -> RefusalError:
    headers = dict(error.headers or {})
    if error.status_code == 405:
        allowed = ", ".join(sorted(headers.get("Allow", "").split(", ")))
        found = codes.WRONG_METHOD.nowhere(f"this path takes {allowed}")
        return RefusalError(found, headers={"allow": allowed})
    return RefusalError(codes.NO_PATH.nowhere(), status=error.status_code, headers=headers)
