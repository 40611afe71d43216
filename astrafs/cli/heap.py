"""How the C library hands memory back."""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _MAP_THRESHOLD = -1, -3
"""Names of options of ``mallopt`` in the GNU C library."""


def keep_freed() -> None:
    """Keep what is freed for what comes next, up to some hundred megabytes.

    Kernels make and drop arrays of a few megabytes all the time. By default each is mapped anew,
    and every page of it is first zeroed by the system: that took a third of a backfill's time.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(_MAP_THRESHOLD, 32 << 20)
        library.mallopt(_TRIM_THRESHOLD, 256 << 20)
