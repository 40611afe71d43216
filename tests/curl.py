"""Running the ``curl`` commands of documentation and messages, on machines without ``curl`` too."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import urllib.error
import urllib.request


def curl(command: str) -> str:
    """Return what ``curl URL [-H HEADER] [-d BODY] [| python3 -c CODE]`` prints."""
    words = shlex.split(command.replace("\\\n", " "))
    behind: list[str] = []
    if "|" in words:
        at = words.index("|")
        words, behind = words[:at], words[at + 1 :]
    program, url, *options = words
    assert program == "curl", command
    headers: dict[str, str] = {}
    data = None
    for name, value in zip(options[::2], options[1::2], strict=True):
        if name == "-H":
            header, _, text = value.partition(":")
            headers[header] = text.strip()
        else:
            assert name == "-d", command
            data = value.encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode()
    if behind:
        assert behind[:2] == ["python3", "-c"], command
        done = subprocess.run(
            [sys.executable, *behind[1:]], input=text, capture_output=True, text=True, check=True
        )
        text = done.stdout
    json.loads(text)
    return text
