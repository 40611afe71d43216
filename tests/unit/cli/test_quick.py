"""The short cut for plain checks says what the long way says, and leaves it what is not plain."""

from __future__ import annotations

from pathlib import Path

import pytest

from astrafs.cli.quick import plain_check
from tests.unit.cli.conftest import Cli


@pytest.mark.parametrize(
    "line",
    [
        "", "fmt", "check --help", "check --watch", "check --emit footprint", "check a b",
        "check --", "check --format", "check --format json --format text", "check --deny --allow",
        "check -fjson", "check --color never", "--color never check", "check --nothing",
        "check --baseline known.json",
    ],
)  # fmt: skip
def test_what_is_not_plain(line: str) -> None:
    assert plain_check(line.split()) is None


def test_what_is_plain() -> None:
    line = "check --format=json x --deny AFS0204 --deny AFS0212 --no-cache"
    given = plain_check(line.split())
    assert given is not None
    assert given["form"] == ["json"]
    assert given["deny"] == ["AFS0204", "AFS0212"]
    assert (given["path"], given["env"], bool(given["no_cache"])) == (["x"], [], True)


@pytest.mark.parametrize(
    "options",
    [
        (), ("--format", "json"), ("-f", "concise"), ("--deny", "warnings"), ("--allow", "AFS0204"),
        ("--deny", "AFS9"), ("--env", "none"), ("--format", "nothing"), ("--no-cache",),
    ],
)  # fmt: skip
def test_both_ways_say_the_same(
    options: tuple[str, ...], tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.afs").write_text("## A user.\nentity User { user_id: int }\n")
    (tmp_path / "b.afs").write_text("use a.{User}\nentity Shop { shop_id: integer }\n")
    quick = [cli("check", tmp_path, *options) for _ in range(2)]
    monkeypatch.setattr("astrafs.cli.quick.plain_check", lambda _: None)
    assert quick == [cli("check", tmp_path, *options)] * 2
