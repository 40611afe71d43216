"""JSON Schemas (2020-12) of values, questions and rows, by their types in the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from astrafs.online.values import SAFE_INT, plain_type
from astrafs.serving import Serving
from astrafs.typesys import Kind, Type
from astrafs.values.numbers import INT_MAX, INT_MIN

if TYPE_CHECKING:
    from astrafs.online.schemas import FieldSchema, SourceSchema, ViewSchema

Form = dict[str, Any]

TIME: Final[Form] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})$",
    "examples": ["2026-01-01T10:00:00Z"],
}
_DURATION: Final[Form] = {
    "type": "string",
    "pattern": r"^-?(?=[0-9])([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?"
    r"([0-9]+us)?$",
    "examples": ["1h30m"],
}


def _at_least(number: str) -> str:
    """Return a pattern of the numbers of as many digits that are at least ``number``."""
    parts = [
        f"{number[:place]}[{int(digit) + 1}-9][0-9]{{{len(number) - place - 1}}}"
        for place, digit in enumerate(number)
        if digit != "9"
    ]
    return "|".join((*parts, number))


def _at_most(number: str) -> str:
    """Return a pattern of the numbers of as many digits that are at most ``number``."""
    parts = [
        f"{number[:place]}[{1 if place == 0 else 0}-{int(digit) - 1}]"
        f"[0-9]{{{len(number) - place - 1}}}"
        for place, digit in enumerate(number)
        if int(digit) > (place == 0)
    ]
    return "|".join((*parts, number))


_FAR_INT: Final = (
    f"^(-?({_at_least(str(SAFE_INT + 1))}|[1-9][0-9]{{16,17}}|{_at_most(str(INT_MAX))})|{INT_MIN})$"
)
"""The integers that JSON holds as strings of digits."""


def value_form(type_: Type, *, given: bool = False) -> Form:
    """Return the schema of the JSON values of ``type_`` as they are answered, or the wider one of
    those that may be ``given``.
    """
    plain = plain_type(type_)
    form = _plain_form(plain, given)
    if not plain.nullable:
        return form
    return {"anyOf": [form, {"type": "null"}]}


def _plain_form(type_: Type, given: bool) -> Form:
    match type_.kind:
        case Kind.INT:
            least, most = (INT_MIN, INT_MAX) if given else (-SAFE_INT, SAFE_INT)
            near = {"type": "integer", "minimum": least, "maximum": most}
            far = {"type": "string", "pattern": _FAR_INT}
            return {"oneOf": [near, far], "examples": [7]}
        case Kind.FLOAT:
            return {"type": "number", "examples": [0.5]}
        case Kind.BOOL:
            return {"type": "boolean"}
        case Kind.STRING:
            return {"type": "string", "examples": ["text"]}
        case Kind.ENUM:
            return {"type": "string", "enum": list(type_.values)}
        case Kind.DECIMAL:
            form = _decimal_form(type_)
            examples = form["examples"]
            return {"anyOf": [form, {"type": "number"}], "examples": examples} if given else form
        case Kind.BYTES:
            return {"type": "string", "contentEncoding": "base64", "examples": ["AAEC"]}
        case Kind.TIMESTAMP:
            return TIME
        case Kind.DATE:
            return {"type": "string", "format": "date", "examples": ["2026-01-01"]}
        case Kind.DURATION:
            return _DURATION
        case Kind.LIST:
            return {"type": "array", "items": value_form(type_.parts[0], given=given)}
        case Kind.VECTOR:
            length = type_.precision
            bounds = {"minItems": length, "maxItems": length}
            return {"type": "array", "items": {"type": "number"}, **bounds}
        case Kind.MAP:
            return {
                "type": "object",
                "additionalProperties": value_form(type_.parts[1], given=given),
            }
        case _:
            return {}


def _decimal_form(type_: Type) -> Form:
    whole = type_.precision - type_.scale
    digits = rf"[0-9]{{1,{whole}}}" if whole else "0"
    point = rf"(\.[0-9]{{1,{type_.scale}}})?" if type_.scale else ""
    example = "0" + ("." + "0" * type_.scale if type_.scale else "")
    return {"type": "string", "pattern": f"^-?{digits}{point}$", "examples": [example]}


def example_of(type_: Type) -> Any:
    """Return a value of ``type_`` in JSON."""
    plain = plain_type(type_)
    match plain.kind:
        case Kind.BOOL:
            return True
        case Kind.ENUM:
            return plain.values[0]
        case Kind.LIST:
            return [] if plain.parts[0].kind is Kind.ERROR else [example_of(plain.parts[0])]
        case Kind.VECTOR:
            return [0.5] * plain.precision
        case Kind.MAP:
            return {}
        case _:
            return _plain_form(plain, given=True)["examples"][0]


def question_form(view: ViewSchema) -> Form:
    """Return the schema of a question to ``view``."""
    properties = {}
    for one in view.keys:
        type_ = one.type if view.request else one.type.optional()
        properties[one.name] = _described(value_form(type_, given=True), one)
    needed = [one.name for one in view.keys if not (view.request and one.nullable)]
    if "t" not in properties:
        properties["t"] = {**TIME, "description": "The time of this question; else that of `at`."}
    return _object(properties, needed)


def question_example(view: ViewSchema) -> Any:
    """Return a question to ``view``."""
    return {one.name: example_of(one.type) for one in view.keys}


def answer_form(view: ViewSchema) -> Form:
    """Return the schema of an answer of ``view``: its outputs by name, in their order."""
    properties = {one.name: _described(value_form(one.type), one) for one in view.outputs}
    return _object(properties, list(properties))


def answer_example(view: ViewSchema) -> Any:
    """Return an answer of ``view``."""
    return {one.name: example_of(one.type) for one in view.outputs}


def row_form(source: SourceSchema) -> Form:
    """Return the schema of a row of ``source``."""
    properties = {
        one.name: _described(value_form(one.type, given=True), one) for one in source.columns
    }
    needed = [one.name for one in source.columns if not one.nullable]
    # As in a file of the source, there may be more than what is declared.
    return {**_object(properties, needed), "additionalProperties": True}


def row_example(source: SourceSchema) -> Any:
    """Return a row of ``source``."""
    return {one.name: example_of(one.type) for one in source.columns}


def ask_form(question: Form, settings: Serving) -> Form:
    """Return the schema of a body that asks one question or several."""
    at = {**TIME, "description": "The time of all questions without their own; else now."}
    several = {"type": "array", "items": question, "maxItems": settings.max_batch}
    return {
        "oneOf": [
            _object({"question": question, "at": at}, ["question"]),
            _object({"questions": several, "at": at}, ["questions"]),
        ]
    }


def answers_form(answer: Form) -> Form:
    """Return the schema of what is answered: ``at`` is the time of questions without their own."""
    return {
        "oneOf": [
            _object({"at": TIME, "answer": answer}, ["at", "answer"]),
            _object({"at": TIME, "answers": {"type": "array", "items": answer}}, ["at", "answers"]),
        ]
    }


def _object(properties: Form, needed: list[str]) -> Form:
    form: Form = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**form, "required": needed} if needed else form


def _described(form: Form, one: FieldSchema) -> Form:
    written = str(one.type)
    text = f"{one.doc} (`{written}`)" if one.doc else f"`{written}`"
    return {**form, "description": text}
