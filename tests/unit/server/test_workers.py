"""Several processes: one that ends again and again is given up, and exit codes are passed on."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, time
from astrafs.diagnostics.model import AstrafsError
from astrafs.server.workers import Workers

def body(ready, lifeline):
    {body}

try:
    gone = []
    code = Workers(2, body, 1.0).run(lambda: print("ready", flush=True), gone.append)
    print("code", code)
except AstrafsError as error:
    print(error.diagnostics[0].code.id, len(gone) > 3)
"""


def run(body: str) -> list[str]:
    """Run two processes of ``body``; a process of its own, which has no threads, forks them."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()


def test_what_ends_at_once_again_and_again_is_given_up() -> None:
    assert run("ready(); return 1") == ["ready", "AFS1124 True"]


def test_what_never_serves_is_not_started_again() -> None:
    assert run("return 3") == ["code 3"]
    assert run("raise ValueError") == ["code 70"]


def test_what_does_not_end_in_time_is_ended() -> None:
    body = """import os, signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready()
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(600)"""
    assert run(body) == ["ready", "code 1"]
