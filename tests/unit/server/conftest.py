"""The application over a store in memory, called without a network."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

import astrafs
from astrafs.online.store import MemoryStore, Store
from astrafs.plan.program import Program
from astrafs.server.app import App
from astrafs.serving import Serving
from astrafs.values.times import instant
from tests.server_process import NOW, payments, write_project


@dataclass
class Running:
    """The application, a client of it, what it logs, and the clock that it reads."""

    app: App
    client: TestClient
    logged: io.StringIO
    store: Store
    now: list[int]

    def log(self) -> list[dict[str, Any]]:
        """Return the entries of its log."""
        self.app.log.flush()
        return [json.loads(line) for line in self.logged.getvalue().splitlines()]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The compiled shop."""
    project = astrafs.load(write_project(tmp_path_factory.mktemp("shop") / "shop"))
    assert project.program is not None and not project.diagnostics
    return project.program


def _with_lifespan(app: App) -> ASGIApp:
    """Return the application for a client that keeps one event loop for all its requests."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app.gate(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    return call


class Start:
    """Starts applications, and lets go of them at the end."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._clients: list[TestClient] = []

    def __call__(
        self,
        store: Store | None = None,
        tokens: Path | None = None,
        history: int | None = None,
        **settings: Any,
    ) -> Running:
        """Start one with three users."""
        store = MemoryStore() if store is None else store
        logged, now = io.StringIO(), [instant(NOW, "now")]
        chosen = replace(Serving(access_log="json"), **settings)
        app = App(
            self._program,
            store,
            chosen,
            tokens=tokens,
            history=history,
            clock=lambda: now[0],
            stream=logged,
        )
        for user in range(3):
            app.online.ingest("payments", payments(user))
        client = TestClient(
            _with_lifespan(app), base_url="http://localhost", raise_server_exceptions=False
        )
        client.__enter__()
        self._clients.append(client)
        return Running(app, client, logged, store, now)

    def close(self) -> None:
        """Let go."""
        for client in self._clients:
            client.__exit__(None, None, None)


@pytest.fixture
def start(program: Program) -> Iterator[Start]:
    """What starts applications."""
    made = Start(program)
    yield made
    made.close()


@pytest.fixture
def running(start: Start) -> Running:
    """An application with the usual settings and no tokens."""
    return start()
