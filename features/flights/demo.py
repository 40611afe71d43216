"""The demo: real flights, one command after the other, as a user would type them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

PROJECT = Path(__file__).resolve().parent
ROOT = PROJECT.parent.parent
OUT = PROJECT / "out"
AS_OF = "2014-02-01"
VIEW = "departure_delay"
SAMPLE = 3


def say(text: str = "") -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(*command: str) -> float:
    """Show and run a command of this project; return its seconds, or leave with its exit code."""
    say(f"\n$ {' '.join(command)}")
    module = ["-m"] if command[0] == "astrafs" else []
    arguments = command if module else command[1:]
    began = time.perf_counter()
    code = subprocess.run([sys.executable, *module, *arguments], cwd=ROOT, check=False).returncode
    if code:
        raise SystemExit(code)
    return time.perf_counter() - began


def sample(path: Path) -> None:
    """Print some rows of the result, a column of figures each."""
    table = pq.read_table(path)
    step = max(1, table.num_rows // (SAMPLE + 1))
    rows = table.take([step * (n + 1) for n in range(SAMPLE)]).to_pylist()
    width = max(len(name) for name in table.column_names)
    for name in table.column_names:
        cells = [cell(row[name]) for row in rows]
        say(f"  {name:<{width}}  " + "  ".join(f"{one:>25}" for one in cells))


def cell(value: object) -> str:
    """Return a value in at most 25 characters."""
    if value is None:
        return "-"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 25 else f"{text[:22]}..."


def main() -> None:
    """Prepare the data, check, show the proof and the SQL, backfill, show a sample."""
    project = PROJECT.relative_to(ROOT).as_posix()
    out = OUT.relative_to(ROOT).as_posix()
    OUT.mkdir(exist_ok=True)
    run("python", f"{project}/prepare.py")
    checked = run("astrafs", "check", project)
    run("astrafs", "compile", project, "--emit", "plan", "-o", f"{out}/plan.txt")
    run(
        *("astrafs", "compile", project, "--emit", "sql", "--view", VIEW),
        *("-o", f"{out}/{VIEW}.sql"),
    )
    seconds = run(
        *("astrafs", "backfill", VIEW, "--project", project),
        *("--spine", f"{project}/data/spine.parquet", "--as-of", AS_OF),
        *("-o", f"{out}/{VIEW}.parquet"),
    )
    result = pq.read_metadata(OUT / f"{VIEW}.parquet")
    rows = result.num_rows
    features = result.num_columns - pq.read_metadata(PROJECT / "data/spine.parquet").num_columns
    say(f"\n{SAMPLE} of the {rows:,} rows:\n")
    sample(OUT / f"{VIEW}.parquet")
    say()
    say(f"Backfilled {rows:,} flights x {features} features in {seconds:.1f} s.")
    say(f"The program ({checked:.1f} s to check) is in {project}/*.afs.")
    say(f"What was made is in {out}/: the result and its manifest, the plan, the SQL.")


if __name__ == "__main__":
    main()
