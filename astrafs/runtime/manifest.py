"""What a written result says about itself: beside ``OUT`` stands ``OUT.manifest.json``.

A manifest holds no time of day, and paths from the project's directory, so the same run writes the
same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from astrafs._version import __version__
from astrafs.record import dataclass
from astrafs.runtime.contracts import Quarantined
from astrafs.runtime.paths import InputFile
from astrafs.values import zones

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class HashedInput:
    """A file that a run read, for the source named ``source`` (``spine`` for the spine)."""

    source: str
    file: InputFile
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a result depends on, and what it holds. Digests are SHA-256, hexadecimal."""

    view: str
    view_identity: str
    features: Mapping[str, str]
    mode: Mapping[str, Any]
    as_of: str
    inputs: Sequence[HashedInput]
    spine: Mapping[str, Any] | None
    quarantined: Sequence[Quarantined]
    schema: pa.Schema
    rows: int
    digest: str
    file_name: str
    file_format: str
    file_bytes: int
    file_sha256: str

    def text(self) -> str:
        """Return the manifest as JSON text, keys sorted."""
        document = {
            "manifest_version": SCHEMA_VERSION,
            "compiler": {"name": "astrafs", "version": __version__},
            "engine": {
                "duckdb": duckdb.__version__,
                "pyarrow": pa.__version__,
                "tzdata": zones.version(),
            },
            "view": {"name": self.view, "identity": self.view_identity},
            "features": dict(self.features),
            "as_of": self.as_of,
            "rows_from": dict(self.mode),
            "spine": None if self.spine is None else dict(self.spine),
            "inputs": [
                {
                    "source": one.source,
                    "path": one.file.shown,
                    "bytes": one.file.size,
                    "sha256": one.sha256,
                }
                for one in self.inputs
            ],
            "quarantined": [
                {"source": one.source, "rule": one.rule, "rows": one.count}
                for one in self.quarantined
            ],
            "result": {
                "rows": self.rows,
                "columns": [{"name": field.name, "type": str(field.type)} for field in self.schema],
                "digest": self.digest,
                "file": {
                    "name": self.file_name,
                    "format": self.file_format,
                    "bytes": self.file_bytes,
                    "sha256": self.file_sha256,
                },
            },
        }
        return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
