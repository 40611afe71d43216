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
from astrafs.plan.errors import PlanError
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
    except PlanError as error:
        raise AstrafsError(
            codes.BAD_MANIFEST.nowhere(f"`{manifest}` cannot be used").note(str(error))
        ) from None
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

    chosen, _ = _as_recorded(document, compiled, program)
    with tempfile.TemporaryDirectory(prefix="astrafs-verify-") as folder:
        aside = Path(folder) if document["quarantined"] else None
        request = verify.request_of(document, chosen.view.name, spine, aside)
        found, new = verify.rerun_view(document, chosen.program, chosen.place, request)
    return [found], new


def _as_recorded(
    document: Mapping[str, Any], compiled: Compiled, program: Program
) -> tuple[Chosen, Mapping[str, ir.FeatureId]]:
    """Return the view of the manifest with the feature versions of then, by identity, and the
    features that its labels, if it has any, show.
    """
    from astrafs.cli.pins import FEATURES_ONLY, Versions, placed
    from astrafs.runtime import recorded

    view = document["view"]
    if not view["name"].startswith(FEATURES_ONLY) and all(
        one.name != view["name"] for one in program.plan.views
    ):
        console.write(f"note: the project no longer has the view {view['name']}\n")
    outputs = recorded.kept_names(view["shown"])
    labels = recorded.kept_names({one["name"]: one["shown"] for one in document.get("labels", ())})
    names = (*outputs.values(), *labels.values())
    found = Versions.of(compiled, program).pinned(dict.fromkeys(names))
    made = {column: found.features[name] for column, name in outputs.items()}
    chosen = placed(compiled, found, recorded.view_of(found.program.plan, view, made))
    return chosen, {label: found.features[name] for label, name in labels.items()}


def _dataset(
    document: Mapping[str, Any], compiled: Compiled, program: Program, spine: Path | None
) -> Sequence[Compared]:
    from astrafs.runtime import verify

    if spine is not None:
        raise AstrafsError(usage.USAGE.nowhere("--spine does not go with a dataset"))
    chosen, labels = _as_recorded(document, compiled, program)
    then, same = verify.dataset_of(document, chosen.program, labels)
    if not same:
        name = document["dataset"]["name"]
        console.write(f"note: the rows or columns of the dataset {name} mean something else now\n")
    with tempfile.TemporaryDirectory(prefix="astrafs-verify-") as folder:
        aside = Path(folder) if document["quarantined"] else None
        return verify.rerun_dataset(document, then, chosen.place, aside)


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
