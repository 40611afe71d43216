"""Tokens: the file, the scopes, and what a request without the right one is told."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from astrafs.diagnostics.model import AstrafsError
from astrafs.server.tokens import Tokens, append
from tests.unit.server.conftest import Start

QUESTION = {"question": {"user_id": 1}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "tokens"


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries ``token``."""
    return {"authorization": f"Bearer {token}"}


ROUTES = {
    ("GET", "/views"): "read",
    ("GET", "/views/user/schema"): "read",
    ("POST", "/views/user"): "read",
    ("POST", "/ingest/payments"): "write",
    ("GET", "/metrics"): "read",
    ("GET", "/openapi.json"): "read",
    ("GET", "/healthz"): "",
    ("GET", "/readyz"): "",
}


def test_every_route_has_its_scope(start: Start, path: Path) -> None:
    tokens = {
        "read": append(path, "reader", ["read"]),
        "write": append(path, "writer", ["write"]),
        "both": append(path, "all", ["read", "write"]),
    }
    running = start(tokens=path)
    known = {
        (method, route.path.format(view="user", source="payments"))
        for route in running.app.endpoints.routes()
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert known == set(ROUTES)
    for (method, route), scope in ROUTES.items():
        body = [] if "ingest" in route else QUESTION

        def status(headers: dict[str, str]) -> int:
            content = {"json": body} if method == "POST" else {}  # noqa: B023
            answer = running.client.request(method, route, headers=headers, **content)  # noqa: B023
            return answer.status_code

        assert status({}) == (401 if scope else 200)
        assert status(bearer("afs_wrong")) == (401 if scope else 200)
        assert status({"authorization": "Basic YTpi"}) == (401 if scope else 200)
        assert status({"authorization": f"Bearer {tokens['both']} x"}) == (401 if scope else 200)
        assert status(bearer(tokens["both"])) == 200
        for other in ("read", "write"):
            assert status(bearer(tokens[other])) == (200 if scope in ("", other) else 403)


def test_what_the_refused_are_told(start: Start, path: Path) -> None:
    token = append(path, "writer", ["write"])
    running = start(tokens=path)
    answer = running.client.get("/views")
    assert answer.json()["code"] == "AFS1103"
    assert answer.headers["www-authenticate"] == 'Bearer realm="astrafs"'
    strange = {"authorization": "Bearer é".encode()}
    answer = running.client.get("/views", headers=strange)  # type: ignore[arg-type]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    answer = running.client.get("/views", headers=bearer(token))
    assert answer.json()["code"] == "AFS1104"
    assert 'scope="read"' in answer.headers["www-authenticate"]
    assert [one.get("token", "") for one in running.log()] == ["", "", "writer"]
    assert token not in running.logged.getvalue()


def test_views_are_not_told_to_the_unknown(start: Start, path: Path) -> None:
    append(path, "reader", ["read"])
    running = start(tokens=path)
    for view in ("user", "nothing"):
        assert running.client.post(f"/views/{view}", json=QUESTION).status_code == 401


def test_the_file_holds_hashes_only(path: Path) -> None:
    token = append(path, "reader", ["read"])
    assert token not in path.read_text()
    assert hashlib.sha256(token.encode()).hexdigest() in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    found = Tokens(path).find(token.encode())
    assert found is not None and found.name == "reader"
    assert Tokens(path).find(token[:-1].encode()) is None
    assert Tokens(path).find(b"") is None


def test_a_file_is_appended_to_also_where_its_last_line_is_open(path: Path) -> None:
    first = append(path, "one", ["read"])
    path.write_text("# whose tokens these are\n\n" + path.read_text().rstrip("\n"))
    second = append(path, "two", ["write", "read"])
    tokens = Tokens(path)
    assert len(tokens) == 2
    assert tokens.find(first.encode()) is not None
    found = tokens.find(second.encode())
    assert found is not None and found.scopes == {"read", "write"}


DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no token"),
        ("# nothing\n", "holds no token"),
        ("one read\n", "line 1 has 2 words"),
        (f"\n{'x' * 65} read {DIGEST}", "line 2 has no name"),
        (f"one raed {DIGEST}", "there is no scope of that name"),
        (f"one read {DIGEST[:-1]}", "does not end in a SHA-256"),
        (f"one read {DIGEST.upper()}", "does not end in a SHA-256"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_files_that_cannot_be_used(path: Path, text: str, says: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(AstrafsError) as error:
        Tokens(path)
    assert error.value.diagnostics[0].code.id == "AFS1121"
    assert says in str(error.value)


def test_a_file_that_others_may_read(path: Path) -> None:
    append(path, "one", ["read"])
    path.chmod(0o640)
    with pytest.raises(AstrafsError, match="others may use it"):
        Tokens(path)
    with pytest.raises(AstrafsError, match="others may use it"):
        append(path, "two", ["read"])


def test_files_of_another_kind(path: Path) -> None:
    with pytest.raises(AstrafsError, match="no such file"):
        Tokens(path)
    path.mkdir()
    with pytest.raises(AstrafsError, match="no regular file"):
        Tokens(path)


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "x" * 65, "-x"])
def test_names_that_are_none(path: Path, name: str) -> None:
    with pytest.raises(AstrafsError, match="AFS1121"):
        append(path, name, ["read"])
    assert not path.exists()


def test_a_changed_file_is_read_again_and_a_bad_one_is_not(start: Start, path: Path) -> None:
    first = append(path, "one", ["read"])
    running = start(tokens=path)
    second = append(path, "two", ["read"])

    def status(token: str) -> int:
        return running.client.get("/views", headers=bearer(token)).status_code

    assert (status(first), status(second)) == (200, 401)
    running.app.refresh_tokens()
    assert (status(first), status(second)) == (200, 200)
    path.write_text(path.read_text() + "broken\n")
    running.app.refresh_tokens()
    running.app.refresh_tokens()  # it says so once
    assert (status(first), status(second)) == (200, 200)
    path.unlink()
    running.app.refresh_tokens()
    assert status(first) == 200
    assert "count" in running.log()[2] and running.log()[2]["event"] == "tokens"
    told = [one["detail"] for one in running.log() if one.get("code") == "AFS1121"]
    assert len(told) == 2 and "has 1 words" in told[0] and "no such file" in told[1]
    third = append(path, "three", ["read"])
    running.app.refresh_tokens()
    assert (status(first), status(third)) == (401, 200)
    os.utime(path, (1, 1))
    running.app.refresh_tokens()
    assert status(third) == 200
