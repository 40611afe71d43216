"""What shells are answered when the user presses Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from astrafs.cli import completing
from astrafs.diagnostics.codes import ALL
from tests.unit.cli.conftest import Cli

ROOT = Path(completing.__file__).parents[2]


def ask(shell: str, line: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Ask as ``shell`` does with the cursor behind ``line``."""
    words = line.split(" ")
    return subprocess.run(
        [sys.executable, "-m", "astrafs"],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_ASTRAFS_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            **more,
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def offered(line: str, cwd: Path) -> list[str]:
    """Return what bash is offered."""
    done = ask("bash", line, cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_shipped_table_is_current() -> None:
    assert completing.TABLE.read_text("utf-8") == completing.render_table(), (
        "run python -m astrafs.cli.completing"
    )


def test_commands(tmp_path: Path) -> None:
    assert offered("astrafs ch", tmp_path) == ["check"]
    assert {"backfill", "check", "explain"} <= set(offered("astrafs ", tmp_path))
    assert offered("astrafs nothing --", tmp_path) == []


def test_options_and_their_values(tmp_path: Path) -> None:
    assert "--format" in offered("astrafs check --f", tmp_path)
    assert offered("astrafs check --format j", tmp_path) == ["json", "junit"]
    assert offered("astrafs --color ", tmp_path) == ["auto", "always", "never"]
    assert offered("astrafs --color never ch", tmp_path) == ["check"]
    assert "--color" in offered("astrafs --c", tmp_path)


def test_codes(tmp_path: Path) -> None:
    wanted = [name for name in ALL if name.startswith("AFS05")]
    assert offered("astrafs explain AFS05", tmp_path) == wanted
    assert offered("astrafs check --deny AFS05", tmp_path) == wanted


def test_names_of_the_project(shop: Path, tmp_path: Path) -> None:
    assert offered("astrafs backfill cu", shop) == ["customer_vector"]
    assert offered(f"astrafs backfill --project {shop} cu", tmp_path) == ["customer_vector"]
    assert offered(f"astrafs backfill -p {shop} cu", tmp_path) == ["customer_vector"]


def test_features_made_by_templates_are_known_once_checked(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.afs").write_text(
        'owner "x@acme.test"\n## A user.\nentity User { user_id: int }\n'
        '## Rows.\nsource s from parquet("s.parquet") key id time at {\n'
        "  id: int\n  user_id: User\n  at: timestamp\n}\n"
        "features for User from s {\n  ## All.\n  rows: int = count() over all\n"
        "  for w in [1h, 7d] {\n    ## Some.\n    n_{w}: int = count() over w\n  }\n}\n",
        encoding="utf-8",
    )
    assert offered("astrafs explain User.", tmp_path) == ["User.rows"]
    assert cli("check", tmp_path).code == 0
    assert offered("astrafs explain User.", tmp_path) == ["User.n_1h", "User.n_7d", "User.rows"]
    (tmp_path / "a.afs").write_bytes(
        (tmp_path / "a.afs").read_bytes() + b"features for User { \xff"
    )
    assert offered("astrafs explain User.", tmp_path) == []


def test_zsh_gets_values_with_their_help(tmp_path: Path) -> None:
    done = ask("zsh", "astrafs fm", tmp_path)
    assert done.stdout.startswith('_arguments \'*: :(("fmt":"')
    assert ask("zsh", "astrafs check x", tmp_path).stdout == "_files\n"


def test_fish_gets_values_with_their_help(tmp_path: Path) -> None:
    assert ask("fish", "astrafs fm", tmp_path).stdout.startswith("fmt\t")
    assert (
        ask("fish", "astrafs fm", tmp_path, _TYPER_COMPLETE_FISH_ACTION="is-args").returncode == 0
    )
    missing = ask("fish", "astrafs check x", tmp_path, _TYPER_COMPLETE_FISH_ACTION="is-args")
    assert (missing.returncode, missing.stdout) == (1, "")


def test_a_question_that_makes_no_sense_is_not_answered(tmp_path: Path) -> None:
    done = ask("bash", "astrafs ch", tmp_path, COMP_CWORD="many")
    assert (done.stdout, done.stderr) == ("", "")
    assert offered('astrafs explain "AFS05', tmp_path) != []


def test_neither_the_compiler_nor_the_library_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom astrafs.cli.running import main\n"
        "try:\n    main([])\nexcept SystemExit:\n    pass\n"
        "print({'typer', 'astrafs.driver'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_ASTRAFS_COMPLETE": "complete_bash",
            "COMP_WORDS": "astrafs che",
            "COMP_CWORD": "1",
        },
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "check\nset()\n"


def test_the_script_for_bash_asks_and_offers(tmp_path: Path) -> None:
    """Run the script that ``--show-completion`` prints in a real shell, cursor behind `che`."""
    program = tmp_path / "astrafs"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m astrafs "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    shown = subprocess.run(
        [program, "--show-completion", "bash"],
        env=environment, capture_output=True, check=True, text=True,
    )  # fmt: skip
    script = (
        f"{shown.stdout}\nCOMP_WORDS=(astrafs che); COMP_CWORD=1\n"
        '_astrafs_completion astrafs\necho "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "check\n"
