"""One serving process: uvicorn on a socket that is bound already, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final

import uvicorn

from astrafs.server.app import App
from astrafs.server.listening import BACKLOG
from astrafs.server.log import FLUSH_SECONDS
from astrafs.server.protocol import BoundedProtocol
from astrafs.serving import Serving

_LOOK_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 1.0


def run(app: App, listener: socket.socket, ready: Callable[[], None], lifeline: int | None) -> bool:
    """Serve until SIGTERM or SIGINT; return whether everything that had begun was finished.

    ``ready`` is called once when requests are answered. Where ``lifeline`` is given, the process
    also ends when that pipe closes, which it does with the process that holds its other end.
    """
    return asyncio.run(_run(app, listener, ready, lifeline))


async def _run(
    app: App, listener: socket.socket, ready: Callable[[], None], lifeline: int | None
) -> bool:
    server = _Server(app)
    async with _background(app):
        server.on_started = ready
        loop = asyncio.get_running_loop()
        if lifeline is not None:
            loop.add_reader(lifeline, _cut, loop, lifeline, server)
        await server.serve(sockets=[listener])
    return await app.close(_LAST_SECONDS)  # the server has waited for what it could


def _cut(loop: asyncio.AbstractEventLoop, lifeline: int, server: _Server) -> None:
    loop.remove_reader(lifeline)
    server.stop()


@contextlib.asynccontextmanager
async def _background(app: App) -> AsyncIterator[None]:
    """Write the log and look after the file of tokens meanwhile."""

    async def look() -> None:
        while True:
            for _ in range(int(_LOOK_SECONDS / FLUSH_SECONDS)):
                await asyncio.sleep(FLUSH_SECONDS)
                if app.log.waiting:
                    app.log.flush()
            app.refresh_tokens()

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it serves, and whose signals are ours."""

    def __init__(self, app: App) -> None:
        super().__init__(_config(app))
        self._app = app
        self.on_started: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        self.on_started()

    def stop(self, *, hastily: bool = False) -> None:
        """Stop accepting, and end when what has begun is answered; at once if it is told
        ``hastily`` again.
        """
        if self.should_exit and hastily:
            self.force_exit = True
        self._app.endpoints.draining = True
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that end a server, and that which asks for the tokens to be read."""
        loop = asyncio.get_running_loop()
        actions: Sequence[tuple[int, Callable[[], None]]] = (
            (signal.SIGTERM, self.stop),
            # A second Ctrl-C is impatience; SIGTERM may come from whoever looks after us as well.
            (signal.SIGINT, functools.partial(self.stop, hastily=True)),
            (signal.SIGHUP, functools.partial(self._app.refresh_tokens, always=True)),
        )
        for number, action in actions:
            loop.add_signal_handler(number, action)
        try:
            yield
        finally:
            for number, _ in actions:
                loop.remove_signal_handler(number)


def _config(app: App) -> uvicorn.Config:
    settings: Serving = app.settings
    protocol: Any = functools.partial(
        BoundedProtocol, settings=settings, refused=app.metrics.refused
    )
    return uvicorn.Config(
        app.gate,
        http=protocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_seconds,  # type: ignore[arg-type]  # a timer's delay
        timeout_graceful_shutdown=settings.drain_seconds,  # type: ignore[arg-type]  # the same
    )
