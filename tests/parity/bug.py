"""What a planted bug is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """Replace ``old`` (which occurs exactly once in ``file``) with ``new``.

    ``needs`` is a construct (a tag of the generator, or ``~`` and program text) without which no
    program can show the bug, so that the hunt need not run those.
    """

    name: str
    file: str
    old: str
    new: str
    description: str
    needs: str = ""
