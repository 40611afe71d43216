"""``astrafs plan`` on a generated project of 1,000 features with a lock, in new processes.

Run ``python -m tests.bench.plan_scale [--runs N]``. The named alternative in the same run is
``astrafs check --no-cache`` of the same project: what compiling it costs alone.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.bench.check_scale import FEATURES, write_project
from tests.bench.measure import ASTRAFS, middle, report, run

LIMIT = 2.0
"""Seconds for a plan that finds nothing changed."""

EDITS = {
    "one window": ("m1.afs", "over 1h\n", "over 2h\n"),
    "one stream, 25 features": ("m1.afs", 'status == "approved" {', 'status != "reversed" {'),
    "the source of all": ("shared.afs", "  known seen_at\n", "  delay 5m\n"),
}
"""Changes as (file, before, after)."""


def main() -> None:
    """Measure and print; fail where the limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        lines = write_project(root, FEATURES)
        (root / "astrafs.toml").write_text("", encoding="utf-8")
        check = middle((*ASTRAFS, "check", "--no-cache", str(root)), runs=runs)
        rows.append((f"check, {FEATURES} features, {lines} lines", f"{check.seconds:.3f} s"))
        first = run((*ASTRAFS, "apply", "--yes", str(root)))
        rows.append(("apply, all new", f"{first.seconds:.3f} s"))
        same = middle((*ASTRAFS, "plan", str(root)), runs=runs)
        text = (
            f"{same.seconds:.3f} s ({same.processor:.3f} s of a processor), {same.megabytes:.0f} MB"
        )
        rows.append(("plan, nothing changed", text))
        for name, (file, before, after) in EDITS.items():
            path = root / file
            good = path.read_text("utf-8")
            path.write_text(good.replace(before, after, 1), encoding="utf-8")
            changed = middle((*ASTRAFS, "plan", str(root)), runs=runs)
            rows.append((f"plan, changed: {name}", f"{changed.seconds:.3f} s"))
            path.write_text(good, encoding="utf-8")
    report("astrafs plan, whole process, wall time", rows)
    if same.seconds > LIMIT:
        raise SystemExit(f"more than {LIMIT} s")


if __name__ == "__main__":
    main()
