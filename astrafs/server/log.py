"""The access log: one line per request, without keys, values, tokens or query strings."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Final, TextIO

from astrafs.record import dataclass

FLUSH_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a request; ``who`` is the name of its token, empty where it has none."""

    time: float
    id: str
    method: str
    route: str
    status: int
    seconds: float
    received: int
    sent: int
    who: str = ""
    name: str = ""
    code: str = ""


class Log:
    """Writes entries to ``stream`` as ``text``, ``json`` or not at all (``off``).

    Lines are gathered and written together by ``flush``, so that a request does not wait for them.
    """

    def __init__(self, stream: TextIO, form: str) -> None:
        self._stream = stream
        self._form = form
        self._lines: list[str] = []
        self._guard = threading.Lock()

    @property
    def waiting(self) -> bool:
        """Whether there are lines to write."""
        return bool(self._lines)

    def request(self, entry: Entry) -> None:
        """Note a request."""
        if self._form == "json":
            self._lines.append(_json_line(entry))
        elif self._form == "text":
            self._lines.append(_text_line(entry))

    def event(self, event: str, **facts: object) -> None:
        """Write a line about the server itself at once, whatever the form."""
        moment = _moment(datetime.now(UTC).timestamp())
        if self._form == "json":
            line = json.dumps({"time": moment, "event": event, **facts}, default=str)
        else:
            told = " ".join(f"{name}={value}" for name, value in facts.items())
            line = f"{moment} {event} {told}".rstrip()
        self._lines.append(line)
        self.flush()

    def flush(self) -> None:
        """Write what has gathered; a reader that has gone is no reason to stop serving."""
        with self._guard:
            lines, self._lines = self._lines, []
            if lines:
                try:
                    self._stream.write("".join(f"{line}\n" for line in lines))
                    self._stream.flush()
                except (OSError, ValueError):
                    self._form = "off"


def _json_line(entry: Entry) -> str:
    line = {
        "time": _moment(entry.time),
        "event": "request",
        "id": entry.id,
        "method": entry.method,
        "route": entry.route,
        "name": entry.name,
        "status": entry.status,
        "ms": round(1_000 * entry.seconds, 3),
        "received": entry.received,
        "sent": entry.sent,
        "token": entry.who,
        "code": entry.code,
    }
    return json.dumps({name: value for name, value in line.items() if value != ""})


def _text_line(entry: Entry) -> str:
    route = entry.route.format(view=entry.name, source=entry.name) if entry.name else entry.route
    tail = "".join(f" {one}" for one in (entry.code, entry.who) if one)
    clock = _moment(entry.time)[11:19]
    took = f"{1_000 * entry.seconds:.1f} ms"
    return f"{clock} {entry.method} {route} {entry.status} {took}{tail}"


def _moment(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
