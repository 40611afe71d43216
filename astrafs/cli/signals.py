"""Being told to stop: Ctrl-C and SIGTERM end a command alike, and leave nothing half-written."""

from __future__ import annotations

import signal
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
_came = [signal.SIGINT]


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be.

    A class of its own: the interpreter remembers that the plain one passed through code that a
    module ran while it was loaded, and then ends by SIGINT whatever exit code it is given.
    """


def install() -> None:
    """Let SIGTERM stop the command as Ctrl-C does. Only the main thread may call this."""
    _came[0] = signal.SIGINT
    signal.signal(signal.SIGTERM, _terminate)


def stopped() -> int:
    """Return the exit code of a command that a signal stopped."""
    return TERMINATED if _came[0] == signal.SIGTERM else INTERRUPTED


def _terminate(number: int, frame: FrameType | None) -> None:
    """Remember that it was SIGTERM: on its way through the engine the exception loses that."""
    del number, frame
    _came[0] = signal.SIGTERM
    raise Terminated


def behind(error: BaseException | None) -> bool:
    """Whether a signal lies under ``error``: Python wraps one that comes while a class is made."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
