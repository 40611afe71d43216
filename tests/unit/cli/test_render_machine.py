"""The forms for programs: concise, JSON, SARIF, GitHub, GitLab, JUnit."""

from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ElementTree

import pytest

from astrafs.diagnostics import codes
from astrafs.diagnostics.examples import example_files
from astrafs.diagnostics.model import Code, Edit, Severity, Sink
from astrafs.diagnostics.render import concise, github, gitlab, junit, sarif
from astrafs.diagnostics.render import json as json_form
from astrafs.driver import compile_project
from astrafs.source import SourceFile, Span
from tests.unit.cli.sarif_schema import problems

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
            "example",
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


def test_sarif_rules_lead_to_the_page_of_the_code() -> None:
    (run,) = json.loads(sarif.render(FOUND, FILES))["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["properties"]["docs"] == f"docs/codes/{rule['id']}.md"
        assert rule["properties"]["docs"] in rule["help"]["markdown"]


def test_sarif_of_every_example_fits_the_schema() -> None:
    for code in codes.ALL.values():
        files = example_files(code.bad)
        sink = Sink()
        compile_project(files, sink)
        log = json.loads(sarif.render(tuple(sink), {file.path: file for file in files}))
        assert problems(log) == [], code.id
    assert problems(json.loads(sarif.render(FOUND, FILES))) == []


@pytest.mark.parametrize(
    ("path", "value", "wrong"),
    [
        (("version",), "2.2", "$.version is '2.2'"),
        (("runs", 0, "tool"), {}, "$.runs[0].tool lacks driver"),
        (("runs", 0, "results", 0, "colour"), "red", "$.runs[0].results[0] has an unknown colour"),
        (("runs", 0, "results", 0, "ruleIndex"), -2, "$.runs[0].results[0].ruleIndex is -2"),
        (("runs", 0, "results", 0, "fixes", 0, "artifactChanges"), [],
         "$.runs[0].results[0].fixes[0].artifactChanges is too short"),
    ],
)  # fmt: skip
def test_the_schema_finds_what_is_wrong(
    path: tuple[str | int, ...], value: object, wrong: str
) -> None:
    log = copy.deepcopy(json.loads(sarif.render(FOUND, FILES)))
    inner = log
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert problems(log) == [wrong]


def test_gitlab_report_has_what_it_must() -> None:
    issues = json.loads(gitlab.render([*FOUND, FOUND[0]], FILES))
    assert [issue["check_name"] for issue in issues] == ["AFS0301", "AFS0102", "AFS0301"]
    assert issues[0]["location"] == {"path": "a b/c.afs", "lines": {"begin": 2, "end": 2}}
    assert issues[1]["location"] == {"path": "astrafs.toml", "lines": {"begin": 1}}
    assert [issue["severity"] for issue in issues] == ["major", "minor", "major"]
    assert issues[0]["description"] == "wrong: this is four: 100%, sure"
    assert len({issue["fingerprint"] for issue in issues}) == 3


def test_junit_fails_for_errors_only() -> None:
    other = SourceFile("fine.afs", "")
    root = ElementTree.fromstring(junit.render(FOUND, {**FILES, "fine.afs": other}))
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "1")
    first, fine, whole = root
    assert [suite.get("name") for suite in root] == ["a b/c.afs", "fine.afs", "project"]
    (case,) = first.findall("testcase")
    assert case.get("name") == "AFS0301 at 2:5"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "wrong"
    assert "100%, sure" in (failure.text or "")
    assert list(fine[0]) == []
    assert "warning[AFS0102]: the" in (whole[0].findtext("system-out") or "")


def test_junit_holds_no_character_that_xml_refuses() -> None:
    file = SourceFile("a.afs", "x\x00\x1b\ufffe<&\n")
    found = [ERROR.at(Span("a.afs", 0, 4), "bad \x07 \u202e", title="a \x1b title")]
    assert ElementTree.fromstring(junit.render(found, {"a.afs": file})).get("failures") == "1"


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
    assert json.loads(gitlab.render([], {})) == []
    assert ElementTree.fromstring(junit.render([], FILES)).get("failures") == "0"
    assert concise.render([], {}) == github.render([], {}) == ""
