"""Codes of names: what is declared, imported, referred to (AFS02xx)."""

from __future__ import annotations

from astrafs.diagnostics.model import Code, Severity

UNKNOWN_NAME = Code(
    "AFS0201",
    "unknown name",
    explain="",
)
UNKNOWN_MODULE = Code(
    "AFS0202",
    "unknown module",
    explain="",
)
UNKNOWN_IMPORT = Code(
    "AFS0203",
    "the module has no such name",
    explain="",
)
UNUSED_IMPORT = Code(
    "AFS0204",
    "unused import",
    explain="",
    severity=Severity.WARNING,
)
DUPLICATE_NAME = Code(
    "AFS0205",
    "a name is declared twice",
    explain="",
)
UNKNOWN_COLUMN = Code(
    "AFS0206",
    "unknown column",
    explain="",
)
UNKNOWN_FEATURE = Code(
    "AFS0207",
    "unknown feature",
    explain="",
)
UNKNOWN_FUNCTION = Code(
    "AFS0208",
    "unknown function",
    explain="",
)
UNKNOWN_VERSION = Code(
    "AFS0209",
    "unknown version of a feature",
    explain="",
)
WRONG_KIND = Code(
    "AFS0210",
    "the name is of another kind",
    explain="",
)
REFERENCE_CYCLE = Code(
    "AFS0211",
    "definitions depend on one another in a circle",
    explain="",
)
MISSING_DOC = Code(
    "AFS0212",
    "a feature has no description",
    explain="",
)
MISSING_OWNER = Code(
    "AFS0213",
    "a feature has no owner",
    explain="",
)
BAD_ANNOTATION = Code(
    "AFS0214",
    "an annotation is not understood",
    explain="",
)
DEPRECATED = Code(
    "AFS0215",
    "a deprecated feature is used",
    explain="",
    severity=Severity.WARNING,
)
NO_ENTITY_KEY = Code(
    "AFS0216",
    "the rows have no key of the entity",
    explain="",
)
AMBIGUOUS_ENTITY_KEY = Code(
    "AFS0217",
    "the rows have several keys of the entity",
    explain="",
)
BAD_TEMPLATE = Code(
    "AFS0218",
    "a template does not expand to a name",
    explain="",
)
EMPTY_BLOCK = Code(
    "AFS0219",
    "a block declares nothing",
    explain="",
)
TOO_LARGE = Code(
    "AFS0220",
    "the project is too large",
    explain="",
)
RESERVED_NAME = Code(
    "AFS0221",
    "the name already means something else",
    explain="",
)
