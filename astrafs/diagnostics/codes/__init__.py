"""Every diagnostic code, one module per stage of the compiler; ``ALL`` maps the id to its row."""

from __future__ import annotations

import importlib
import pkgutil

from astrafs.diagnostics.model import Code


def _collect() -> dict[str, Code]:
    found: dict[str, Code] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, Code) and found.setdefault(value.id, value) is not value:
                raise ValueError(f"two codes are called {value.id}")
    return dict(sorted(found.items()))


ALL: dict[str, Code] = _collect()
