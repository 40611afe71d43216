"""Running again what a manifest describes, and comparing: inputs, versions, digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.identity import dataset_identities, written_name
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.runtime import datasets, paths
from astrafs.runtime.answer import Answer, Place
from astrafs.runtime.backfill import answered
from astrafs.runtime.digest import TableDigest, digest_table
from astrafs.runtime.manifest import SCHEMA_VERSION, made_by
from astrafs.runtime.recorded import labels_of
from astrafs.runtime.request import Job, Request
from astrafs.runtime.spine_input import read_spine
from astrafs.values.times import instant


@dataclass(frozen=True, slots=True)
class Compared:
    """One result: its name, its rows and digest as recorded, and as they are now."""

    name: str
    rows: int
    digest: str
    rows_now: int
    digest_now: str

    @property
    def is_same(self) -> bool:
        """Whether the run gave the same again."""
        return self.digest == self.digest_now


def read_manifest(path: Path) -> Mapping[str, Any]:
    """Return the document at ``path``; raises :class:`AstrafsError` (AFS0812) for anything else."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _bad(path, str(error.strerror or error).lower()) from None
    except (ValueError, RecursionError):
        raise _bad(path, "it is not JSON") from None
    version = document.get("manifest_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        if version is None:
            raise _bad(path, "it is no manifest: it has no `manifest_version`")
        note = f"its `manifest_version` is {version!r}; this version reads {SCHEMA_VERSION}"
        raise _bad(path, note)
    needed = {"as_of", "compiler", "engine", "features", "inputs", "spine", "view"}
    needed |= {"dataset", "results"} if "dataset" in document else {"result", "rows_from"}
    missing = sorted(needed - document.keys())
    if missing:
        raise _bad(path, f"it has no `{missing[0]}`")
    found: dict[str, Any] = document
    return found


def _bad(path: Path, note: str) -> AstrafsError:
    return AstrafsError(codes.BAD_MANIFEST.nowhere(f"`{path}` cannot be used").note(note))


def other_versions(document: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each program that has another version than when the result was made."""
    then = {"astrafs": document["compiler"].get("version"), **document["engine"]}
    now = made_by()
    here = {"astrafs": now["compiler"]["version"], **now["engine"]}
    return [
        f"{name} was {version} and is {here.get(name)}"
        for name, version in then.items()
        if version != here.get(name)
    ]


def changed_inputs(document: Mapping[str, Any], root: Path) -> list[str]:
    """Return a sentence for each recorded input that is not what it was."""
    found: dict[str, str] = {}
    for one in document["inputs"]:
        path = root / one["path"]
        if one["path"] in found:
            continue
        if not path.is_file():
            found[one["path"]] = f"{one['path']} is gone (source {one['source']})"
        elif paths.sha256(paths.inspect(path.resolve(), root.resolve())) != one["sha256"]:
            found[one["path"]] = f"{one['path']} has changed (source {one['source']})"
    return list(found.values())


def spine_of(document: Mapping[str, Any], root: Path, manifest: Path, given: Path | None) -> Path:
    """Return the file of the spine: ``given``, else where the manifest says.

    Raises :class:`AstrafsError` where there is none.
    """
    if given is not None:
        return given
    name = document["spine"].get("file")
    for place in (root, manifest.parent):
        if name is not None and (place / name).is_file():
            found: Path = place / name
            return found
    note = f"its spine `{name}` is not there" if name else "its spine was a table, and no file"
    found_bad = codes.BAD_MANIFEST.nowhere(f"`{manifest}` cannot be run again").note(note)
    raise AstrafsError(found_bad.help("name the spine: `--spine FILE`"))


def changed_spine(document: Mapping[str, Any], spine: Path) -> list[str]:
    """Return a sentence if ``spine`` is not the one that was recorded."""
    recorded = document["spine"]
    if "sha256" in recorded:
        inspected = paths.inspect(spine.resolve(), spine.resolve().parent)
        same = paths.sha256(inspected) == recorded["sha256"]
    else:
        same = digest_table(read_spine(spine).table) == recorded["digest"]
    return [] if same else [f"{spine} has changed (spine)"]


def request_of(
    document: Mapping[str, Any], view: str, spine: Path | None, quarantine: Path | None
) -> Request:
    """Return the request that a view's manifest describes."""
    mode = document["rows_from"]
    step = mode.get("every_us")
    return Request(
        view,
        document["as_of"],
        spine=spine,
        time=mode.get("time"),
        time_zone=mode.get("time_zone", ""),
        keys=mode.get("keys", {}),
        features=document["view"]["outputs"],
        limit=mode.get("limit"),
        start=mode.get("from"),
        end=mode.get("to"),
        every=f"{step}us" if step is not None else None,
        quarantine=quarantine,
    )


def rerun_view(
    document: Mapping[str, Any], program: Program, place: Place, request: Request
) -> tuple[Compared, list[str]]:
    """Compute a view again; also say which files it read that the first run did not."""

    def take(_: Job, answer: Answer) -> tuple[Compared, list[str]]:
        digest, rows = TableDigest(answer.schema), 0
        for batch in answer.batches:
            digest.update(batch)
            rows += batch.num_rows
        recorded = document["result"]
        compared = Compared(
            recorded["file"]["name"], recorded["rows"], recorded["digest"], rows, digest.hexdigest()
        )
        known = {one["path"] for one in document["inputs"]}
        new = {
            file.shown: written_name(name)
            for name, files in sorted(answer.inputs.items())
            for file in files
            if file.shown not in known
        }
        return compared, [f"{shown} is new (source {name})" for shown, name in new.items()]

    return answered(program, place, request, take)


def dataset_of(
    document: Mapping[str, Any], program: Program, labels: Mapping[str, ir.FeatureId]
) -> tuple[Program, bool]:
    """Return the program with the labels and the split of a dataset as recorded, and whether the
    dataset then is the recorded one: its rows and columns are those of today.

    Raises :class:`PlanError` where the program no longer has it.
    """
    plan, name = program.plan, document["dataset"]["name"]
    today = next((one for one in plan.datasets if one.name == name), None)
    if today is None:
        raise PlanError(f"the project no longer has the dataset `{name}`")
    split = document["split"] or {}
    times = [split.get(end) for end in ("train_before", "test_from")]
    before, start = (None if one is None else instant(one, "split") for one in times)
    then = replace(
        today,
        view=document["view"]["name"],
        labels=labels_of(plan, today, document["labels"], labels),
        train_before=before,
        test_from=start,
    )
    others = (one for one in plan.datasets if one is not today)
    datasets_then = tuple(sorted((*others, then), key=lambda one: one.name))
    plan = replace(plan, datasets=datasets_then)
    same = dataset_identities(plan)[name] == document["dataset"]["identity"]
    return replace(program, plan=plan), same


def rerun_dataset(
    document: Mapping[str, Any], program: Program, place: Place, quarantine: Path | None
) -> Sequence[Compared]:
    """Compute a dataset again: one comparison per file."""
    request = Request(document["dataset"]["name"], document["as_of"], quarantine=quarantine)
    tables, _, _ = datasets.to_tables(program, place, request)
    found = []
    for one in document["results"]:
        table = tables.get(one["split"])
        rows, digest = (table.num_rows, digest_table(table)) if table is not None else (0, "")
        found.append(Compared(one["file"]["name"], one["rows"], one["digest"], rows, digest))
    return found
