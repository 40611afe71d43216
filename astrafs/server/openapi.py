"""The OpenAPI document (3.1): every view and source of the program with its exact schemas."""

from __future__ import annotations

from typing import Final

from astrafs._version import __version__
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import Code
from astrafs.online.schemas import SourceSchema, ViewSchema
from astrafs.online.service import Online
from astrafs.server import forms
from astrafs.server.bodies import ARROW, JSON, LINES
from astrafs.server.forms import Form
from astrafs.server.problems import CONTENT_TYPE, STATUSES
from astrafs.serving import Serving

_BODY_PROBLEMS: Final = (400, 404, 406, 408, 411, 413, 415, 417, 422, 429, 503)
_READ_PROBLEMS: Final = (400, 404, 406, 408, 503)
_ALWAYS: Final = (405, 414, 421, 431)
_BINARY: Final[Form] = {
    "type": "string",
    "format": "binary",
    "description": "An Arrow IPC stream, not compressed.",
}
_COUNT: Final[Form] = {"type": "integer", "minimum": 0}


def document(online: Online, settings: Serving, *, secured: bool) -> Form:
    """Return the document for the views and sources of ``online``."""
    views = [online.view_schema(name) for name in online.views]
    sources = [online.source_schema(one.name) for one in online.program.plan.sources]
    paths: Form = {}
    for view in views:
        paths[f"/views/{view.name}"] = {"post": _ask(view, settings)}
        paths[f"/views/{view.name}/schema"] = {"get": _schema(view)}
    for source in sources:
        paths[f"/ingest/{source.name}"] = {"post": _ingest(source, settings)}
    paths |= _fixed()
    if secured:
        for operations in paths.values():
            for operation in operations.values():
                _secure(operation)
    components: Form = {"schemas": {"Problem": _problem(), "Ingested": _ingested()}}
    for view in views:
        components["schemas"][f"{view.name}.question"] = forms.question_form(view)
        components["schemas"][f"{view.name}.answer"] = forms.answer_form(view)
    for source in sources:
        components["schemas"][f"{source.name}.row"] = forms.row_form(source)
    if secured:
        about = {"type": "http", "scheme": "bearer", "description": "Scopes: `read`, `write`."}
        components["securitySchemes"] = {"token": about}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AstraFS online features",
            "version": __version__,
            "description": "Values of views, as of a time; rows of sources, on disk when "
            "acknowledged. Problems are told as RFC 9457 documents with a code.",
        },
        "paths": paths,
        "components": components,
    }


def schema_of(view: ViewSchema) -> Form:
    """Return what ``GET /views/VIEW/schema`` says."""
    return {
        "name": view.name,
        "doc": view.doc,
        "request" if view.request else "entity": view.entity,
        "keys": [
            {
                "name": one.name,
                "type": str(one.type),
                "nullable": one.nullable,
                "json": forms.value_form(one.type, given=True),
            }
            for one in view.keys
        ],
        "outputs": [
            {
                "name": one.name,
                "type": str(one.type),
                "nullable": one.nullable,
                "doc": one.doc,
                "owner": one.owner,
                "json": forms.value_form(one.type),
            }
            for one in view.outputs
        ],
    }


def _ask(view: ViewSchema, settings: Serving) -> Form:
    question, answer = forms.question_example(view), forms.answer_example(view)
    at = forms.TIME["examples"][0]
    asked = {
        "one": {"value": {"question": question}},
        "several": {"value": {"questions": [question, {**question, "t": at}], "at": at}},
    }
    if any(one.name == "t" for one in view.keys):
        asked["several"] = {"value": {"questions": [question, question], "at": at}}
    given = {
        "one": {"value": {"at": at, "answer": answer}},
        "several": {"value": {"at": at, "answers": [answer, answer]}},
    }
    body = forms.ask_form(_ref(f"{view.name}.question"), settings)
    return {
        "operationId": f"ask {view.name}",
        "tags": ["views"],
        "summary": _line(view.doc) or f"Ask {view.name}",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": body, "examples": asked},
                ARROW: {"schema": _BINARY},
            },
        },
        "responses": {
            "200": {
                "description": "The answers, in the order of the questions.",
                "content": {
                    JSON: {
                        "schema": forms.answers_form(_ref(f"{view.name}.answer")),
                        "examples": given,
                    },
                    ARROW: {"schema": _BINARY},
                },
            },
            **_problems(_BODY_PROBLEMS),
        },
    }


