"""The program ``astrafs``: loads the command line, and answers Ctrl-C and SIGTERM even while it
loads.
"""

from __future__ import annotations

import sys

from astrafs.cli import imports, signals


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        signals.install()
        imports.leave_out_pandas()
        from astrafs.cli.running import main as run

        run()
    except (Exception, KeyboardInterrupt) as error:
        if not signals.behind(error):
            raise
        sys.stderr.write("\ninterrupted; nothing was written\n")
        sys.exit(signals.stopped())
