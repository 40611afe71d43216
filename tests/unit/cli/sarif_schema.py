"""What SARIF 2.1.0 asks of the parts that AstraFS writes, as a JSON schema, and its validator.

It is our subset of the standard's schema: every object here is closed as it is there, so that a
misspelt property is found, and the properties that we never write are left out.
"""

from __future__ import annotations

import re
from typing import Any

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_INDEX = {"type": "integer", "minimum": -1}


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": {**properties, "properties": {"type": "object"}},
    }


def _list(of: Any, least: int = 0, *, unique: bool = False) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least, "uniqueItems": unique}


_MESSAGE = _object("text", text=_TEXT, markdown=_TEXT)
_ARTIFACT = _object(uri={"type": "string", "pattern": r"^[^\s\\\"<>^`{|}]*$"}, uriBaseId=_TEXT)
_REGION = _object(startLine=_COUNT, startColumn=_COUNT, endLine=_COUNT, endColumn=_COUNT)
_LOCATION = _object(
    id=_INDEX,
    physicalLocation=_object(artifactLocation=_ARTIFACT, region=_REGION),
    message=_MESSAGE,
)
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_REPLACEMENT = _object("deletedRegion", deletedRegion=_REGION, insertedContent=_object(text=_TEXT))
_CHANGE = _object(
    "artifactLocation replacements",
    artifactLocation=_ARTIFACT,
    replacements=_list(_REPLACEMENT, 1),
)
_RESULT = _object(
    "message",
    ruleId=_TEXT,
    ruleIndex=_INDEX,
    level=_LEVEL,
    message=_MESSAGE,
    locations=_list(_LOCATION),
    relatedLocations=_list(_LOCATION, unique=True),
    partialFingerprints={"type": "object", "additionalProperties": _TEXT},
    fixes=_list(
        _object("artifactChanges", description=_MESSAGE, artifactChanges=_list(_CHANGE, 1)),
        unique=True,
    ),
)
_RULE = _object(
    "id",
    id=_TEXT,
    shortDescription=_MESSAGE,
    fullDescription=_MESSAGE,
    help=_MESSAGE,
    defaultConfiguration=_object(level=_LEVEL),
)
_DRIVER = _object("name", name=_TEXT, version=_TEXT, rules=_list(_RULE, unique=True))
_RUN = _object(
    "tool",
    tool=_object("driver", driver=_DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=_list(_RESULT),
)
LOG = {
    **_object("version runs", version={"enum": ["2.1.0"]}, runs=_list(_RUN), **{"$schema": _TEXT})
}

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
}


def problems(value: Any, schema: dict[str, Any] = LOG, at: str = "$") -> list[str]:
    """Return where ``value`` does not fit ``schema``; empty if it does."""
    wanted = _TYPES.get(schema.get("type", ""))
    if wanted is not None and not isinstance(value, wanted):
        return [f"{at} is no {schema['type']}"]
    found: list[str] = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at} is {value!r}")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{at} is {value}")
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        found.append(f"{at} is {value!r}")
    if isinstance(value, list):
        if len(value) < schema["minItems"]:
            found.append(f"{at} is too short")
        if schema["uniqueItems"] and any(one in value[:n] for n, one in enumerate(value)):
            found.append(f"{at} holds something twice")
        for number, one in enumerate(value):
            found += problems(one, schema["items"], f"{at}[{number}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{at} lacks {name}" for name in schema.get("required", ()) if name not in value]
        for name, one in value.items():
            other = schema.get("additionalProperties", True)
            if name in known:
                found += problems(one, known[name], f"{at}.{name}")
            elif other is False:
                found.append(f"{at} has an unknown {name}")
            elif isinstance(other, dict):
                found += problems(one, other, f"{at}.{name}")
    return found
