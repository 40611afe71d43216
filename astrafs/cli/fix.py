"""``astrafs fix``: apply the changes that diagnostics propose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from astrafs.cli import console
from astrafs.cli.output import replace_file, unified_diff
from astrafs.cli.project import known_codes, read_path
from astrafs.config import Levels, load_config
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic, Fix, Sink
from astrafs.diagnostics.repair import Repaired, Texts, repair


@console.command
def run(
    path: Annotated[
        str,
        typer.Argument(help="A project directory, an .afs file in one, or - for standard input."),
    ] = ".",
    unsafe: Annotated[
        bool,
        typer.Option("--unsafe", help="Also apply fixes that change what the program means."),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if something can be fixed.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; show what would change.")
    ] = False,
    code: Annotated[
        list[str] | None,
        typer.Option("--code", metavar="CODE", help="Fix these problems only."),
    ] = None,
) -> int:
    """Apply the fixes of the problems that `check` finds, until none is left.

    Exits with 0 if no error remains, with 1 if one does.
    """
    if check and diff:
        raise AstrafsError(codes.USAGE.nowhere("--check and --diff exclude each other"))
    only = known_codes("--code", code or ())
    sink = Sink()
    workspace = read_path(path, "", sink)
    levels = load_config(workspace.root, None, sink).levels
    unreadable = tuple(sink)

    def wanted(found: Diagnostic, fix: Fix) -> bool:
        return (
            (fix.safe or unsafe)
            and (not only or found.code.id in only)
            and all(
                edit.span.path in files and workspace.only in ("", edit.span.path)
                for edit in fix.edits
            )
        )

    files = {file.path: file for file in workspace.files}
    done = repair(files, lambda texts: _problems(texts, levels), wanted)
    changed = [(files[name], file.text) for name, file in done.files.items() if file != files[name]]
    if unreadable:
        console.report(unreadable, files)
    for file, text in changed:
        if diff:
            console.write(unified_diff(file, text))
        elif path != "-" and not check:
            replace_file(workspace.root / file.path, text)
    if path == "-" and not (check or diff):
        console.write("".join(file.text for file in done.files.values()))
    elif not diff:
        console.write("".join(f"{line}\n" for line in _account(done)))
    console.tell(_summary(done, len(changed), dry=check or diff))
    shown = [one for one in done.left if _is_of(one, workspace.only)]
    for line in _left(shown, unsafe):
        console.tell(line)
    if changed and (check or diff):
        return console.PROBLEMS
    return console.exit_code([*unreadable, *shown])


def _problems(files: Texts, levels: Levels) -> Sequence[Diagnostic]:
    from astrafs.driver import compile_project

    sink = Sink()
    compile_project(tuple(files.values()), sink)
    return tuple(levels.apply(sink))


def _is_of(found: Diagnostic, only: str) -> bool:
    return not only or found.primary is None or found.primary.span.path == only


def _account(done: Repaired) -> list[str]:
    """Say what was done, file by file."""
    lines: list[str] = []
    by_file: dict[str, Counter[tuple[str, str]]] = {}
    for one in done.repairs:
        for name in dict.fromkeys(edit.span.path for edit in one.fix.edits):
            by_file.setdefault(name, Counter())[one.diagnostic.code.id, one.fix.title] += 1
    for name, counts in sorted(by_file.items()):
        lines.append(f"{name}:")
        for (code, title), times in sorted(counts.items()):
            lines.append(f"  {code} {title}" + (f" ({times} times)" if times > 1 else ""))
    return lines


def _summary(done: Repaired, changed: int, *, dry: bool) -> str:
    if not done.repairs:
        return "nothing to fix"
    what = f"{console.count(len(done.repairs), 'problem')} {'can be' if dry else ''} fixed"
    return f"{' '.join(what.split())} in {console.count(changed, 'file')}"


def _left(found: Sequence[Diagnostic], unsafe: bool) -> list[str]:
    """Say what remains, and what would help."""
    if not found:
        return []
    lines = [f"{console.count(len(found), 'problem')} left; `astrafs check` shows what is wrong"]
    risky = sum(any(not fix.safe for fix in one.fixes) for one in found)
    if risky and not unsafe:
        lines.append(
            f"--unsafe fixes {risky} of them; these fixes change what the program means, "
            "so read the result"
        )
    return lines
