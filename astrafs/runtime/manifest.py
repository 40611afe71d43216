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
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.runtime.contracts import Quarantined
from astrafs.runtime.paths import InputFile
from astrafs.values import zones
from astrafs.values.times import iso

SCHEMA_VERSION = 3


@dataclass(frozen=True, slots=True)
class HashedInput:
    """A file that a run read, for the source named ``source`` (``spine`` for the spine)."""

    source: str
    file: InputFile
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a result depends on, and what it holds. Digests are SHA-256, hexadecimal."""

    view: Mapping[str, Any]
    outputs: tuple[str, ...]
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
            **made_by(),
            "view": dict(self.view),
            "features": dict(self.features),
            "as_of": self.as_of,
            "rows_from": dict(self.mode),
            "spine": None if self.spine is None else dict(self.spine),
            **_made_from(self.inputs, self.quarantined),
            "result": {
                "rows": self.rows,
                "columns": _columns(self.schema),
                "digest": self.digest,
                "file": {
                    "name": self.file_name,
                    "format": self.file_format,
                    "bytes": self.file_bytes,
                    "sha256": self.file_sha256,
                },
            },
        }
        return _json(document)


@dataclass(frozen=True, slots=True)
class WrittenSplit:
    """One file of a dataset; ``immature`` counts the undecided labels by name."""

    name: str
    rows: int
    immature: Mapping[str, int]
    digest: str
    file_name: str
    file_format: str
    file_bytes: int
    file_sha256: str


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """What the files of a dataset depend on, and what they hold."""

    dataset: ir.Dataset
    dataset_identity: str
    view: Mapping[str, Any]
    labels: Mapping[str, Mapping[str, Any]]
    features: Mapping[str, str]
    as_of: str
    inputs: Sequence[HashedInput]
    quarantined: Sequence[Quarantined]
    schema: pa.Schema
    gap: int
    splits: Sequence[WrittenSplit]

    def text(self) -> str:
        """Return the manifest as JSON text, keys sorted."""
        dataset = self.dataset
        split = None
        if dataset.train_before is not None and dataset.test_from is not None:
            split = {
                "train_before": iso(dataset.train_before),
                "test_from": iso(dataset.test_from),
                "rows_in_the_gap": self.gap,
            }
        document = {
            **made_by(),
            "dataset": {"name": dataset.name, "identity": self.dataset_identity},
            "view": dict(self.view),
            "features": dict(self.features),
            "as_of": self.as_of,
            "spine": {"rows_of": dataset.spine},
            "split": split,
            "labels": [
                {
                    "name": one.name,
                    "horizon_us": one.horizon,
                    "known": list(one.known),
                    "shown": dict(self.labels[one.name]),
                }
                for one in dataset.labels
            ],
            **_made_from(self.inputs, self.quarantined),
            "columns": _columns(self.schema),
            "results": [
                {
                    "split": one.name,
                    "rows": one.rows,
                    "immature_labels": dict(one.immature),
                    "digest": one.digest,
                    "file": {
                        "name": one.file_name,
                        "format": one.file_format,
                        "bytes": one.file_bytes,
                        "sha256": one.file_sha256,
                    },
                }
                for one in self.splits
            ],
        }
        return _json(document)


def made_by() -> dict[str, Any]:
    """Return the versions of everything that decides a result."""
    return {
        "manifest_version": SCHEMA_VERSION,
        "compiler": {"name": "astrafs", "version": __version__},
        "engine": {
            "duckdb": duckdb.__version__,
            "pyarrow": pa.__version__,
            "tzdata": zones.version(),
        },
    }


def _made_from(inputs: Sequence[HashedInput], aside: Sequence[Quarantined]) -> dict[str, Any]:
    return {
        "inputs": [
            {
                "source": one.source,
                "path": one.file.shown,
                "bytes": one.file.size,
                "sha256": one.sha256,
            }
            for one in inputs
        ],
        "quarantined": [
            {"source": one.source, "rule": one.rule, "rows": one.count} for one in aside
        ],
    }


def _columns(schema: pa.Schema) -> list[dict[str, str]]:
    return [{"name": field.name, "type": str(field.type)} for field in schema]


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
