"""What the operating system refuses to write, as diagnostics.

Where the place is wrong, the command line is (AFS0018); where the disk is, it is not (AFS0917).
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from pathlib import Path

from astrafs.diagnostics.codes import internal, run
from astrafs.diagnostics.model import AstrafsError, Code

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_SYSTEM_WORDS = re.compile(r"\[errno \d+\] (.+)", re.IGNORECASE)


@contextlib.contextmanager
def refused(target: Path, code: Code | None = None) -> Iterator[None]:
    """Turn refusals of the operating system into a diagnostic about ``target``, with ``code`` if
    that is given.
    """
    try:
        yield
    except OSError as error:
        raise refusal(f"`{target}` cannot be written", error, code, target.parent) from None


def refusal(
    title: str, error: OSError, code: Code | None = None, parent: Path | None = None
) -> AstrafsError:
    """Return a refusal as an error; ``parent`` is the directory that has to be there."""
    # Arrow's errors hold the system's words at their end.
    words = _SYSTEM_WORDS.search(str(error))
    reason = (error.strerror or (words[1] if words is not None else str(error))).lower()
    chosen = code or (run.CANNOT_WRITE if error.errno in _DISK else internal.CANNOT_WRITE)
    found = chosen.nowhere(f"{title}: {reason}")
    if parent is not None and not parent.is_dir():
        found = found.help(f"create the directory `{parent}` first")
    return AstrafsError(found)
