"""The wheel alone: built, installed into an empty environment, used outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIBRARIES = sysconfig.get_paths()["purelib"]


def run(*command: str | Path, cwd: Path) -> str:
    """Run ``command`` in ``cwd``, without the checkout on its path; fail with its output."""
    names = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment["NO_COLOR"] = "1"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, with the build backend that is installed."""
    target = tmp_path_factory.mktemp("wheel")
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, ROOT),
        cwd=target,
    )
    (made,) = target.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a new environment and return the directory of its commands.

    The libraries that it depends on are lent by this environment, so that no network is needed;
    they come behind the new environment's own packages on the path.
    """
    home = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(home, with_pip=False)
    binaries = home / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / "python"
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--no-index", "--no-deps", wheel),
        cwd=home,
    )
    own = run(
        python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])", cwd=home
    ).strip()
    (Path(own) / "zz_lent.pth").write_text(f"{LIBRARIES}\n")
    where = run(python, "-c", "import astrafs; print(astrafs.__file__)", cwd=home).strip()
    assert Path(where).is_relative_to(home)
    return binaries


def test_the_wheel_carries_what_it_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "astrafs/_grammar/astrafs.lark" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "astrafs/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "features/", "grammar/"))]


def test_a_project_from_init_to_backfill(installed: Path, tmp_path: Path) -> None:
    astrafs = installed / "astrafs"
    assert run(astrafs, "--version", cwd=tmp_path).startswith("astrafs ")
    steps = run(astrafs, "init", "shop", cwd=tmp_path)
    project = tmp_path / "shop"
    assert "ok: 1 file" in run(astrafs, "check", cwd=project)
    sql = run(astrafs, "compile", "--emit", "sql", "--view", "customer_vector", cwd=project)
    assert "SELECT" in sql
    backfill = next(line.strip() for line in steps.splitlines() if "astrafs backfill" in line)
    told = run(astrafs, *backfill.split()[1:], cwd=project)
    assert "36 rows" in told
    assert (project / "customers.parquet").exists()
    assert (project / "customers.parquet.manifest.json").exists()


def test_the_flights_demo(installed: Path, tmp_path: Path) -> None:
    astrafs = installed / "astrafs"
    project = tmp_path / "flights"
    shutil.copytree(
        ROOT / "features" / "flights", project, ignore=shutil.ignore_patterns("data", "out")
    )
    run(installed / "python", "prepare.py", cwd=project)
    assert "ok: 10 files" in run(astrafs, "check", cwd=project)
    told = run(
        *(astrafs, "backfill", "departure_delay", "--spine", "data/spine.parquet"),
        *("--as-of", "2014-02-01", "--limit", "500", "-o", "out.parquet"),
        cwd=project,
    )
    assert "500 rows" in told
    assert (project / "out.parquet").exists()
