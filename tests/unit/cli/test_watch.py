"""``astrafs check --watch`` as a process of its own, while files change."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from astrafs.cli import completing
from tests.unit.cli.conftest import Cli

ROOT = Path(completing.__file__).parents[2]
GOOD = 'owner "x@acme.test"\n\n## A user.\nentity User { user_id: int }\n'


class Watch:
    """A running watch and the lines that it prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: queue.Queue[str] = queue.Queue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def round(self) -> list[str]:
        """Return the lines of one check, without the last, which says how long it took."""
        found = []
        while True:
            line = self.lines.get(timeout=60)
            if line.startswith("checked in "):
                assert line.endswith(" s; waiting for changes, Ctrl-C ends")
                return found
            found.append(line)


@contextmanager
def watching(project: Path, *more: str) -> Iterator[Watch]:
    """Watch ``project`` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "astrafs", "check", "--watch", str(project), *more],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Watch(process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        process.stderr.close()


def test_it_checks_again_after_each_change(tmp_path: Path) -> None:
    file = tmp_path / "a.afs"
    file.write_text(GOOD)
    with watching(tmp_path) as watch:
        assert watch.round() == ["ok: 1 file, 0 sources, 0 features, 0 views"]

        file.write_text(GOOD + "entity User { id: int }\n")
        found = watch.round()
        assert found[0] == "-" * 100
        assert found[1].endswith(" a.afs")
        assert found[2].startswith("error[AFS0205]")
        assert "1 error" in found[-1]

        added = tmp_path / "more" / "b.afs"
        added.parent.mkdir()
        added.write_text("use a.{Nobody}\n")
        found = watch.round()
        assert found[1].endswith(" more/b.afs")
        assert "2 errors" in found[-1]

        added.unlink()
        file.write_text(GOOD)
        while (found := watch.round())[-1] != "ok: 1 file, 0 sources, 0 features, 0 views":
            assert "error" in found[-1]  # the two changes were seen one by one

        (tmp_path / "astrafs.toml").write_text("wrong = 1\n")
        found = watch.round()
        assert found[1].endswith(" astrafs.toml")
        assert found[2].startswith("error[AFS0951]")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it(number: signal.Signals, code: int, tmp_path: Path) -> None:
    (tmp_path / "a.afs").write_text(GOOD)
    with watching(tmp_path) as watch:
        watch.round()
        watch.process.send_signal(number)
        assert watch.process.wait(timeout=30) == code
        assert watch.process.stderr is not None
        assert watch.process.stderr.read() == ""


def test_a_project_that_is_emptied_and_filled_again(tmp_path: Path) -> None:
    file = tmp_path / "a.afs"
    file.write_text(GOOD)
    with watching(tmp_path, "--format", "concise", "--no-cache") as watch:
        assert watch.round() == []
        file.unlink()
        assert "there is no `.afs` file" in watch.round()[-1]
        file.write_text(GOOD)
        assert watch.round()[1].endswith(" a.afs")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["-"], "standard input"),
        (["--format", "json"], "`--format json`"),
        (["--emit", "footprint"], "`--emit`"),
    ],
)
def test_what_cannot_be_watched(arguments: list[str], what: str, cli: Cli) -> None:
    done = cli("check", "--watch", *arguments)
    assert done.code == 2
    assert f"`--watch` does not go with {what}" in done.err


def test_a_path_that_is_not_there_is_not_watched(tmp_path: Path, cli: Cli) -> None:
    assert cli("check", "--watch", tmp_path / "nothing").code == 2
