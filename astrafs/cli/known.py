"""Names of a project for completion: quick, and no judge of whether the project is sound."""

from __future__ import annotations

import re
from pathlib import Path

from astrafs.cache.store import Store, digest
from astrafs.diagnostics.model import Sink
from astrafs.source import SourceFile
from astrafs.workspace import find_root, read_files

_VIEW = re.compile(r"^[ \t]*(?:view|dataset)\s+`?([a-z]\w*)", re.MULTILINE)
_BLOCK = re.compile(r"^[ \t]*(?:features|labels)\s+for\s+(\w+)", re.MULTILINE)
_OUTSIDE = re.compile(r"^(?![ \t#}])\S", re.MULTILINE)
_FEATURE = re.compile(r"^[ \t]+`?([a-z]\w*)`?[ \t]*(?:@\d+[ \t]*)?:", re.MULTILINE)


def views(path: Path) -> list[str]:
    """Return the names of the views and datasets of the project at ``path``, sorted."""
    files = read_files(find_root(path), Sink())
    return sorted({name for file in files for name in _VIEW.findall(file.text)})


def features(path: Path) -> list[str]:
    """Return the features of the project at ``path`` as ``Entity.name``, sorted.

    Files that were checked as they are give every name; of others, names that templates make are
    not known.
    """
    root = find_root(path)
    records = Store(root).load().records
    found: set[str] = set()
    for file in read_files(root, Sink()):
        record = records.get(file.path)
        if record is not None and record.text == digest(file.text.encode("utf-8", "surrogatepass")):
            found |= {f"{entity.rpartition('.')[2]}.{name}" for entity, name, _ in record.features}
        else:
            found |= set(_written(file))
    return sorted(found)


def _written(file: SourceFile) -> list[str]:
    """Return the features that stand in the text as such."""
    found = []
    for block in _BLOCK.finditer(file.text):
        end = _OUTSIDE.search(file.text, block.end())
        inside = file.text[block.end() : end.start() if end else len(file.text)]
        found += [f"{block[1]}.{name}" for name in _FEATURE.findall(inside)]
    return found
