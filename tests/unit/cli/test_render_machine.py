"""The forms for programs: concise, JSON, SARIF, GitHub."""

from __future__ import annotations

import json

from astrafs.diagnostics.model import Code, Edit, Severity
from astrafs.diagnostics.render import concise, github, sarif
from astrafs.diagnostics.render import json as json_form
from astrafs.source import SourceFile, Span

FILE = SourceFile("a b/c.afs", "one\ntwo três four\n")
FILES = {FILE.path: FILE}
ERROR = Code("AFS0301", "wrong", explain="Because.")
WARNING = Code("AFS0102", "odd", explain="", severity=Severity.WARNING)
FOUND = [
    ERROR.at(Span(FILE.path, 8, 12), "this is\nfour: 100%, sure")
    .label(Span(FILE.path, 0, 3), "and this")
    .note("a note")
    .help("a help")
    .fix("mend it", Edit(Span(FILE.path, 8, 12), "3")),
    WARNING.nowhere("the\nwhole"),
]


def test_concise_is_one_line_each() -> None:
    assert concise.render(FOUND, FILES) == (
        "a b/c.afs:2:5: error[AFS0301]: wrong: this is four: 100%, sure\n"
        "warning[AFS0102]: the whole\n"
    )
    assert concise.render(FOUND[:1], {}).startswith("a b/c.afs: error[AFS0301]")


def test_json_has_places_and_counts() -> None:
    document = json.loads(json_form.render(FOUND, FILES))
    place = {
        "path": "a b/c.afs",
        "start": {"line": 2, "column": 5, "offset": 8},
        "end": {"line": 2, "column": 9, "offset": 12},
    }
    assert document["schema"] == "astrafs.diagnostics/1"
    assert (document["errors"], document["warnings"]) == (1, 1)
    first, second = document["diagnostics"]
    assert first["primary"] == {"place": place, "text": "this is\nfour: 100%, sure"}
    assert first["fixes"] == [
        {"title": "mend it", "safe": True, "edits": [{"place": place, "text": "3"}]}
    ]
    assert (first["notes"], first["helps"]) == (["a note"], ["a help"])
    assert second["primary"] is None
    assert (
        list(first)
        == list(second)
        == [
            "code",
            "severity",
            "title",
            "primary",
            "labels",
            "notes",
            "helps",
            "picture",
            "fixes",
        ]
    )


def test_github_commands_are_escaped() -> None:
    first, second = github.render(FOUND, FILES).splitlines()
    assert first == (
        "::error title=AFS0301%3A wrong,file=a b/c.afs,line=2,endLine=2,col=5,endColumn=8"
        "::this is%0Afour: 100%25, sure%0Anote: a note%0Ahelp: a help"
    )
    assert second == "::warning title=AFS0102%3A the%0Awhole::the%0Awhole"


def test_sarif_has_what_the_schema_requires() -> None:
    log = json.loads(sarif.render(FOUND, FILES))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["AFS0102", "AFS0301"]
    assert run["columnKind"] == "unicodeCodePoints"
    first, second = run["results"]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "AFS0301"
    region = {"startLine": 2, "startColumn": 5, "endLine": 2, "endColumn": 9}
    (location,) = first["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20b/c.afs"},
        "region": region,
    }
    (fix,) = first["fixes"]
    (change,) = fix["artifactChanges"]
    assert change["replacements"] == [{"deletedRegion": region, "insertedContent": {"text": "3"}}]
    assert "locations" not in second
    assert {first["level"], second["level"]} == {"error", "warning"}


def test_fingerprints_survive_moves_and_tell_twins_apart() -> None:
    def prints(text: str, *starts: int) -> list[str]:
        file = SourceFile("x.afs", text)
        found = [ERROR.at(Span("x.afs", at, at + 1), "") for at in starts]
        log = json.loads(sarif.render(found, {"x.afs": file}))
        return [one["partialFingerprints"]["astrafs/v1"] for one in log["runs"][0]["results"]]

    before = prints("ab\n", 0, 1)
    assert len(set(before)) == 2
    assert prints("\n\n  ab\n", 4, 5) == before
    assert prints("ac\n", 0) != before[:1]


def test_no_diagnostics_is_still_a_document() -> None:
    assert json.loads(json_form.render([], {}))["diagnostics"] == []
    assert json.loads(sarif.render([], {}))["runs"][0]["results"] == []
    assert concise.render([], {}) == github.render([], {}) == ""
