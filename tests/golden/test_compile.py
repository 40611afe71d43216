"""Programs and what the compiler says of them: diagnostics with their pictures, plans, footprints.

A case is a Markdown file with an ``afs`` block and the blocks that it cares about:
``diagnostics`` (empty for a clean program), ``plan``, ``footprint`` and ``identities`` (which are
in users' lock files: a change of the canonical form shows here first). With
``ASTRAFS_REWRITE_GOLDEN=1`` in the environment the blocks are rewritten; read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.diagnostics.render.text import render
from astrafs.driver import compile_project
from astrafs.plan.identity import feature_identities, view_identities
from astrafs.plan.program import Program
from astrafs.plan.text import plan_text
from astrafs.source import SourceFile
from astrafs.temporal.footprint import footprints
from astrafs.temporal.report import footprint_text

HERE = Path(__file__).resolve().parent
CASES = sorted([*HERE.glob("leakage/*.md"), *HERE.glob("plan/*.md")])
FENCE = re.compile(r"^```(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def identities(program: Program) -> str:
    """List the identities of features and views."""
    features, views = feature_identities(program.plan), view_identities(program.plan)
    lines = [f"{identity}  {name}" for name, identity in (*features.items(), *views.items())]
    return "".join(f"{line}\n" for line in lines)


OUTPUTS: dict[str, Callable[[Program], str]] = {
    "plan": lambda program: plan_text(program.plan),
    "identities": identities,
    "footprint": lambda program: footprint_text(footprints(program.plan)),
}


def answers(text: str) -> dict[str, str]:
    """Compile the case's program and return what every one of its blocks should hold."""
    blocks = dict(FENCE.findall(text))
    file = SourceFile("case.afs", blocks["afs"])
    sink = Sink()
    program = compile_project((file,), sink)
    assert program is not None
    found = {"diagnostics": render(sink, {file.path: file})}
    for name, output in OUTPUTS.items():
        if name in blocks:
            found[name] = output(program)
    return found


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path) -> None:
    text = path.read_text("utf-8")
    expected = answers(text)
    if os.environ.get("ASTRAFS_REWRITE_GOLDEN"):

        def renewed(found: re.Match[str]) -> str:
            name, old = found.groups()
            return f"```{name}\n{expected.get(name, old)}```"

        path.write_text(FENCE.sub(renewed, text), "utf-8")
        return
    blocks = dict(FENCE.findall(text))
    assert set(blocks) <= {"afs", *expected}, "a block of an unknown name"
    assert "diagnostics" in blocks, "a case says what is reported, if only nothing"
    for name, body in expected.items():
        assert blocks[name] == body


def test_there_are_cases() -> None:
    assert len(CASES) >= 12
