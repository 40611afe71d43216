"""HTTP/1.1 on one connection, strict and bounded: uvicorn's protocol with deadlines and limits.

What it adds: a time within which the head of a request must arrive, and its body; limits on the
request line, on headers, on the body as it streams, on requests sent ahead of their answers; one
``Host``, one way to tell the length. A request that breaks a rule is answered with a problem
document in its turn (never before the answers of earlier requests), and the connection is closed:
what follows it could be read as a request that nobody sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import Diagnostic
from astrafs.server.problems import CONTENT_TYPE, RefusalError
from astrafs.serving import Serving

MOST_TARGET: Final = 8 << 10
MOST_PIPELINED: Final = 32
LINGER_SECONDS: Final = 2.0
"""How long what a client still sends after a refusal is read and dropped: without that it would
lose the refusal."""

_IDLE, _HEAD, _BODY = "idle", "head", "body"


class _BrokenError(Exception):
    """A rule is broken; raised through the parser, which ends."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. ``refused`` is told the code of every request that is refused here."""

    def __init__(
        self,
        *given: Any,
        settings: Serving,
        refused: Callable[[str], None],
        **named: Any,
    ) -> None:
        super().__init__(*given, **named)
        self._settings = settings
        self._refused = refused
        self._phase = _IDLE
        self._head_bytes = 0
        self._late_head_bytes = 0
        self._body_bytes = 0
        self._raw_body_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timed = _IDLE
        self._cause: RefusalError | None = None
        self._waiting: bytes | None = None
        self._ended = False
        self._last = False

    # --- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it where there are enough."""
        super().connection_made(transport)
        if len(self.connections) > self._settings.max_connections:
            refusal = RefusalError(codes.BUSY.nowhere("there are too many connections"))
            self._refused(refusal.code.id)
            self._ended = True
            transport.write(_written(refusal))
            transport.close()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        self._ended = True
        self._waiting = None
        self.pipeline.clear()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self._ended or self._waiting is not None:
            return
        self._unset_keepalive_if_required()
        if self._phase == _HEAD:
            self._late_head_bytes += len(data)
        elif self._phase == _BODY:
            self._raw_body_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(_broken("upgrades to other protocols are refused"))
        except httptools.HttpParserError:
            self._refuse(self._cause or _broken(""))
        else:
            if self._phase == _HEAD and self._late_head_bytes > self._settings.max_header_bytes:
                self._refuse(self._large_head())
            elif self._phase == _BODY and self._raw_body_bytes > self._most_raw_bytes():
                self._refuse(self._large_body())
            else:
                self._watch()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what is complete although the client sends no more; return whether to stay."""
        if self._ended or self._waiting is not None:
            return not self._ended
        if self._phase == _BODY and not self.cycle.response_complete:
            if any(cycle is self.cycle for cycle, _ in self.pipeline):
                self.pipeline.popleft()
            _give_up(self.cycle)
            self._phase = _IDLE
        self._stop_timer()
        self._last = True
        return bool(self.pipeline) or self._is_answering()

    def shutdown(self) -> None:
        """Close when what has begun is answered; at once where nothing has."""
        if self._ended:
            self.transport.abort()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Stop writing to a client that does not read; it has the time of a request."""
        super().pause_writing()
        self._watch_unread()

    # --- what the parser tells

    def on_message_begin(self) -> None:
        """Begin a request."""
        if len(self.pipeline) >= MOST_PIPELINED:
            title = f"more than {MOST_PIPELINED} requests are ahead of their answers"
            raise self._broken(RefusalError(codes.BUSY.nowhere(title), status=429))
        self._phase = _HEAD
        self._head_bytes = self._late_head_bytes = 0
        self._body_bytes = self._raw_body_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request line."""
        if len(self.url) + len(url) > MOST_TARGET:
            title = f"the path has more than {MOST_TARGET:,} bytes"
            raise self._broken(RefusalError(codes.LONG_TARGET.nowhere(title)))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if self._phase != _HEAD:
            return  # a trailer says nothing that we need
        super().on_header(name, value)
        settings = self._settings
        self._head_bytes += len(name) + len(value)
        too_many = len(self.headers) > settings.max_headers
        if too_many or self._head_bytes > settings.max_header_bytes:
            raise self._broken(self._large_head())

    def on_headers_complete(self) -> None:
        """Judge the head of a request and start it."""
        refusal = self._judged()
        if refusal is not None:
            raise self._broken(refusal)
        self._phase = _BODY
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > self._settings.max_body_bytes:
            raise self._broken(self._large_body())
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._phase = _IDLE
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or with a refusal that had to wait."""
        more = bool(self.pipeline)
        super().on_response_complete()
        if self._waiting is not None and not more:
            self._unset_keepalive_if_required()
            self._end(self._waiting)
        elif self._last and not more:
            self.transport.close()
        elif self.transport.get_write_buffer_size():
            self._watch_unread()

    def _judged(self) -> RefusalError | None:
        """Return why a request is refused by its head, None where it is not."""
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            return _broken("the version of HTTP is not 1.1")
        found: dict[bytes, list[bytes]] = {}
        for name, value in self.headers:
            found.setdefault(name, []).append(value)
        if len(found.get(b"host", ())) != 1 and (version == "1.1" or b"host" in found):
            return _broken("there is not exactly one `Host`")
        if b"transfer-encoding" in found:
            chunked = [value.strip().lower() for value in found[b"transfer-encoding"]]
            if version == "1.0" or chunked != [b"chunked"] or b"content-length" in found:
                return _broken("the length of the body is not certain")
        lengths = found.get(b"content-length", [b"0"])
        if len(lengths) != 1 or not lengths[0].strip().isdigit():
            return _broken("the length of the body is not certain")
        if int(lengths[0]) > self._settings.max_body_bytes:
            return self._large_body()
        expected = found.get(b"expect", [b"100-continue"])
        if [value.lower() for value in expected] != [b"100-continue"]:
            return RefusalError(codes.EXPECTATION.nowhere())
        if self.parser.should_upgrade():
            return _broken("upgrades to other protocols are refused")
        if not self.url.isascii():
            return _broken("the path is not ASCII")
        return None

    def _broken(self, refusal: RefusalError) -> _BrokenError:
        self._cause = refusal
        return _BrokenError()

    def _most_raw_bytes(self) -> int:
        """Return how many bytes a body may have with the sizes and notes of its chunks."""
        return 8 * self._settings.max_body_bytes + MOST_TARGET

    def _large_head(self) -> RefusalError:
        settings = self._settings
        title = (
            f"the headers have more than {settings.max_header_bytes:,} bytes or "
            f"{settings.max_headers:,} lines"
        )
        return RefusalError(codes.LARGE_HEADERS.nowhere(title))

    def _large_body(self) -> RefusalError:
        title = f"the body has more than {self._settings.max_body_bytes:,} bytes"
        return RefusalError(codes.TOO_LARGE.nowhere(title))

    # --- deadlines

    def _watch(self) -> None:
        """Set the deadline for what is being read; bytes that come do not move it."""
        if self._ended:
            return
        phase = _HEAD if self._phase == _IDLE else self._phase
        # Between requests the time of `keep_alive_seconds` counts, which uvicorn looks after,
        # unless something has come that is no request yet.
        kept = self.timeout_keep_alive_task is not None or not self._is_free()
        if self._phase == _IDLE and kept:
            self._stop_timer()
            return
        if self._timer is not None and self._timed == phase:
            return
        self._stop_timer()
        seconds = self._settings.body_seconds if phase == _BODY else self._settings.head_seconds
        self._timed = phase
        self._timer = self.loop.call_later(seconds, self._expired)

    def _expired(self) -> None:
        self._timer = None
        if self._ended:
            return
        if self.flow.read_paused:  # it is us who do not read
            self._watch()
        elif self._phase == _IDLE:
            self.transport.close()
        else:
            part = "body" if self._phase == _BODY else "head"
            title = f"the {part} of the request did not arrive in time"
            self._refuse(RefusalError(codes.TOO_SLOW.nowhere(title)))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch_unread(self) -> None:
        self.loop.call_later(self._settings.request_seconds, self._abort_unread, self.cycle)

    def _abort_unread(self, cycle: RequestResponseCycle) -> None:
        """Abort where the answer of ``cycle`` still waits for the client to read it."""
        if self.cycle is cycle and self.transport.get_write_buffer_size():
            self.transport.abort()

    # --- refusing

    def _is_free(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # none before the first request
        return cycle is None or cycle.response_complete

    def _refuse(self, refusal: RefusalError) -> None:
        """Answer the request at hand with ``refusal`` when its turn comes, then close."""
        self._stop_timer()
        self._refused(refusal.code.id)
        victim = self.cycle if self._phase == _BODY else None
        self._phase = _IDLE
        if victim is not None:
            if victim.response_complete:  # it was answered without its body: no more to say
                self._end(b"")
                return
            waits = any(cycle is victim for cycle, _ in self.pipeline)
            if waits:
                self.pipeline.popleft()
            elif victim.response_started:
                self.transport.close()
                return
            _give_up(victim)
            if not waits:
                self._end(_written(refusal))
                return
        if self._busy(victim):
            self._waiting = _written(refusal)
        else:
            self._end(_written(refusal))

    def _is_answering(self) -> bool:
        return not self._is_free() and not self.cycle.disconnected

    def _busy(self, victim: RequestResponseCycle | None) -> bool:
        """Whether an earlier request is still to be answered."""
        if victim is not None or self.pipeline:
            return True
        return not self._is_free()

    def _end(self, answer: bytes) -> None:
        """Write the last answer, and close after a moment for the client to read it."""
        self._ended = True
        self._waiting = None
        self._stop_timer()
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def _broken(what: str) -> RefusalError:
    return RefusalError(_http(what))


def _http(what: str) -> Diagnostic:
    return codes.BAD_HTTP.nowhere(what)


def _give_up(cycle: RequestResponseCycle) -> None:
    """Let the application that waits for the rest of a body see that it will not come."""
    cycle.disconnected = True
    cycle.message_event.set()


def _written(refusal: RefusalError) -> bytes:
    """Return a whole HTTP answer."""
    body = refusal.body()
    headers = {
        "content-type": CONTENT_TYPE,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "connection": "close",
        **refusal.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"".join((STATUS_LINE[refusal.status], lines.encode(), b"\r\n", body))
