"""Diagnostics as SARIF 2.1.0, which code-scanning services read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from astrafs._version import __version__
from astrafs.diagnostics.model import Code, Diagnostic, Fix, Label
from astrafs.diagnostics.render.fingerprint import Fingerprints
from astrafs.source import SourceFile, Span

PAGES = "docs/codes"
"""Where the page of each code stands in the project's repository."""

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"


def render(diagnostics: Sequence[Diagnostic], files: Mapping[str, SourceFile]) -> str:
    """Return a SARIF log with one run; rules are the codes that occur."""
    codes = {found.code.id: found.code for found in diagnostics}
    order = sorted(codes)
    names = Fingerprints(files)
    results = [_result(found, files, order, names) for found in diagnostics]
    driver = {
        "name": "AstraFS",
        "version": __version__,
        "rules": [_rule(codes[name]) for name in order],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: Code) -> dict[str, Any]:
    # `helpUri` would have to be absolute, so that the page is a link in `help`, and a property.
    page = f"{PAGES}/{code.id}.md"
    text = code.explain.strip() or code.title
    return {
        "id": code.id,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": text},
        "help": {"text": text, "markdown": f"{text}\n\n[{code.id} with examples]({page})"},
        "defaultConfiguration": {"level": str(code.severity)},
        "properties": {"docs": page},
    }


def _result(
    found: Diagnostic, files: Mapping[str, SourceFile], order: list[str], names: Fingerprints
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
        "partialFingerprints": {"astrafs/v1": names.of(found)},
    }
    if found.primary is not None:
        result["locations"] = [_location(found.primary, files)]
    if found.labels:
        result["relatedLocations"] = [
            {"id": number, **_location(label, files)} for number, label in enumerate(found.labels)
        ]
    fixes = [_fix(fix, files) for fix in found.fixes if _is_shown(fix, files)]
    if fixes:
        result["fixes"] = fixes
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


def _is_shown(fix: Fix, files: Mapping[str, SourceFile]) -> bool:
    return bool(fix.edits) and all(edit.span.path in files for edit in fix.edits)


def _fix(fix: Fix, files: Mapping[str, SourceFile]) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        changes.setdefault(edit.span.path, []).append(
            {
                "deletedRegion": _region(edit.span, files[edit.span.path]),
                "insertedContent": {"text": edit.text},
            }
        )
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {"artifactLocation": {"uri": quote(path)}, "replacements": replacements}
            for path, replacements in changes.items()
        ],
        "properties": {"safe": fix.safe},
    }
