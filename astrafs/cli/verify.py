"""``astrafs verify``: run again what a manifest describes, and compare."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from astrafs.cli import console
from astrafs.cli.options import EnvOption
from astrafs.cli.project import Compiled, compile_path, usable_program
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.excerpt import Style
from astrafs.workspace import missing

if TYPE_CHECKING:
    from astrafs.cli.pins import Chosen
    from astrafs.plan import ir
    from astrafs.plan.program import Program
    from astrafs.runtime.verify import Compared


@console.command
def run(
    manifest: Annotated[
        Path,
        typer.Argument(
            help="The manifest beside a result, or the directory of a dataset.", show_default=False
        ),
    ],
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
    spine: Annotated[
        Path | None,
        typer.Option(
            "--spine", metavar="FILE", help="The spine, if it is not where the manifest says."
        ),
    ] = None,
    env: EnvOption = None,
) -> int:
    """Run again what a manifest describes, with the feature versions of then, and compare.

    The exit code is 0 where the result is the same to the bit, and 1 where it differs.
    """
    for path in filter(None, (manifest, spine)):
        if not path.exists():
            raise AstrafsError(missing(path, f"there is no file `{path}`"))
    from astrafs.runtime import verify

    manifest = manifest / "manifest.json" if manifest.is_dir() else manifest
    document = verify.read_manifest(manifest)
    compiled = compile_path(project, env)
    program = usable_program(compiled)
    if program is None:
        return console.PROBLEMS
    root = compiled.workspace.root
    for sentence in verify.other_versions(document):
        console.write(f"note: {sentence}\n")
    changed = verify.changed_inputs(document, root)
    try:
        if "dataset" in document:
            results = _dataset(document, compiled, program, spine)
        else:
            used = None
            if document["spine"] is not None:
                used = verify.spine_of(document, root, manifest, spine)
                changed += verify.changed_spine(document, used)
            results, new = _view(document, compiled, program, used)
            changed += new
    except (KeyError, TypeError, AttributeError) as error:
        found = codes.BAD_MANIFEST.nowhere(f"`{manifest}` cannot be used")
        raise AstrafsError(found.note(f"a part is missing or of another form: {error}")) from None
    finally:
        for sentence in changed:
            console.write(f"input: {sentence}\n")
    _print(results)
    return console.OK if all(one.is_same for one in results) else console.PROBLEMS


def _view(
    document: Mapping[str, Any], compiled: Compiled, program: Program, spine: Path | None
) -> tuple[Sequence[Compared], list[str]]:
    from astrafs.runtime import verify

    chosen = _as_recorded(document, compiled, program)
    with tempfile.TemporaryDirectory(prefix="astrafs-verify-") as folder:
        aside = Path(folder) if document["quarantined"] else None
        request = verify.request_of(document, chosen.view.name, spine, aside)
        found, new = verify.rerun_view(document, chosen.program, chosen.place, request)
    return [found], new


def _as_recorded(document: Mapping[str, Any], compiled: Compiled, program: Program) -> Chosen:
    """Return the view of the manifest with the feature versions of then, by identity."""
    from astrafs.cli.pins import FEATURES_ONLY, Versions, feature_of, placed
    from astrafs.plan.identity import feature_identities
    from astrafs.registry.pins import pin_view, view_of

    name, columns = document["view"]["name"], document["view"]["outputs"]
    recorded: Mapping[str, str] = document["features"]
    view = next((one for one in program.plan.views if one.name == name), None)
    if view is None and not name.startswith(FEATURES_ONLY):
        console.write(f"note: the project no longer has the view {name}\n")
    today = {} if view is None else {output.name: output for output in view.outputs}
    now = feature_identities(program.plan)
    kept: list[ir.Output] = []
    pins: dict[str, str] = {}
    for column in columns:
        output = today.get(column)
        feature = None if output is None else feature_of(output)
        if column in recorded and (feature is None or now[feature] != recorded[column]):
            pins[column] = recorded[column]
        elif output is None:
            title = f"the column `{column}` was no feature, and the view no longer has it"
            raise AstrafsError(codes.BAD_MANIFEST.nowhere(title))
        if output is not None:
            kept.append(output)
    versions = Versions.of(compiled, program)
    found = versions.pinned(dict.fromkeys(pins.values()))
    made = {column: found.features[identity] for column, identity in pins.items()}
    plan = found.program.plan
    alone = {column: feature for column, feature in made.items() if column not in today}
    extra = view_of(plan, name, alone) if alone else None
    outputs = {} if extra is None else {output.name: output for output in extra.outputs}
    if view is None:
        assert extra is not None
        view = extra
    else:
        part = type(view)(view.name, view.entity, tuple(kept))
        pinned = pin_view(plan, part, {one: made[one] for one in made if one in today})
        if extra is not None and extra.entity != view.entity:
            title = f"the view `{name}` no longer looks up `{next(iter(alone))}`"
            raise AstrafsError(codes.BAD_MANIFEST.nowhere(title))
        outputs |= {output.name: output for output in pinned.outputs}
        view = type(view)(view.name, view.entity, tuple(outputs[one] for one in columns))
    return placed(compiled, found, view)


def _dataset(
    document: Mapping[str, Any], compiled: Compiled, program: Program, spine: Path | None
) -> Sequence[Compared]:
    from astrafs.plan.identity import dataset_identities
    from astrafs.runtime import verify
    from astrafs.runtime.answer import Place

    if spine is not None:
        raise AstrafsError(usage.USAGE.nowhere("--spine does not go with a dataset"))
    name = document["dataset"]["name"]
    identity = dataset_identities(program.plan).get(name)
    if identity is not None and identity != document["dataset"]["identity"]:
        console.write(f"note: the dataset {name} means something else than it did\n")
    config = compiled.config
    place = Place(config.root, config.roots, config.sources)
    with tempfile.TemporaryDirectory(prefix="astrafs-verify-") as folder:
        aside = Path(folder) if document["quarantined"] else None
        return verify.rerun_dataset(document, program, place, aside)


def _print(results: Sequence[Compared]) -> None:
    for one in results:
        if one.is_same:
            word = console.styled("equal", Style.ADDED, sys.stdout)
            console.write(f"{word} {one.name}: {console.count(one.rows, 'row')}\n")
            continue
        word = console.styled("differs", Style.REMOVED, sys.stdout)
        console.write(f"{word} {one.name}\n")
        console.write(f"  recorded  {one.digest}, {console.count(one.rows, 'row')}\n")
        shown = one.digest_now or "no such part"
        console.write(f"  now       {shown}, {console.count(one.rows_now, 'row')}\n")
