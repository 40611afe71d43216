"""The application of one process: service, endpoints and gate put together, and let go again."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from starlette.routing import Router

from astrafs.diagnostics.model import AstrafsError
from astrafs.online.service import Online
from astrafs.online.store import Store
from astrafs.plan.program import Program
from astrafs.server.endpoints import Endpoints
from astrafs.server.forms import question_example
from astrafs.server.gate import LOOPBACK_NAMES, Gate
from astrafs.server.log import Log
from astrafs.server.metrics import Metrics
from astrafs.server.tokens import Tokens
from astrafs.server.work import Work
from astrafs.serving import Serving

_ASIDE: Final = 64
"""How many questions about the server itself may wait."""


def now() -> int:
    """Return the microseconds since 1970."""
    return time.time_ns() // 1_000


class App:
    """What one process serves; ``gate`` is the ASGI application."""

    def __init__(
        self,
        program: Program,
        store: Store,
        settings: Serving,
        *,
        tokens: Path | None = None,
        history: int | None = None,
        remote: bool = False,
        clock: Callable[[], int] = now,
        stream: TextIO | None = None,
        debug: bool = False,
    ) -> None:
        """Serve ``program`` from ``store``, which is ``remote`` if it is reached by a network and
        keeps what questions of the last ``history`` microseconds see (None: everything).

        Raises :class:`AstrafsError` where the store or the file of ``tokens`` cannot be used.
        """
        self.settings = settings
        self.tokens = None if tokens is None else Tokens(tokens)
        self.online = Online(program, store, clock, history=history)
        self.log = Log(stream or sys.stderr, settings.access_log)
        self.metrics = Metrics()
        self.work = Work(
            settings.threads,
            settings.max_concurrency,
            settings.request_seconds,
            inline=not remote,
        )
        self._aside = Work(1, _ASIDE, settings.request_seconds, inline=False)
        self.endpoints = Endpoints(
            self.online,
            settings,
            self.tokens,
            self.work,
            self._aside,
            self.metrics,
            clock,
            lambda: store.get((b"ready",)),
        )
        router = Router(self.endpoints.routes(), redirect_slashes=False)
        hosts = () if self.tokens else (*LOOPBACK_NAMES, settings.host, *settings.hosts)
        self.gate = Gate(router, self.metrics, self.log, hosts, debug=debug)

    def warm(self) -> None:
        """Ask every view once, so that the first request does not pay for what is made then."""
        for name in self.online.views:
            question = question_example(self.online.view_schema(name))
            with contextlib.suppress(AstrafsError):  # whatever it is, a request will be told
                self.online.answer(name, [question])

    def refresh_tokens(self, *, always: bool = False) -> None:
        """Read the file of tokens again if it has changed; where it cannot be used, say so."""
        if self.tokens is None:
            return
        try:
            if self.tokens.refresh(always=always):
                self.log.event("tokens", count=len(self.tokens))
        except AstrafsError as error:
            found = error.diagnostics[0]
            self.log.event("tokens", code=found.code.id, detail=found.title, kept=len(self.tokens))

    async def close(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for work under way and let go of the store; return whether all
        of it has ended.
        """
        ended = await self.work.close(seconds) and await self._aside.close(0.5)
        if ended:
            self.online.close()
        self.log.flush()
        return ended
