"""Diagnostics as SARIF 2.1.0, which code-scanning services read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from astrafs._version import __version__
from astrafs.diagnostics.model import Diagnostic, Fix, Label
from astrafs.source import SourceFile, Span

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"


def render(diagnostics: Sequence[Diagnostic], files: Mapping[str, SourceFile]) -> str:
    """Return a SARIF log with one run; rules are the codes that occur."""
    codes = {found.code.id: found.code for found in diagnostics}
    order = sorted(codes)
    rules = [
        {
            "id": name,
            "shortDescription": {"text": codes[name].title},
            "fullDescription": {"text": codes[name].explain.strip() or codes[name].title},
            "defaultConfiguration": {"level": str(codes[name].severity)},
        }
        for name in order
    ]
    seen: dict[str, int] = {}
    results = [_result(found, files, order, seen) for found in diagnostics]
    driver = {"name": "AstraFS", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(
    found: Diagnostic, files: Mapping[str, SourceFile], order: list[str], seen: dict[str, int]
) -> dict[str, Any]:
    lines = [found.title]
    if found.primary is not None and found.primary.text:
        lines.append(found.primary.text)
    lines += [*found.notes, *found.helps]
    result: dict[str, Any] = {
        "ruleId": found.code.id,
        "ruleIndex": order.index(found.code.id),
        "level": str(found.code.severity),
        "message": {"text": "\n".join(lines)},
        "partialFingerprints": {"astrafs/v1": _fingerprint(found, files, seen)},
    }
    if found.primary is not None:
        result["locations"] = [_location(found.primary, files)]
    if found.labels:
        result["relatedLocations"] = [
            {"id": number, **_location(label, files)} for number, label in enumerate(found.labels)
        ]
    if found.fixes:
        result["fixes"] = [_fix(fix, files) for fix in found.fixes]
    return result


def _location(label: Label, files: Mapping[str, SourceFile]) -> dict[str, Any]:
    location: dict[str, Any] = {"physicalLocation": _physical(label.span, files)}
    if label.text:
        location["message"] = {"text": label.text}
    return location


def _physical(span: Span, files: Mapping[str, SourceFile]) -> dict[str, Any]:
    found: dict[str, Any] = {"artifactLocation": {"uri": quote(span.path)}}
    file = files.get(span.path)
    if file is not None:
        found["region"] = _region(span, file)
    return found


def _region(span: Span, file: SourceFile) -> dict[str, int]:
    start = file.position(min(span.start, len(file.text)))
    end = file.position(min(span.end, len(file.text)))
    return {
        "startLine": start[0],
        "startColumn": start[1],
        "endLine": end[0],
        "endColumn": end[1],
    }


def _fix(fix: Fix, files: Mapping[str, SourceFile]) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        file = files.get(edit.span.path)
        if file is not None:
            changes.setdefault(edit.span.path, []).append(
                {
                    "deletedRegion": _region(edit.span, file),
                    "insertedContent": {"text": edit.text},
                }
            )
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {"artifactLocation": {"uri": quote(path)}, "replacements": replacements}
            for path, replacements in changes.items()
        ],
    }


def _fingerprint(found: Diagnostic, files: Mapping[str, SourceFile], seen: dict[str, int]) -> str:
    """Name the result by code, path and the text of its line, so that it survives moves within the
    file.
    """
    parts = [found.code.id, found.title]
    if found.primary is not None:
        span = found.primary.span
        parts.append(span.path)
        file = files.get(span.path)
        if file is not None:
            line = file.position(min(span.start, len(file.text)))[0]
            parts.append(file.line_text(line).strip())
    key = "\0".join(parts)
    seen[key] = seen.get(key, 0) + 1
    return hashlib.sha256(f"{key}\0{seen[key]}".encode()).hexdigest()[:32]