def _schema(view: ViewSchema) -> Form:
    return {
        "operationId": f"schema {view.name}",
        "tags": ["views"],
        "summary": f"What {view.name} takes and gives",
        "responses": {"200": _json_answer({"type": "object"}), **_problems(_READ_PROBLEMS)},
    }


def _ingest(source: SourceSchema, settings: Serving) -> Form:
    row, example = _ref(f"{source.name}.row"), forms.row_example(source)
    several = {"type": "array", "items": row, "maxItems": settings.max_batch}
    return {
        "operationId": f"ingest {source.name}",
        "tags": ["sources"],
        "summary": f"Send rows of {source.name}",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"anyOf": [row, several]},
                    "examples": {"one": {"value": example}, "several": {"value": [example]}},
                },
                LINES: {"schema": {"type": "string", "description": "One row per line."}},
                ARROW: {"schema": _BINARY},
            },
        },
        "responses": {
            "200": {
                "description": "What became of the rows; those that were taken are on disk.",
                "content": {JSON: {"schema": _ref("Ingested")}},
            },
            **_problems(_BODY_PROBLEMS),
        },
    }


def _fixed() -> Form:
    listed = {
        "type": "object",
        "properties": {"views": {"type": "array", "items": {"type": "object"}}},
        "required": ["views"],
    }
    status = {
        "type": "object",
        "properties": {"status": {"type": "string"}},
        "required": ["status"],
    }
    return {
        "/views": {"get": _read("views", "All views", _json_answer(listed))},
        "/healthz": {"get": _open("health", "Whether the process answers", _json_answer(status))},
        "/readyz": {
            "get": _open("ready", "Whether requests should be sent here", _json_answer(status))
        },
        "/metrics": {
            "get": _read(
                "metrics",
                "Numbers for Prometheus",
                {
                    "description": "The text form of Prometheus.",
                    "content": {"text/plain": {"schema": {"type": "string"}}},
                },
            )
        },
        "/openapi.json": {"get": _read("openapi", "This document", _json_answer({}))},
    }


def _read(identity: str, summary: str, answer: Form) -> Form:
    return {
        "operationId": identity,
        "tags": ["server"],
        "summary": summary,
        "responses": {"200": answer, **_problems(_READ_PROBLEMS)},
    }


def _open(identity: str, summary: str, answer: Form) -> Form:
    return {**_read(identity, summary, answer), "security": []}


def _secure(operation: Form) -> None:
    if "security" not in operation:
        operation["security"] = [{"token": []}]
        operation["responses"] |= _problems((401, 403))


def _problems(statuses: tuple[int, ...]) -> Form:
    return {
        str(status): {
            "description": " / ".join(f"{code.id}: {code.title}" for code in _codes_of(status)),
            "content": {CONTENT_TYPE: {"schema": _ref("Problem")}},
        }
        for status in sorted({*statuses, *_ALWAYS})
    }


def _codes_of(status: int) -> list[Code]:
    """Return what an answer with ``status`` may be about."""
    if status == 429:
        return [codes.BUSY]
    return [ALL[code] for code, one in STATUSES.items() if one == status]


def _json_answer(form: Form) -> Form:
    return {"description": "JSON.", "content": {JSON: {"schema": form}}}


def _ref(name: str) -> Form:
    return {"$ref": f"#/components/schemas/{name}"}


def _problem() -> Form:
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    one = {
        "type": "object",
        "properties": {
            "code": text,
            "detail": text,
            "pointer": text,
            "notes": texts,
            "help": texts,
        },
        "required": ["code", "detail"],
    }
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": text,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text,
            "code": {"type": "string", "pattern": "^AFS[0-9]{4}$"},
            "notes": texts,
            "help": texts,
            "errors": {"type": "array", "items": one},
        },
        "required": ["type", "title", "status", "detail", "code"],
    }


def _ingested() -> Form:
    text = {"type": "string"}
    refused = {
        "type": "object",
        "properties": {
            "row": {"type": "integer", "minimum": 1, "description": "Its place, from 1."},
            "code": text,
            "detail": text,
            "notes": {"type": "array", "items": text},
            "help": {"type": "array", "items": text},
        },
        "required": ["row", "code", "detail"],
    }
    counts = {
        "taken": {**_COUNT, "description": "Rows that are new and on disk."},
        "repeated": {**_COUNT, "description": "Rows that were there already."},
        "expired": {**_COUNT, "description": "Rows so old that no window can hold them."},
        "refused": {"type": "array", "items": refused},
    }
    return {
        "type": "object",
        "properties": counts,
        "required": list(counts),
        "additionalProperties": False,
    }


def _line(text: str) -> str:
    return text.split("\n", 1)[0]
