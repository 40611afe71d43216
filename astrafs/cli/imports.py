"""Keeping the program's start short."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType


class _Without:
    """An importer that says of one package that it is not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """Refuse the package; leave all others to the importers behind."""
        del path, target
        if name == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def leave_out_pandas() -> None:
    """Do without pandas in this process.

    Arrow loads it, where it is installed, to turn one Python number into a value: that takes longer
    than a small run, and no command needs it.
    """
    sys.meta_path.insert(0, _Without("pandas"))
