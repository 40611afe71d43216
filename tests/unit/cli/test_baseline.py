"""``--baseline``: known problems are hidden by what they are, not by where they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

HEAD = """owner "shop"

entity User { user_id: int }

## Payments.
source payments from parquet("p/*.parquet") key id time at {
  id: string
  user_id: User
  amount: float
  late: bool settles 60d
  at: timestamp
}
"""
LEAK = "  ## Late ones.\n  late_7d: bool = any(late) over 7d\n"
NULL = "  ## Mean.\n  mean_7d: float = mean(amount) over 7d\n"
BLOCK = "\nfeatures for User from payments {\n%s}\n"


@pytest.fixture
def known(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a project with a leak and a type error, and its baseline; return the program."""
    (tmp_path / "astrafs.toml").write_text("")
    program = tmp_path / "shop.afs"
    program.write_text(HEAD + BLOCK % (LEAK + NULL))
    monkeypatch.chdir(tmp_path)
    assert cli("check").code == 1
    done = cli("check", "--write-baseline", "known.json")
    assert (done.code, done.out) == (0, "wrote known.json: 2 problems\n")
    return program


def test_listed_problems_are_hidden_and_counted(known: Path, cli: Cli) -> None:
    done = cli("check", "--baseline", "known.json")
    assert known.exists()
    assert done.code == 0
    assert done.out == (
        "nothing but known problems\n2 problems hidden by the baseline known.json\n"
    )
    document = json.loads(Path("known.json").read_text())
    assert document["schema"] == "astrafs.baseline/1"
    assert [(one["where"], one["code"]) for one in document["problems"]] == [
        ("shop:User.late_7d", "AFS0502"),
        ("shop:User.mean_7d", "AFS0302"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\n\n# A comment.\n" + HEAD + "\n\n" + BLOCK % (LEAK + NULL),
        HEAD + BLOCK % (NULL + LEAK),
        HEAD + BLOCK % NULL + BLOCK % LEAK,
        BLOCK % (LEAK + NULL).replace(" = ", "\n    =   ").replace(")", " )  # why\n") + HEAD,
        HEAD + BLOCK % (LEAK + NULL).replace("Late ones", "Disputed ones"),
    ],
    ids=["moved", "reordered", "split", "reformatted", "described anew"],
)
def test_moves_and_formatting_change_nothing(known: Path, cli: Cli, text: str) -> None:
    known.write_text(text)
    done = cli("check", "--baseline", "known.json")
    assert done.out.endswith("2 problems hidden by the baseline known.json\n")
    assert done.code == 0


def test_formatting_by_fmt_changes_nothing(known: Path, cli: Cli) -> None:
    known.write_text((HEAD + BLOCK % (LEAK + NULL)).replace("  ", "     ").replace(": ", "  :  "))
    assert cli("check", "--baseline", "known.json").code == 0
    assert cli("fmt").code == 0
    assert cli("check", "--baseline", "known.json").code == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [("over 7d", "over 8d"), ("late_7d", "late_week"), ("any(late)", "any(not late)")],
)
def test_changed_logic_or_name_shows_the_problem_again(
    known: Path, cli: Cli, old: str, new: str
) -> None:
    known.write_text(HEAD + BLOCK % (LEAK.replace(old, new) + NULL))
    done = cli("check", "--baseline", "known.json")
    assert done.code == 1
    assert "error[AFS0502]" in done.out
    assert "error[AFS0302]" not in done.out
    assert (
        "note: 1 entry of the baseline no longer occurs:\n  AFS0502 shop:User.late_7d" in done.out
    )


def test_a_second_problem_of_the_kind_is_shown(known: Path, cli: Cli) -> None:
    twice = LEAK + NULL.replace("mean(amount) over 7d", "mean(amount) over 7d + late")
    known.write_text(HEAD + BLOCK % (twice + LEAK.replace("late_7d", "late_8d")))
    done = cli("check", "--baseline", "known.json")
    assert done.code == 1
    assert "`User.late_8d` reads `late`" in done.out
    assert "`User.late_7d` reads `late`" not in done.out


def test_entries_that_no_longer_occur_are_told(known: Path, cli: Cli) -> None:
    known.write_text(HEAD + BLOCK % NULL)
    done = cli("check", "--baseline", "known.json", "--format", "concise")
    assert (done.code, done.out) == (0, "")
    assert done.err == (
        "1 problem hidden by the baseline known.json\n"
        "note: 1 entry of the baseline no longer occurs:\n"
        "  AFS0502 shop:User.late_7d: `User.late_7d` reads `late` before it has settled\n"
        "write it anew with --write-baseline known.json\n"
    )


def test_problems_without_a_place_and_of_the_project_file(known: Path, cli: Cli) -> None:
    toml = known.with_name("astrafs.toml")
    toml.write_text("[project]\nnmae = 'x'\n")
    assert cli("check", "--baseline", "known.json").code == 1
    cli("check", "--write-baseline", "known.json")
    toml.write_text("# moved\n\n[project]\n  nmae   = 'x'\n")
    assert cli("check", "--baseline", "known.json").code == 0


@pytest.mark.parametrize(
    "text", ["no json", "[]", "{}", '{"schema": "other/1"}', '{"schema": "astrafs.baseline/1", '
             '"problems": [{"where": 1, "code": "", "logic": "", "title": ""}]}'],
)  # fmt: skip
def test_what_is_no_baseline_is_refused(known: Path, cli: Cli, text: str) -> None:
    known.with_name("known.json").write_text(text)
    done = cli("check", "--baseline", "known.json")
    assert (done.code, done.out) == (2, "")
    assert "error[AFS0020]: `known.json` is no baseline" in done.err


def test_a_missing_baseline_is_refused(known: Path, cli: Cli) -> None:
    assert known.exists()
    done = cli("check", "--baseline", "knwon.json")
    assert done.code == 2
    assert "did you mean `known.json`?" in done.err
