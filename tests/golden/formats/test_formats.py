"""What each form of diagnostics looks like: ``forms.md`` holds a program and a block per form.

``ASTRAFS_REWRITE_GOLDEN=1`` rewrites the blocks; read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from astrafs.cli.console import Format
from astrafs.diagnostics.examples import example_files
from astrafs.diagnostics.model import Sink
from astrafs.diagnostics.render import concise, github, gitlab, json, junit, sarif, text
from astrafs.driver import compile_project

CASE = Path(__file__).parent / "forms.md"
FORMS: dict[str, Callable[..., str]] = {
    "text": text.render,
    "concise": concise.render,
    "json": json.render,
    "sarif": sarif.render,
    "github": github.render,
    "gitlab": gitlab.render,
    "junit": junit.render,
}


def rendered(form: str) -> str:
    """Return the problems of the case's program in one form; no version of ours in it."""
    files = example_files(_blocks()["afs"], "shop.afs")
    sink = Sink()
    compile_project(files, sink)
    found = FORMS[form](tuple(sink), {file.path: file for file in files})
    return re.sub(r'("version": )"(?!2\.1\.0)[^"]*"', r'\1"0"', found)


def _blocks() -> dict[str, str]:
    return dict(re.findall(r"```(\w+)\n(.*?)```", CASE.read_text(encoding="utf-8"), re.DOTALL))


def test_every_form_has_a_block() -> None:
    assert set(FORMS) == {form.value for form in Format}
    assert set(_blocks()) == {"afs", *FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_form_is_as_written(form: str) -> None:
    actual = rendered(form)
    if os.environ.get("ASTRAFS_REWRITE_GOLDEN"):
        whole = CASE.read_text(encoding="utf-8")
        block = f"```{form}\n{actual}```"
        if form in _blocks():
            before, _, rest = whole.partition(f"```{form}\n")
            whole = before + block + rest.partition("```")[2]
        else:
            whole = f"{whole.rstrip()}\n\n{block}\n"
        CASE.write_text(whole, encoding="utf-8")
        return
    assert _blocks()[form] == actual
