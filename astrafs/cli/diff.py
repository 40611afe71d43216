"""``astrafs diff``: what changes between two git revisions of a project."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from astrafs.cli import console
from astrafs.cli.plan import PlanFormat, shown_as
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.source import SourceFile
from astrafs.syntax.characters import decode
from astrafs.workspace import SUFFIX, find_root, open_workspace

if TYPE_CHECKING:
    from astrafs.plan.program import Program


@console.command
def run(
    before: Annotated[str, typer.Argument(help="A git revision: `main`, `HEAD~3`, a tag.")],
    after: Annotated[
        str, typer.Argument(help="Another; the files as they lie on disk if left out.")
    ] = "",
    project: Annotated[
        str, typer.Option("--project", "-p", metavar="PATH", help="The project directory.")
    ] = ".",
    form: Annotated[
        PlanFormat, typer.Option("--format", "-f", help="How the changes are printed.")
    ] = PlanFormat.TEXT,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if any feature version differs.")
    ] = False,
) -> int:
    """Show what changes between two git revisions: per feature version, why, and who reads it."""
    from astrafs.registry.compare import compare
    from astrafs.registry.definitions import Definition, define
    from astrafs.registry.lock import Locked, lock_plan

    root = find_root(Path(project))
    old = _program(root, before)
    new = _program(root, after)
    lock = lock_plan(old.plan, "1970-01-01")

    def recall(locked: Locked) -> Definition | None:
        return define(old.plan, old.bindings, locked.feature)

    found = compare(lock, new.plan, "1970-01-01", recall)
    console.write(shown_as(new.plan, found, form))
    return console.PROBLEMS if exit_code and not found.is_same else console.OK


def _program(root: Path, revision: str) -> Program:
    """Compile the project as of ``revision``, or as it lies on disk; raises where it has errors."""
    from astrafs.driver import compile_project

    sink = Sink()
    files = _files_of(root, revision, sink) if revision else open_workspace(root, sink).files
    program = compile_project(files, sink) if files else None
    where = f"revision `{revision}`" if revision else "the files on disk"
    errors = tuple(found for found in sink if found.is_error)
    if errors:
        raise AstrafsError(*errors, files={file.path: file for file in files})
    if program is None:
        raise AstrafsError(usage.MISSING_FILE.nowhere(f"there is no `.afs` file in {where}"))
    return program


def _files_of(root: Path, revision: str, sink: Sink) -> tuple[SourceFile, ...]:
    commit = _git(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
    )
    if commit is None:
        raise AstrafsError(
            usage.BAD_VALUE.nowhere(f"there is no git revision `{revision}` here").help(
                "name a branch, a tag or a commit of the repository that holds the project"
            )
        )
    name = commit.decode("ascii").strip()
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", name, ".") or b""
    paths = [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]
    nested = {path.rpartition("/")[0] for path in paths if path.endswith("/astrafs.toml")}
    chosen = []
    for path in sorted(paths):
        inside = any(path.startswith(f"{place}/") for place in nested)
        hidden = any(part.startswith(".") for part in path.split("/"))
        if not path.endswith(SUFFIX) or inside or hidden:
            continue
        chosen.append(path)
    texts = _blobs(root, [f"{name}:./{path}" for path in chosen])
    found = (decode(path, data, sink) for path, data in zip(chosen, texts, strict=True))
    return tuple(file for file in found if file is not None)


def _blobs(root: Path, names: Sequence[str]) -> Iterator[bytes]:
    """Yield the contents of files by their names in git, all from one process."""
    lines = (name if "\n" not in name else "" for name in names)  # no module has such a name
    asked = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    answer = _git(root, "cat-file", "--batch", given=asked) or b""
    at = 0
    for _ in names:
        end = answer.find(b"\n", at)
        size = answer[at:end].rpartition(b" ")[2]
        if not size.isdigit():  # a link or a module of another repository
            yield b""
            at = end + 1
            continue
        yield answer[end + 1 : end + 1 + int(size)]
        at = end + 1 + int(size) + 1


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    """Run git in ``root``, with ``given`` as its input; None where it refuses. Raises where there
    is no git.
    """
    command: Sequence[str] = ("git", "-C", str(root), *arguments)
    try:
        done = subprocess.run(command, input=given, capture_output=True, check=False)
    except OSError:
        raise AstrafsError(
            usage.USAGE.nowhere("`astrafs diff` needs git, which is not here")
        ) from None
    return done.stdout if done.returncode == 0 else None
