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

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="The online store: a directory or redis://...; else that of astrafs.toml, else "
        ".astrafs/online.",
    ),
]
