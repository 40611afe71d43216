"""Requests that ``schemathesis`` makes of the server's OpenAPI document, good ones and bad ones.

    python -m tests.abuse.openapi_requests [--requests N] [--seed S]

No answer may be a 5xx; each must have a status, a media type and a form that the document says;
what breaks the document must be refused. Exits with 1 otherwise. The server counts the requests.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.server_process import ServerProcess, make_store, write_project

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
"""All but the one that valid data is always taken: a row may be one that is there already."""
SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = [400, 404, 405, 406, 411, 413, 415, 417, 422]
"""
MOST_EXAMPLES = 1_000


def main() -> int:
    """Send requests until there were enough, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="astrafs-requests-") as folder:
        # Small batches: otherwise most of the time goes into bodies that are one row too long.
        project = write_project(Path(folder) / "shop", "max_batch = 20")
        make_store(project, 20)
        (Path(folder) / "schemathesis.toml").write_text(SETTINGS)
        with ServerProcess(project, "--access-log", "off") as server:
            seed, sent, before = options.seed, 0, server.memory()
            while sent < options.requests:
                if _run(server, Path(folder), seed, options.requests - sent):
                    return 1
                seed += 1
                sent = _requests(server)
                sys.stdout.write(f"{sent:,} requests\n")
                sys.stdout.flush()
            faults = {name: n for name, n in server.numbers().items() if 'status="5' in name}
            grown = (server.memory() - before) / (1 << 20)
            sys.stdout.write(f"5xx: {faults or 'none'}; memory grew by {grown:.0f} MiB\n")
            return 1 if faults or "failed" in server.output else 0


def _requests(server: ServerProcess) -> int:
    numbers = server.numbers()
    return int(sum(n for name, n in numbers.items() if "astrafs_http_requests_total" in name))


def _run(server: ServerProcess, folder: Path, seed: int, left: int) -> int:
    """Run schemathesis once; return its exit code, after printing what it found."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{server.url}/openapi.json",
            "--checks",
            ",".join(CHECKS),
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            str(min(MOST_EXAMPLES, left)),
            "--seed",
            str(seed),
            "--generation-database",
            "none",
            "--continue-on-failure",
            "--workers",
            "2",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            "--no-color",
        ],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        sys.stdout.write("".join(line[:2_000] for line in done.stdout.splitlines(keepends=True)))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
