"""``python -m astrafs``."""

from __future__ import annotations

from astrafs.cli.entry import main

main()
