"""``astrafs init``: a small project with sample data, so that every command has something to work
on.
"""

from __future__ import annotations

import random
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from astrafs.cli import console
from astrafs.cli.output import replace_file
from astrafs.config import FILE_NAME
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.excerpt import Style
from astrafs.refusals import refusal

PROJECT = """\
# The project file. `astrafs explain AFS0951` lists everything that may stand here.

[project]
name = "{name}"

# Directories under which sources may be read; without this line, the project itself.
# roots = ["data"]

# Read other files in another environment: `astrafs backfill ... --env prod`
# [env.prod.sources."shop.orders"]
# format = "parquet"
# paths = ["/lake/orders/*.parquet"]
"""

PROGRAM = """\
# One file is one module: this is `shop`.
owner "you@example.com"

## A customer of the shop.
entity Customer { customer_id: int }

## Orders, one row each.
source orders
  from csv("data/orders.csv")
  key  order_id
  time ordered_at
{
  order_id:    int
  customer_id: Customer
  amount:      decimal(10, 2)
  returned:    bool settles 30d  # decided within 30 days, so not to be trusted before
  ordered_at:  timestamp

  expect amount >= 0
}

features for Customer from orders {
  for w in [7d, 30d] {
    ## Orders in the past {w}.
    orders_{w}: int = count() over w
    ## Amount ordered in the past {w}.
    spent_{w}: decimal(38, 2) = sum(amount) over w
  }
  ## Amount of the latest order.
  last_amount: decimal(10, 2)? = last(amount) over all
  ## Share of orders returned, over the 60 days that are settled.
  return_share: float? = mean(if returned then 1.0 else 0.0) over 60d offset 30d
}

features for Customer {
  ## Share of the month's spending that fell into the past week.
  recent_share: float? = spent_7d / spent_30d
}

## What a model about customers is given.
view customer_vector for Customer {
  orders_7d
  orders_30d
  spent_30d
  last_amount
  recent_share
  return_share
}
"""

AS_OF = "2026-04-01"
IGNORE = "out/\n*.parquet\n*.manifest.json\n"


@console.command
def run(
    directory: Annotated[str, typer.Argument(help="Where to write; created if missing.")] = ".",
) -> int:
    """Write a small working project with sample data."""
    root = Path(directory)
    files = {
        FILE_NAME: PROJECT.format(name=_project_name(root)),
        "shop.afs": PROGRAM,
        "data/orders.csv": sample_orders(),
        "data/spine.csv": sample_spine(),
        ".gitignore": IGNORE,
    }
    _refuse_to_overwrite(root, files)
    try:
        (root / "data").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(f"`{root}` cannot be created", error) from None
    for name, text in files.items():
        if name != ".gitignore" or not (root / name).exists():
            replace_file(root / name, text)
    console.write(_next_steps(directory, tuple(files)))
    return console.OK


def _project_name(root: Path) -> str:
    name = "".join(one for one in root.resolve().name if one.isalnum() or one in "-_. ")
    return name or "project"


def _refuse_to_overwrite(root: Path, files: dict[str, str]) -> None:
    if root.exists() and not root.is_dir():
        raise AstrafsError(codes.NOT_EMPTY.nowhere(f"`{root}` is a file, not a directory"))
    there = [name for name in files if name != ".gitignore" and (root / name).exists()]
    if there:
        listed = ", ".join(f"`{name}`" for name in there)
        raise AstrafsError(
            codes.NOT_EMPTY.nowhere(
                f"{listed} already {'exist' if len(there) > 1 else 'exists'} in `{root}`"
            )
            .note("`astrafs init` never overwrites a file")
            .help("name another directory: `astrafs init DIR`")
        )


def _next_steps(directory: str, names: tuple[str, ...]) -> str:
    bold = console.styled("Next steps", Style.BOLD, sys.stdout)
    where = "this directory" if directory == "." else f"`{directory}`"
    steps = [] if directory == "." else [f"cd {shlex.quote(directory)}"]
    steps += [
        "astrafs check",
        "astrafs compile --emit sql --view customer_vector",
        "astrafs backfill customer_vector --spine data/spine.csv "
        f"--as-of {AS_OF} -o customers.parquet",
    ]
    lines = [
        f"Wrote {', '.join(names)} to {where}.",
        "",
        f"{bold}:",
        *(f"  {step}" for step in steps),
        "",
        "Then delete `offset 30d` in shop.afs and check again: the compiler shows why it is there.",
    ]
    return "\n".join(lines) + "\n"


def sample_orders() -> str:
    """Return the sample orders as CSV: 120 rows of 12 customers in the first quarter of 2026."""
    draw = random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = []
    for _ in range(120):
        at = start + timedelta(minutes=draw.randrange(90 * 24 * 60))
        amount = f"{draw.randrange(500, 20_000) / 100:.2f}"
        returned = "true" if draw.random() < 0.15 else "false"
        rows.append((at, draw.randrange(1, 13), amount, returned))
    lines = ["order_id,customer_id,amount,returned,ordered_at"]
    for number, (at, customer, amount, returned) in enumerate(sorted(rows), 1):
        lines.append(f"{number},{customer},{amount},{returned},{at:%Y-%m-%dT%H:%M:%SZ}")
    return "\n".join(lines) + "\n"


def sample_spine() -> str:
    """Return sample questions as CSV: each customer on the first of three months of 2026."""
    lines = ["customer_id,t"]
    for month in (2, 3, 4):
        at = datetime(2026, month, 1, tzinfo=UTC)
        lines += [f"{customer},{at:%Y-%m-%dT%H:%M:%SZ}" for customer in range(1, 13)]
    return "\n".join(lines) + "\n"
