"""Codes of online serving: stores, ingestion, requests to the server."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

NO_STORE = Code(
    "AFS1001",
    "there is no online store",
    "Serving and ingestion work on a store: a directory that `astrafs online init` makes for a set "
    "of views, and `astrafs online load` fills from the sources.",
    runtime=True,
)

NEWER_STORE = Code(
    "AFS1002",
    "the online store was made by another version",
    "The state in a store has a format version. This version of the tool does not read that one: "
    "use the version that made it, or make a new store and load it from the sources.",
    runtime=True,
)

STORE_FAILED = Code(
    "AFS1003",
    "the online store refused",
    "The database below the store could not read or write: the disk is full, permissions are "
    "missing, or the file is damaged. A write is kept whole or not at all; what was acknowledged "
    "before is still there.",
    runtime=True,
)

ROW_CONFLICT = Code(
    "AFS1004",
    "a row with this key is there already, with other values",
    "The key of a source names a row. Sending the same row again does nothing; sending another one "
    "under its key is refused, unless the source has `revisions`.",
    runtime=True,
)
