"""The tutorial is run from top to bottom: files are written, commands run, output compared.

A fence ```` ```afs shop.afs ```` writes a file. In a ``console`` fence, a line ``$ astrafs ...``
is run, and the lines below it are its output: ``...`` in a line stands for any text, and a line
``...`` for any lines. ``[exit 1]`` as the last line is the exit code (0 without). A ``python``
fence is run; a ``text`` fence after it is its output.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parents[3] / "docs"
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN_CLI = "import sys; from astrafs.cli.app import main; sys.exit(main())"


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the (info, body) of each fenced block."""
    for fence in FENCE.finditer(page.read_text(encoding="utf-8")):
        yield fence[1].strip(), fence[2]


def run(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Run Python with ``arguments`` in ``folder``; return the exit code and everything printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def sessions(body: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a console block with the output lines below it."""
    command, shown = "", []
    for line in body.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], []
        else:
            shown.append(line)
    yield command, shown


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether the output is what the page shows."""
    if not shown:
        return not printed
    head, rest = shown[0], shown[1:]
    if head.strip() == "...":
        return any(agrees(rest, printed[skip:]) for skip in range(len(printed) + 1))
    pattern = ".*".join(re.escape(part) for part in head.rstrip().split("..."))
    return (
        bool(printed)
        and re.fullmatch(pattern, printed[0].rstrip()) is not None
        and agrees(rest, printed[1:])
    )


def stripped(lines: list[str]) -> list[str]:
    """Drop empty lines at both ends."""
    return "\n".join(lines).strip("\n").splitlines()


def follow(page: Path, folder: Path) -> int:
    """Do what ``page`` says in ``folder``; return how many commands and scripts ran."""
    printed: list[str] | None = None
    here, count = folder, 0
    for info, body in blocks(page):
        kind, _, name = info.partition(" ")
        if name:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (here / name).write_text(body, encoding="utf-8")
        elif kind == "console":
            for command, shown in sessions(body):
                words = shlex.split(command)
                if words[0] == "cd":
                    here = here / words[1]
                    continue
                assert words[0] == "astrafs", command
                code, output = run(["-c", RUN_CLI, *words[1:]], here)
                expected = 0
                if shown and (exit_code := re.fullmatch(r"\[exit (\d+)\]", shown[-1])):
                    expected, shown = int(exit_code[1]), shown[:-1]
                assert code == expected, f"$ {command}\n{output}"
                if stripped(shown):
                    assert agrees(stripped(shown), stripped(output.splitlines())), (
                        f"$ {command}\n{output}"
                    )
                count += 1
        elif kind == "python":
            code, output = run(["-c", body], here)
            assert code == 0, output
            printed = output.splitlines()
            count += 1
        elif kind == "text" and printed is not None:
            assert agrees(stripped(body.splitlines()), stripped(printed)), "\n".join(printed)
            printed = None
    return count


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    assert follow(DOCS / "tutorial.md", tmp_path) >= 8


def test_a_wrong_output_is_noticed() -> None:
    assert agrees(["a...c", "...", "z"], ["abc", "x", "y", "z"])
    assert not agrees(["a"], ["b"])
    assert not agrees(["a"], ["a", "b"])
    assert not agrees(["a", "..."], [])
