"""Windows swept by kernels and computed in SQL: the same file, byte for byte of its content."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from astrafs.cli.app import app
from astrafs.runtime import sweeps
from tests.bench.workload import AS_OF, Size, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small workload W: few customers with many rows, many with few, and questions."""
    made = tmp_path_factory.mktemp("w")
    write(made, Size(events=4_000, spine=900, users=300, skew=1.4))
    return made


def _backfill(folder: Path, *more: str) -> str:
    command = ["backfill", "main.everything", "-p", str(folder), "--as-of", AS_OF, "--no-cache"]
    command += ["--spine", str(folder / "spine.parquet"), "-o", str(folder / "out.parquet"), *more]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    return done.output


def _digest(text: str) -> str:
    return next(line.split()[-1] for line in text.splitlines() if line.startswith("  digest"))


def test_both_engines_give_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = _backfill(folder, "--engine", "auto", "--explain")
    assert "kernels  35 aggregates over 5 windows of main.events, 3 columns" in swept
    assert "at most 4,000 rows" in swept
    in_sql = _backfill(folder, "--engine", "sql", "--explain")
    assert "SQL      35 aggregates" in in_sql
    assert "kernels" not in in_sql.split("plan", 1)[1].split("expected")[0]
    assert _digest(swept) == _digest(in_sql)
    monkeypatch.setattr(sweeps.execute, "__defaults__", (50,))
    monkeypatch.setattr("astrafs.runtime.session.Session.budget", 10_000)
    in_files = _backfill(folder, "--engine", "auto", "--explain")
    assert "of it in files" in in_files
    assert _digest(in_files) == _digest(swept)


def test_what_is_swept_is_shown_without_running(folder: Path) -> None:
    done = CliRunner().invoke(app, ["compile", str(folder), "--emit", "physical"])
    assert done.output.splitlines() == [
        "view main.everything",
        "  kernels  35 aggregates over 5 windows of main.events, 3 columns",
    ]
