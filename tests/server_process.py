"""``astrafs serve`` as a child process on a free port of this machine, and its project."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import astrafs
from astrafs.online.service import Online

SHOP = """owner "shop@example.com"
entity User { user_id: int }

source payments from jsonl("data/payments.jsonl") key payment_id time at {
  payment_id: string
  user_id: User
  amount: float
  note: string?
  at: timestamp
}

features for User from payments {
  ## Payments ever.
  paid: int = count() over all
  ## What the user spent in the past month.
  spent_30d: float = sum(amount) over 30d
  ## What the last payment was for.
  last_note: string? = last(note) over all
}

## What is known of a user.
view user for User {
  paid
  spent_30d
  last_note
}
"""
"""Payments of users: each user's values can be told from those of all others."""

NOW = "2026-06-01T00:00:00Z"


def payments(user: int, count: int = 3) -> list[dict[str, Any]]:
    """Return the rows of one user: each has amount 1, and a note that names the user."""
    return [
        {
            "payment_id": f"{user}-{number}",
            "user_id": user,
            "amount": 1.0,
            "note": f"user {user}",
            "at": f"2026-05-{number % 28 + 1:02}T00:00:00Z",
        }
        for number in range(count)
    ]


def write_project(directory: Path, settings: str = "") -> Path:
    """Write the project, with ``settings`` as the table ``[serve]``."""
    (directory / "data").mkdir(parents=True)
    (directory / "shop.afs").write_text(SHOP)
    (directory / "data" / "payments.jsonl").write_text("")
    (directory / "astrafs.toml").write_text(f'[project]\nname = "shop"\n[serve]\n{settings}\n')
    return directory


def make_store(project: Path, users: int = 0, place: str | None = None) -> None:
    """Make the online store of ``project`` with the payments of some users."""
    with open_store(project, place) as online:
        for user in range(users):
            online.ingest("payments", payments(user))


def open_store(project: Path, place: str | None = None) -> Online:
    """Open the online store of ``project``, made if it is not there."""
    return astrafs.load(project).open_online(place, create=True)


class ServerProcess:
    """A server of ``project``, started with further ``options`` of ``astrafs serve``."""

    def __init__(self, project: Path, *options: str) -> None:
        command = [sys.executable, "-m", "astrafs", "serve", str(project), "--port", "0", *options]
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = self._wait_for_port()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What it has said so far."""
        return "\n".join(self.lines)

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """Wait until it has said a line with ``text``, and return that line."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            found = next((line for line in tuple(self.lines) if text in line), None)
            if found is not None:
                return found
            if self.child.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.01)
        raise AssertionError(f"it never said {text!r}, but:\n{self.output}")

    def connect(self, seconds: float = 60) -> socket.socket:
        """Return a connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), seconds)

    def ask(
        self, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send a request with JSON, return status and JSON (or text) of the answer."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json"} if body is not None else {}
        request = urllib.request.Request(self.url + path, data, {**sent, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode()

    def numbers(self) -> dict[str, float]:
        """Return its metrics."""
        _, text = self.ask("/metrics")
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
        return {name: float(value) for name, value in pairs}

    def memory(self) -> int:
        """Return the bytes of memory that it holds at this moment."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Tell it to end, and return its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(number)
        code = self.child.wait(seconds)
        self._reader.join(seconds)
        return code

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self._reader.join(10)
        assert self.child.stderr is not None
        self.child.stderr.close()

    def _read(self) -> None:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            self.lines.append(line.rstrip("\n"))

    def _wait_for_port(self) -> int:
        try:
            line = self.wait_for("http://")
        except AssertionError:
            self.__exit__(None, None, None)
            raise
        found = re.search(r"http://\S+:(\d+)", line)
        assert found is not None
        return int(found[1])
