"""Every diagnostic code, one module per stage of the compiler; ``ALL`` maps the id to its row.

``ALL`` is made when it is first asked for: there are many codes, and a clean check needs none.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from typing import TYPE_CHECKING

from astrafs.diagnostics.model import Code

if TYPE_CHECKING:
    ALL: dict[str, Code]


@lru_cache(maxsize=1)
def _collect() -> dict[str, Code]:
    found: dict[str, Code] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, Code) and found.setdefault(value.id, value) is not value:
                raise ValueError(f"two codes are called {value.id}")
    return dict(sorted(found.items()))


def __getattr__(name: str) -> object:
    if name == "ALL":
        return _collect()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
