"""The table ``[serve]`` of ``astrafs.toml``: where the HTTP server listens, and its limits."""

from __future__ import annotations

from astrafs.record import dataclass

LOG_FORMS = ("text", "json", "off")


@dataclass(frozen=True, slots=True)
class Serving:
    """Settings of the server: each may stand in ``[serve]`` and be an option of ``astrafs serve``.

    ``tokens`` is the path of the file of tokens, relative to the project; empty for none. ``hosts``
    are names that a server without tokens answers to besides those of this machine. An empty
    ``access_log`` is ``text`` on a terminal and ``json`` elsewhere. Times are in seconds.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    tokens: str = ""
    hosts: tuple[str, ...] = ()
    access_log: str = ""
    workers: int = 1
    threads: int = 4
    max_body_bytes: int = 8 << 20
    max_batch: int = 10_000
    max_header_bytes: int = 16 << 10
    max_headers: int = 64
    max_connections: int = 512
    max_concurrency: int = 128
    head_seconds: float = 5.0
    body_seconds: float = 30.0
    keep_alive_seconds: float = 30.0
    request_seconds: float = 30.0
    drain_seconds: float = 20.0


RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "workers": (1, 256),
    "threads": (1, 256),
    "max_body_bytes": (1 << 10, 1 << 30),
    "max_batch": (1, 1_000_000),
    "max_header_bytes": (1 << 10, 1 << 20),
    "max_headers": (8, 1_000),
    "max_connections": (1, 100_000),
    "max_concurrency": (1, 100_000),
    "head_seconds": (0.1, 600),
    "body_seconds": (0.1, 3_600),
    "keep_alive_seconds": (0.1, 3_600),
    "request_seconds": (0.1, 3_600),
    "drain_seconds": (0, 3_600),
}
"""The least and the greatest value of each number."""


def range_problem(name: str, value: float) -> str | None:
    """Say what is wrong with the number ``value`` for the setting ``name``, None where nothing."""
    least, most = RANGES[name]
    if least <= value <= most:
        return None
    return f"`{name}` must be from {_text(least)} to {_text(most)}, and {_text(value)} is not"


def _text(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,}"
