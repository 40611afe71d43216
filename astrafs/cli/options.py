"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

EnvOption = Annotated[
    str | None,
    typer.Option(
        "--env", metavar="NAME", help="Use the sources of this environment in astrafs.toml."
    ),
]
