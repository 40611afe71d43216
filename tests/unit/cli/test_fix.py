"""``astrafs fix`` through the command line: what is written, what is said, and the exit codes."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

WRONG = """owner 'shop'
entity User { user_id: int }
## Payments.
source payments from parquet("p/*.parquet") key id time at {
  id: string
  user_id: User
  amount: float
  at: timestamp
}
features for User from payments {
  ## Payments above one.
  n_7d: int = count(where amount != null && amount > 1.0) over 7 days;
  ## Their sum.
  s_7d: float = sum(amonut) over 7d
}
"""
SAFE = (
    WRONG.replace("'shop'", '"shop"')
    .replace("!= null", "is not null")
    .replace("&&", "and")
    .replace("7 days;", "7d")
)
RIGHT = SAFE.replace("amonut", "amount")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two files, of which one is wrong; the working directory."""
    (tmp_path / "astrafs.toml").write_text("")
    (tmp_path / "a.afs").write_text(WRONG)
    (tmp_path / "b.afs").write_text("use a.User\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_safe_fixes_are_written_and_counted(project: Path, cli: Cli) -> None:
    done = cli("fix")
    assert (project / "a.afs").read_text() == SAFE
    assert (project / "b.afs").read_text() == "use a.User\n"
    assert done.out == (
        "a.afs:\n"
        "  AFS0107 use double quotes\n"
        "  AFS0121 write `7d`\n"
        "  AFS0133 write `and`\n"
        "  AFS0135 delete `;`\n"
        "  AFS0137 write `is not null`\n"
    )
    assert done.err == (
        "5 problems fixed in 1 file\n"
        "1 problem left; `astrafs check` shows what is wrong\n"
        "--unsafe fixes 1 of them; these fixes change what the program means, so read the result\n"
    )
    assert done.code == 1


def test_unsafe_fixes_need_the_flag_and_leave_a_clean_program(project: Path, cli: Cli) -> None:
    assert cli("fix", "--unsafe").code == 0
    assert (project / "a.afs").read_text() == RIGHT
    assert (project / "b.afs").read_text() == "\n"
    assert cli("check").code == 0
    again = cli("fix", "--unsafe")
    assert (again.code, again.out, again.err) == (0, "", "nothing to fix\n")


def test_code_picks_what_is_fixed(project: Path, cli: Cli) -> None:
    done = cli("fix", "--code", "AFS0133,AFS0107")
    assert (project / "a.afs").read_text() == WRONG.replace("'shop'", '"shop"').replace("&&", "and")
    assert done.code == 1
    unknown = cli("fix", "--code", "AFS0l33")
    assert unknown.code == 2
    assert "did you mean `AFS0133`?" in unknown.err


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_a_dry_run_writes_nothing(project: Path, cli: Cli, option: str) -> None:
    done = cli("fix", option)
    assert (project / "a.afs").read_text() == WRONG
    assert done.code == 1
    assert done.err.startswith("5 problems can be fixed in 1 file\n")
    if option == "--diff":
        assert "-owner 'shop'\n+owner \"shop\"\n" in done.out
    else:
        assert "AFS0133 write `and`" in done.out
    (project / "a.afs").write_text(RIGHT)
    (project / "b.afs").write_text("")
    assert cli("fix", option).code == 0


def test_one_file_is_fixed_within_its_project(project: Path, cli: Cli) -> None:
    cli("fix", "b.afs", "--unsafe")
    assert (project / "a.afs").read_text() == WRONG


def test_standard_input_becomes_standard_output(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(WRONG.encode()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    done = cli("fix", "-")
    assert (done.code, done.out) == (1, SAFE)
    assert (project / "a.afs").read_text() == WRONG


def test_levels_of_the_project_hold(project: Path, cli: Cli) -> None:
    (project / "a.afs").write_text(RIGHT)
    (project / "astrafs.toml").write_text('[diagnostics]\nallow = ["AFS0204"]\n')
    assert cli("fix").err == "nothing to fix\n"
    (project / "astrafs.toml").write_text("")
    assert cli("fix").out == "b.afs:\n  AFS0204 remove it\n"


def test_check_and_diff_exclude_each_other(project: Path, cli: Cli) -> None:
    assert project.exists()
    assert cli("fix", "--check", "--diff").code == 2


def test_line_ends_and_a_byte_order_mark_stay(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "a.afs"
    path.write_bytes(b"\xef\xbb\xbf" + WRONG.replace("\n", "\r\n").encode())
    cli("fix", path)
    assert path.read_bytes() == b"\xef\xbb\xbf" + SAFE.replace("\n", "\r\n").encode()


def test_a_link_stays_a_link(project: Path, cli: Cli) -> None:
    (project / "a.afs").rename(project / "real.txt")
    (project / "a.afs").symlink_to("real.txt")
    cli("fix")
    assert (project / "a.afs").is_symlink()
    assert (project / "real.txt").read_text() == SAFE


def test_a_file_that_cannot_be_written_is_a_diagnostic(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("astrafs.cli.output.tempfile.mkstemp", refuse)
    done = cli("fix")
    assert done.code == 1
    assert "error[AFS0917]" in done.err
    assert (project / "a.afs").read_text() == WRONG
