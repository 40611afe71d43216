"""Golden cases of runs: each ``.md`` holds a program, its files, a request, and what comes of it.

Blocks: ``afs`` is the program, one block per file under the file's path, ``toml ask`` holds the
arguments of ``Project.backfill``, ``result`` the rows as CSV or the diagnostics, and what was set
aside. ``ASTRAFS_REWRITE_GOLDEN=1`` rewrites the last.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import astrafs
from astrafs.diagnostics.render.text import render

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.md"))
OPERANDS = re.compile(r"(Overflow in \w+ of \w+) \([^)]*\)")
BLOCK = re.compile(r"^```([^\n]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def come_of(blocks: dict[str, str], root: Path) -> str:
    """Lay out a case's files in ``root``, run it, and print what comes of it."""
    for name, text in blocks.items():
        path = root / ("shop.afs" if name == "afs" else name)
        if name not in ("toml ask", "result"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    ask: dict[str, Any] = tomllib.loads(blocks["toml ask"])
    for name in ("spine", "quarantine"):
        if name in ask:
            ask[name] = root / ask[name]
    try:
        report = astrafs.load(root).backfill_to(root / "result.csv", **ask)
    except astrafs.AstrafsError as error:
        assert not (root / "result.csv").exists()
        # So wide that where lines break does not hang on how long the name of the root is.
        text = render(error.diagnostics, error.files, width=1_000).replace(str(root), "/project")
        # Which of several offending rows the engine meets first is its own affair.
        return OPERANDS.sub(r"\1 (...)", text).rstrip() + "\n"
    text = report.output.read_text(encoding="utf-8")
    for aside in report.quarantined:
        text += f"\n{aside.count} of {aside.source} set aside: {aside.rule}\n"
        for path in aside.paths:
            rows = pq.read_table(path).drop_columns(["astrafs_file"])
            text += f"  {path.name}\n"
            text += "".join(f"    {list(row.values())}\n" for row in rows.to_pylist())
    return text


def test_there_are_cases() -> None:
    assert len(CASES) >= 15


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_comes_out_as_written(path: Path, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    blocks = dict(BLOCK.findall(text))
    actual = come_of(blocks, tmp_path)
    if os.environ.get("ASTRAFS_REWRITE_GOLDEN"):
        head = text.split("```result\n")[0].rstrip("\n")
        path.write_text(f"{head}\n\n```result\n{actual}```\n", encoding="utf-8")
        return
    assert blocks["result"] == actual
