"""What the page on types shows: its program compiles, its values of ``hash`` come out."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.reference import Question, evaluate_feature
from astrafs.source import SourceFile

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "language" / "types.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```afs\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
HASHES = re.findall(r"^\| `([^|]+)` \| `([^|]+)` \| ([0-9]+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_the_page_compile(program: str) -> None:
    sink = Sink()
    assert compile_project((SourceFile("page.afs", program),), sink) is not None
    assert list(sink) == []


@pytest.mark.parametrize(("value", "data", "bucket"), HASHES)
def test_hashes_of_the_page(value: str, data: str, bucket: str) -> None:
    digest = hashlib.sha256(data.encode()).hexdigest()
    assert int(digest[:15], 16) % 1_000_000 == int(bucket)
    program = (
        'owner "docs@astrafs.example"\nentity User { id: int }\nfeatures for User {\n'
        f"  ## A bucket.\n  x: int = hash({value}, 1000000)\n}}\n"
    )
    sink = Sink()
    found = compile_project((SourceFile("page.afs", program),), sink)
    assert found is not None, list(sink)
    (answer,) = evaluate_feature(found.plan, found.plan.features[0].id, {}, [Question((1,), 0)], 0)
    assert answer == int(bucket)


def test_the_page_has_both() -> None:
    assert PROGRAMS
    assert len(HASHES) >= 8
