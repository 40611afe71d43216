"""``astrafs check`` as a program: exit codes, standard input, colours, levels, counterexamples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.source import SourceFile
from astrafs.syntax import ast
from astrafs.syntax.parse import parse_module
from tests.unit.cli.conftest import Cli

RIGHT = """owner "shop"

entity User { user_id: int }

## Payments.
source payments from parquet("p/*.parquet") key id time at {
  id: string
  user_id: User
  amount: float
  late: bool settles 60d
  at: timestamp
}

features for User from payments {
  ## Late ones.
  late_7d: int = count(where late) over 7d offset 60d
}
"""
LEAK = RIGHT.replace(" offset 60d", "")
WARNED = RIGHT + "## Nothing follows.\n"


def astrafs(
    *arguments: str, cwd: Path, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``astrafs ARGUMENTS`` as a process of its own."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")
    }
    return subprocess.run(
        [sys.executable, "-m", "astrafs", *arguments],
        cwd=cwd,
        input=given,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one file, ``shop.afs``, without problems; the working directory."""
    (tmp_path / "astrafs.toml").write_text("")
    (tmp_path / "shop.afs").write_text(RIGHT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- exit codes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (RIGHT, (), 0),
        (WARNED, (), 0),
        (LEAK, (), 1),
        (WARNED, ("--deny", "warnings"), 1),
        (WARNED, ("--allow", "AFS0142", "--deny", "warnings"), 0),
        (RIGHT, ("--no-such-option",), 2),
        (RIGHT, ("--deny", "AFS9999"), 2),
        (RIGHT, ("--allow", "AFS0502"), 2),
        (RIGHT, ("elsewhere",), 2),
        (RIGHT, ("--format", "xml"), 2),
    ],
)
def test_exit_codes(project: Path, text: str, arguments: tuple[str, ...], code: int) -> None:
    (project / "shop.afs").write_text(text)
    done = astrafs("check", *arguments, cwd=project)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_an_internal_error_is_70(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("astrafs.cli.fix.known_codes", fail)
    assert project.exists()
    assert cli("fix").code == 70


# --- standard input and colours --------------------------------------------------------------


def test_standard_input_is_checked(project: Path) -> None:
    done = astrafs("check", "-", "--format", "concise", cwd=project, given=LEAK)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("stdin.afs:16:41: error[AFS0502]")
    assert astrafs("check", "-", cwd=project, given=RIGHT).returncode == 0


def test_standard_input_stands_in_for_a_file(project: Path) -> None:
    arguments = ("check", "-", "--stdin-name", "shop.afs", "-f", "concise")
    done = astrafs(*arguments, cwd=project, given=LEAK)
    assert (done.returncode, done.stdout[:14]) == (1, "shop.afs:16:41")


@pytest.mark.parametrize(
    ("arguments", "environment", "coloured"),
    [
        ((), {}, False),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ((), {"FORCE_COLOR": "1", "TERM": "dumb"}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours(
    project: Path, arguments: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    (project / "shop.afs").write_text(LEAK)
    done = astrafs(*arguments, "check", cwd=project, **environment)
    assert ("\x1b[" in done.stdout) == coloured


# --- levels of the project -------------------------------------------------------------------


def test_levels_come_from_the_project_file_and_options_win(project: Path, cli: Cli) -> None:
    (project / "shop.afs").write_text(WARNED)
    toml = project / "astrafs.toml"
    toml.write_text('[diagnostics]\ndeny = ["AFS0142"]\n')
    assert cli("check").code == 1
    assert cli("check", "--warn", "AFS0142").code == 0
    toml.write_text('[diagnostics]\nallow = ["AFS0142"]\n')
    assert "AFS0142" not in cli("check").out
    assert cli("check", "--deny", "AFS0142").code == 1


@pytest.mark.parametrize(
    ("text", "code", "advice"),
    [
        ('[diagnostics]\ndney = ["warnings"]\n', "AFS0951", "did you mean `deny`?"),
        ('[diagnostic]\ndeny = ["warnings"]\n', "AFS0951", "did you mean `diagnostics`?"),
        ('[diagnostics]\ndeny = ["AFS0l42"]\n', "AFS0953", "did you mean `AFS0142`?"),
        ('[diagnostics]\nallow = ["AFS0502"]\n', "AFS0954", ""),
    ],
)
def test_mistakes_in_levels_are_errors(
    project: Path, cli: Cli, text: str, code: str, advice: str
) -> None:
    (project / "astrafs.toml").write_text(text)
    done = cli("check")
    assert done.code == 1
    assert f"error[{code}]" in done.out
    assert advice in done.out


# --- forms -----------------------------------------------------------------------------------


def test_gitlab_and_junit_are_documents(project: Path, cli: Cli) -> None:
    (project / "shop.afs").write_text(LEAK)
    report = cli("check", "--format", "gitlab")
    assert [issue["check_name"] for issue in json.loads(report.out)] == ["AFS0502"]
    suites = ElementTree.fromstring(cli("check", "--format", "junit").out)
    assert suites.get("failures") == "1"
    (project / "shop.afs").write_text(RIGHT)
    assert json.loads(cli("check", "--format", "gitlab").out) == []
    suites = ElementTree.fromstring(cli("check", "--format", "junit").out)
    assert (suites.get("tests"), suites.get("failures")) == ("2", "0")


# --- counterexamples -------------------------------------------------------------------------


def test_a_counterexample_is_saved_as_a_test(project: Path, cli: Cli) -> None:
    (project / "shop.afs").write_text(LEAK)
    saved = project / "leaks.afs"
    done = cli("check", "--save-counterexample", saved)
    assert (done.code, done.err) == (1, f"wrote {saved}: 1 test\n")
    assert saved.read_text() == (
        "use shop.{User, payments}\n\n"
        'test "User.late_7d reads late before it has settled" {\n'
        "  payments {\n"
        '    { id: "row 1", user_id: 10, amount: 10.0, late: false, at: 2025-12-27T00:00:00Z }\n'
        '    { id: "row 2", user_id: 10, amount: 10.0, late: true, at: 2025-12-29T00:00:00Z }\n'
        "  }\n"
        "  # count(where late) over 7d is 0 when served, 1 in the training set\n"
        "  expect User[10].late_7d at 2026-01-01T00:00:00Z == 0\n"
        "}\n"
    )
    assert cli("check", "-f", "concise").out.count("\n") == 1  # the leak, and none in the test
    (project / "shop.afs").write_text(RIGHT)
    assert cli("check").code == 0


def test_a_saved_map_is_one_that_a_program_can_write(project: Path, cli: Cli) -> None:
    leak = LEAK.replace("late: ", "raw: bytes  late: ").replace(
        "count(where late)", "sum(amount) by late"
    )
    leak = leak.replace("late_7d: int", "late_7d: map[bool, float]")
    (project / "shop.afs").write_text(leak)
    saved = project / "leaks.afs"
    assert cli("check", "--save-counterexample", saved).code == 1
    text = saved.read_text()
    assert "is {false: 20.0} when served, {false: 10.0, true: 10.0} in the training set" in text
    assert "== map([false], [20.0])\n" in text
    assert "raw" not in text  # no literal is of the type bytes
    assert cli("check", "-f", "concise").out.count("\n") == 1


def test_nothing_is_written_without_a_leak(project: Path, cli: Cli) -> None:
    done = cli("check", "--save-counterexample", "leaks.afs")
    assert (done.code, done.err) == (0, "no leak with rows to show; leaks.afs is not written\n")
    assert not (project / "leaks.afs").exists()


def test_every_counterexample_of_the_codes_is_a_test(tmp_path: Path, cli: Cli) -> None:
    from astrafs.diagnostics.codes import ALL
    from astrafs.diagnostics.examples import example_files

    saved = 0
    for code in (one for one in ALL.values() if one.id.startswith("AFS05") and one.bad):
        project = tmp_path / code.id
        project.mkdir()
        (project / "astrafs.toml").write_text("")
        for file in example_files(code.bad):
            (project / file.path).write_text(file.text)
        path = tmp_path / f"{code.id}.afs"
        cli("check", project, "--save-counterexample", path)
        if path.exists():
            sink = Sink()
            text = path.read_text()
            tree = parse_module(SourceFile("leaks.afs", text), "leaks", sink)
            assert list(sink) == [], text
            assert any(isinstance(one, ast.TestDecl) for one in tree.declarations)
            saved += 1
    assert saved >= 6
