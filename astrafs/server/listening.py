"""The socket of the server. It is bound before anything else is loaded, and shared by processes."""

from __future__ import annotations

import socket
from typing import Final

from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import AstrafsError

BACKLOG: Final = 1_024


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host`` and ``port`` (0: any that is free).

    Raises :class:`AstrafsError` where that cannot be.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Connections have it from here: an answer is two writes, and the second would wait
            # some 40 ms for the client to confirm the first.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        found_ = codes.CANNOT_LISTEN.nowhere(f"cannot listen on {shown(host, port)}: {reason}")
        raise AstrafsError(found_.help("choose another `--host` or `--port`")) from None
    listener.setblocking(False)
    return listener


def shown(host: str, port: int) -> str:
    """Return an address as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
