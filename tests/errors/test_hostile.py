"""Every hostile project is refused with its codes, in bounded time and memory."""

from __future__ import annotations

import json
import os
import resource
import time
import warnings
from pathlib import Path

import pytest

from astrafs.config import load_config
from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.diagnostics.render import concise
from astrafs.diagnostics.render.text import render
from astrafs.driver import compile_project
from astrafs.runtime import paths
from astrafs.syntax.characters import decode
from tests.errors.hostile.corpus import RUNAWAY, Case, cases

ALL = tuple(cases())
LONGEST_MESSAGE = 4_000_000
"""Characters, all diagnostics together in two forms."""


def compiled(case: Case) -> dict[str, object]:
    """Compile the case and return what it did, as a process of its own."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    sink = Sink()
    read = [decode(path, data, sink) for path, data in case.files.items()]
    files = {file.path: file for file in read if file is not None}
    compile_project(list(files.values()), sink)
    seconds = time.process_time() - began
    found = list(sink)
    said = render(found, files, width=80, colour=False) + concise.render(found, files)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return {
        "codes": sorted({one.code.id for one in found}),
        "seconds": seconds,
        "megabytes": grown // 1024,
        "said": len(said),
        "raw": [sign for sign in said if ord(sign) < 32 and sign != "\n"][:5],
    }


def apart(case: Case) -> dict[str, object]:
    """Run ``compiled`` in a child process, whose memory nothing else has used."""
    out, into = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the test runner
        child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(out)
            limit = int(case.seconds) + 10
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            with os.fdopen(into, "w") as pipe:
                json.dump(compiled(case), pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(into)
    with os.fdopen(out) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the compiler died of {case.name}: {status}"
    found: dict[str, object] = json.loads(text)
    return found


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_refused_in_time(case: Case) -> None:
    found = apart(case)
    assert set(found["codes"]) == case.codes  # type: ignore[call-overload]
    assert found["seconds"] < case.seconds  # type: ignore[operator]
    assert found["megabytes"] < case.megabytes  # type: ignore[operator]
    assert found["said"] < LONGEST_MESSAGE  # type: ignore[operator]
    assert found["raw"] == []


def test_the_names_are_different() -> None:
    assert len({case.name for case in ALL}) == len(ALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project beside which lie files that it must not read."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    (root / "data" / "a.csv").write_text("id\n1\n")
    (tmp_path / "secret.csv").write_text("id\n2\n")
    (tmp_path / "project2").mkdir()
    (tmp_path / "project2" / "a.csv").write_text("id\n3\n")
    (root / "data" / "leak.csv").symlink_to(tmp_path / "secret.csv")
    (root / "data" / "out").symlink_to(tmp_path / "project2")
    (root / "data" / "chain.csv").symlink_to(root / "data" / "leak.csv")
    (root / "data" / "self.csv").symlink_to(root / "data" / "self.csv")
    return root


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("/etc/passwd", "AFS0902"),
        ("/etc/*", "AFS0902"),
        ("//server/share/a.csv", "AFS0902"),
        ("../secret.csv", "AFS0902"),
        ("../*.csv", "AFS0902"),
        ("data/../../secret.csv", "AFS0902"),
        ("data/*/../../../secret.csv", "AFS0901"),
        ("../project2/a.csv", "AFS0902"),
        ("data/leak.csv", "AFS0902"),
        ("data/chain.csv", "AFS0902"),
        ("data/*.csv", "AFS0902"),
        ("data/out/a.csv", "AFS0902"),
        ("data/out/*.csv", "AFS0902"),
        ("**/*.csv", "AFS0902"),
        ("data/self.csv", "AFS0907"),
        ("~/a.csv", "AFS0901"),
        ("~root/a.csv", "AFS0901"),
        ("$HOME/a.csv", "AFS0901"),
        ("file:///etc/passwd", "AFS0901"),
        ("https://example.test/a.csv", "AFS0901"),
        ("s3://bucket/a.csv", "AFS0901"),
        ("\\\\server\\share\\a.csv", "AFS0901"),
        ("C:\\a.csv", "AFS0901"),
        ("data/a.csv\0.parquet", "AFS0901"),
        ("data/a.csv'); select 1; --", "AFS0901"),
        ("", "AFS0901"),
        ("data", "AFS0901"),
        ("data/" + "*" * 2_000, "AFS0901"),
        ("[" * 2_000, "AFS0901"),
        ("a/" * 2_000 + "*.csv", "AFS0901"),
        ("x" * 5_000, "AFS0901"),
    ],
)
def test_sources_stay_inside_the_project(project: Path, pattern: str, code: str) -> None:
    began = time.process_time()
    with pytest.raises(AstrafsError) as caught:
        paths.resolve("a.s", [pattern], project, [project])
    assert [found.code.id for found in caught.value.diagnostics] == [code]
    assert time.process_time() - began < RUNAWAY


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "[" * 100_000 + "]" * 100_000,
        "a = " + "{x=" * 20_000 + "1" + "}" * 20_000,
        "[" + ".".join(["a"] * 50_000) + "]",
        "a = " + "9" * 100_000,
        "\x00",
    ],
    ids=["open lists", "lists", "tables", "dots", "digits", "NUL"],
)
def test_a_hostile_project_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "astrafs.toml").write_text(text)
    sink = Sink()
    began = time.process_time()
    try:
        load_config(tmp_path, None, sink)
    except AstrafsError as error:
        sink.extend(error.diagnostics)
    assert {found.code.id for found in sink} <= {"AFS0950", "AFS0951", "AFS0952"}
    assert sink.has_errors
    assert time.process_time() - began < RUNAWAY
