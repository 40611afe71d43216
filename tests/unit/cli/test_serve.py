"""``astrafs serve`` where it refuses to start, and ``astrafs token``."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server_process import write_project
from tests.unit.cli.conftest import Cli


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The shop, without a store."""
    return write_project(tmp_path / "shop")


def test_beyond_this_machine_it_needs_tokens(cli: Cli, project: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org", ""):
        ended = cli("serve", project, "--host", host, "--port", "0")
        assert (ended.code, "AFS1120" in ended.err, ended.out) == (2, True, "")
        assert "astrafs token NAME" in ended.err


def test_a_port_that_is_taken(cli: Cli, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cli("serve", project, "--port", str(port))
    assert (ended.code, "AFS1122" in ended.err) == (2, True)
    assert f"127.0.0.1:{port}: address already in use" in ended.err


def test_what_is_missing(cli: Cli, project: Path, tmp_path: Path) -> None:
    ended = cli("serve", project, "--port", "0")
    assert (ended.code, "AFS1001" in ended.err) == (1, True)
    ended = cli("serve", project, "--port", "0", "--tokens", tmp_path / "nothing")
    assert (ended.code, "AFS1121" in ended.err) == (1, True)
    ended = cli("serve", tmp_path / "nowhere")
    assert (ended.code, "AFS0011" in ended.err) == (2, True)


def test_without_a_store_no_process_of_several_starts(project: Path) -> None:
    command = [sys.executable, "-m", "astrafs", "serve", project, "--port", "0", "--workers", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr.count("AFS1001")) == (1, 1)


def test_settings_out_of_range(cli: Cli, project: Path) -> None:
    ended = cli("serve", project, "--max-batch", "0")
    assert ended.code == 2
    assert "`--max-batch` must be from 1 to 1,000,000, and 0 is not" in ended.err
    assert cli("serve", project, "--port", "70000").code == 2
    assert cli("serve", project, "--access-log", "xml").code == 2


def test_a_program_with_mistakes(cli: Cli, project: Path) -> None:
    (project / "shop.afs").write_text("view x for y {}")
    ended = cli("serve", project)
    assert (ended.code, "shop.afs:1:12" in ended.err) == (1, True)


def test_without_the_libraries(cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else real(name)
    )
    ended = cli("serve", project)
    assert (ended.code, "AFS1123" in ended.err) == (1, True)
    assert 'pip install "astrafs[serve]"' in ended.err


def test_a_token_is_printed_once_and_kept_as_a_hash(
    cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    ended = cli("token", "pipeline", "--scope", "write", "--scope", "read")
    token = ended.out.strip()
    assert ended.code == 0 and token.startswith("afs_") and token not in ended.err
    (line,) = (project / ".astrafs" / "tokens").read_text().splitlines()
    assert line.startswith("pipeline read,write ") and token not in line
    assert cli("token", "reader").code == 0
    assert "reader read " in (project / ".astrafs" / "tokens").read_text()
    (project / "astrafs.toml").write_text('[serve]\ntokens = "keys/who"\n')
    assert cli("token", "third").code == 0
    assert (project / "keys" / "who").read_text().startswith("third read ")
    ended = cli("token", "a b")
    assert (ended.code, ended.out, "AFS1121" in ended.err) == (1, "", True)
    assert cli("token", "x", "--scope", "admin").code == 2
