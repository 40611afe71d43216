"""The program ``astrafs``: loads the command line, and answers Ctrl-C even while it loads."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from astrafs.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; nothing was written\n")
        sys.exit(130)
