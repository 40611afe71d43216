"""What ``test``, ``graph``, ``explain`` and ``why`` print, as a user sees it.

A case is a Markdown file: an ``afs`` block (``# file: path`` starts a further file), a block per
data file under its path, and ``console`` blocks with commands after ``$`` and what they print,
standard error included; ``[exit 1]`` follows a command that ends so. ``ASTRAFS_REWRITE_GOLDEN=1``
rewrites the ``console`` blocks.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli, cli

HERE = Path(__file__).parent / "show"
DOCS = Path(__file__).parents[2] / "docs"
CASES = [*sorted(HERE.glob("*.md")), DOCS / "language" / "tests.md", DOCS / "why.md"]
BLOCK = re.compile(r"^```([^\n]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
__all__ = ["cli"]


def write_files(text: str, root: Path) -> None:
    """Lay out the files of a case in ``root``."""
    for name, body in BLOCK.findall(text):
        if name == "afs":
            parts = re.split(r"^# file: (\S+)\n", body, flags=re.MULTILINE)
            names = ["shop.afs", *parts[1::2]]
            for path, part in zip(names, parts[::2], strict=True):
                if part.strip():
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_text(part, encoding="utf-8")
        elif "." in name:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(body, encoding="utf-8")


def played(body: str, cli: Cli) -> str:
    """Run the commands of a ``console`` block and return it with what they print."""
    lines: list[str] = []
    for line in body.splitlines():
        if not line.startswith("$ astrafs "):
            continue
        ended = cli(*shlex.split(line.removeprefix("$ astrafs ")))
        lines += [*([""] if lines else []), line]
        lines += (ended.out + ended.err).rstrip("\n").split("\n")
        if ended.code:
            lines.append(f"[exit {ended.code}]")
    return "".join(f"{line}".rstrip() + "\n" for line in lines)


def test_there_are_cases() -> None:
    assert len(CASES) >= 10


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_prints_as_written(
    path: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = path.read_text(encoding="utf-8")
    write_files(text, tmp_path)
    monkeypatch.chdir(tmp_path)

    def renewed(found: re.Match[str]) -> str:
        name, body = found.groups()
        return f"```console\n{played(body, cli)}```" if name == "console" else found[0]

    actual = BLOCK.sub(renewed, text)
    if os.environ.get("ASTRAFS_REWRITE_GOLDEN"):
        path.write_text(actual, encoding="utf-8")
        return
    assert actual == text
