"""What each endpoint answers, to good requests and to others."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pyarrow as pa
import pytest

from astrafs.diagnostics.codes import online as online_codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.online.manifest import read_manifest
from astrafs.online.store import MemoryStore
from astrafs.server.arrow import to_stream
from tests.server_process import NOW, payments
from tests.unit.server.conftest import Running, Start

ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
LINES = {"content-type": "application/x-ndjson"}


def ask(running: Running, body: Any, **headers: str) -> tuple[int, Any]:
    """Ask the view; return status and answer."""
    answer = running.client.post("/views/user", json=body, headers=headers)
    return answer.status_code, answer.json()


def test_one_question(running: Running) -> None:
    assert ask(running, {"question": {"user_id": 1}}) == (200, {"at": NOW, "answer": ask_values(1)})


def test_several_questions_in_their_order(running: Running) -> None:
    users = [2, 0, 1, 2, 99]
    status, found = ask(running, {"questions": [{"user_id": user} for user in users]})
    assert status == 200
    assert found["at"] == NOW
    assert [one["last_note"] for one in found["answers"]] == [
        "user 2",
        "user 0",
        "user 1",
        "user 2",
        None,
    ]
    assert ask(running, {"questions": []}) == (200, {"at": NOW, "answers": []})


def ask_values(user: int) -> dict[str, Any]:
    """Return the values of a user with three payments on the first days of May."""
    return {"paid": 3, "spent_30d": 2.0, "last_note": f"user {user}"}


def test_times_of_all_and_of_each(running: Running) -> None:
    at = "2026-05-02T12:00:00Z"
    status, found = ask(
        running,
        {"questions": [{"user_id": 1}, {"user_id": 1, "t": "2026-05-01T12:00:00Z"}], "at": at},
    )
    assert status == 200
    assert found["at"] == at
    assert [one["paid"] for one in found["answers"]] == [2, 1]


def test_arrow_in_and_out(running: Running) -> None:
    asked = pa.table({"user_id": [1, 2, 7], "mine": ["a", "b", "c"]})
    answer = running.client.post("/views/user", content=to_stream(asked), headers=ARROW)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == ARROW["content-type"]
    found = pa.ipc.open_stream(answer.content).read_all().to_pydict()
    assert found["user_id"] == [1, 2, 7]
    assert found["mine"] == ["a", "b", "c"]
    assert found["last_note"] == ["user 1", "user 2", None]
    assert found["paid"] == [3, 3, 0]


def test_views_and_their_schemas(running: Running) -> None:
    (view,) = running.client.get("/views").json()["views"]
    assert view["name"] == "shop.user"
    assert view["doc"] == "What is known of a user."
    schema = running.client.get(view["schema"]).json()
    assert schema["entity"] == "shop.User"
    assert [one["name"] for one in schema["keys"]] == ["user_id"]
    first = schema["outputs"][0]
    assert (first["name"], first["type"], first["nullable"]) == ("paid", "int", False)
    assert (first["doc"], first["owner"]) == ("Payments ever.", "shop@example.com")


def test_rows_are_taken_once(running: Running) -> None:
    row = {**payments(1, 1)[0], "payment_id": "new", "note": "fresh", "at": "2026-05-31T00:00:00Z"}
    taken = {"taken": 1, "repeated": 0, "expired": 0, "refused": []}
    assert running.client.post("/ingest/payments", json=row).json() == taken
    again = running.client.post("/ingest/payments", json=[row])
    assert (again.status_code, again.json()) == (200, {**taken, "taken": 0, "repeated": 1})
    assert ask(running, {"question": {"user_id": 1}})[1]["answer"]["last_note"] == "fresh"


def test_questions_reach_back_as_far_as_the_project_says(start: Start) -> None:
    running = start(history=86_400_000_000)
    deadline = time.monotonic() + 60  # a thread beside drops what is old
    while read_manifest(running.store).floor is None and time.monotonic() < deadline:
        time.sleep(0.01)
    asked = {"question": {"user_id": 1}, "at": "2026-05-01T00:00:00Z"}
    answer = running.client.post("/views/user", json=asked)
    assert (answer.status_code // 100, answer.json()["code"]) == (4, "AFS1011")


@pytest.mark.parametrize("form", ["lines", "arrow"])
def test_rows_in_other_forms(running: Running, form: str) -> None:
    rows = payments(50, 4)
    if form == "lines":
        content, headers = "\n".join(map(json.dumps, rows)).encode() + b"\n\n", LINES
    else:
        table = pa.Table.from_pylist(rows)
        times = pa.array([one["at"] for one in rows]).cast(pa.timestamp("us", "UTC"))
        content, headers = to_stream(table.set_column(4, "at", times)), ARROW
    answer = running.client.post("/ingest/payments", content=content, headers=headers)
    assert (answer.status_code, answer.json()["taken"]) == (200, 4)
    assert ask(running, {"question": {"user_id": 50}})[1]["answer"]["paid"] == 4


def test_refused_rows_are_told_with_place_and_code(running: Running) -> None:
    good, bad = payments(60, 2)
    answer = running.client.post("/ingest/payments", json=[good, {**bad, "amount": "much"}])
    assert answer.status_code == 200
    found = answer.json()
    assert (found["taken"], [one["row"] for one in found["refused"]]) == (1, [2])
    assert found["refused"][0]["code"] == "AFS0906"
    alone = running.client.post("/ingest/payments", json={**bad, "amount": "much"})
    assert (alone.status_code, alone.json()["code"]) == (422, "AFS1113")
    assert [one["row"] for one in alone.json()["refused"]] == [1]


def test_problems_of_questions_have_pointers(running: Running) -> None:
    status, found = ask(running, {"questions": [{"user_id": 1}, {"user_id": "x"}, {"user": 1}]})
    assert (status, found["title"]) == (422, "a value is not of its field's type")
    assert [one["pointer"] for one in found["errors"]][:2] == [
        "/questions/1/user_id",
        "/questions/2",
    ]
    status, found = ask(running, {"question": {"user_id": "x"}})
    assert found["errors"][0]["pointer"] == "/question/user_id"
    assert found["type"] == "urn:astrafs:AFS1051"
    assert found["status"] == status == 422


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/views/nobody", {"question": {}}, 404, "AFS0012"),
        ("/ingest/nothing", {}, 404, "AFS1021"),
        ("/views/user", {"question": {"user_id": 1}, "at": "yesterday"}, 422, "AFS1051"),
        ("/views/user", {"question": {"user_id": 1}, "at": 5}, 400, "AFS1102"),
        ("/views/user", {"question": {"user_id": 1}, "at": None}, 400, "AFS1102"),
        ("/views/user", {"question": {"user_id": 1}, "at": "2026-01-01"}, 422, "AFS1051"),
        ("/views/user", {"questions": {"user_id": 1}}, 400, "AFS1102"),
        ("/views/user", {"question": 5}, 422, "AFS1020"),
        ("/views/user", {"question": {}, "questions": []}, 400, "AFS1102"),
        ("/views/user", {"querstion": {}}, 400, "AFS1102"),
        ("/views/user", [], 400, "AFS1102"),
        ("/ingest/payments", "rows", 400, "AFS1102"),
        ("/ingest/payments", [5], 400, "AFS1102"),
        ("/views/user", {"questions": [{"user_id": 1}] * 10_001}, 413, "AFS1110"),
    ],
)
def test_requests_of_another_form(
    running: Running, path: str, body: Any, status: int, code: str
) -> None:
    answer = running.client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "t", [0, None, "2026-01-01", "2026-01-01T00:00:00", [], "9999-01-01T00:00Z"]
)
def test_times_of_questions_are_times(running: Running, t: Any) -> None:
    status, found = ask(running, {"questions": [{"user_id": 1}, {"user_id": 1, "t": t}]})
    assert (status, found["errors"][0]["pointer"]) == (422, "/questions/1/t")
    status, found = ask(running, {"question": {"user_id": 1, "t": t}})
    assert (status, found["errors"][0]["pointer"]) == (422, "/question/t")


def test_a_misspelt_member_is_guessed(running: Running) -> None:
    _, found = ask(running, {"question": {"user_id": 1}, "att": NOW})
    assert found["help"] == ["did you mean `at`?"]


def test_paths_and_methods(running: Running) -> None:
    for path in ("/", "/view", "/views/", "/views/user/", "/metrics/x", "/ingest"):
        answer = running.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "AFS1105")
    answer = running.client.get("/views/user")
    assert (answer.status_code, answer.json()["code"]) == (405, "AFS1106")
    assert answer.headers["allow"] == "POST"
    head = running.client.head("/healthz")
    assert head.status_code == 200


def test_media_types(running: Running) -> None:
    good = b'{"question":{"user_id":1}}'

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return running.client.post("/views/user", content=good, headers=named).status_code

    json_type = "application/json"
    assert status(content_type="Application/JSON ; charset=UTF-8") == 200
    assert status(content_type="text/plain") == 415
    assert status(content_type="application/json; charset=latin-1") == 415
    assert status(content_type=LINES["content-type"]) == 415
    assert status(content_type=json_type, content_encoding="gzip") == 415
    assert status(content_type=json_type, content_encoding="identity") == 200
    assert status(content_type=json_type, accept="text/html, application/*;q=0.2") == 200
    assert status(content_type=json_type, accept="application/json;q=0, text/html") == 406
    assert status(content_type=json_type, accept="text/html") == 406


def test_other_hosts_are_refused_without_tokens(start: Start) -> None:
    running = start(hosts=("features.example",))
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:80", "features.example"):
        assert running.client.get("/healthz", headers={"host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""):
        answer = running.client.get("/healthz", headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "AFS1117")


def test_a_store_that_fails_is_503_and_says_no_more(start: Start) -> None:
    class Failing(MemoryStore):
        fails = False

        def get(self, keys: Any) -> Any:
            if self.fails:
                title = "the online store `/secret/place`: disk I/O error"
                raise AstrafsError(online_codes.STORE_FAILED.nowhere(title))
            return super().get(keys)

    store = Failing()
    running = start(store=store)
    assert running.client.get("/readyz").json() == {"status": "ready"}
    store.fails = True
    for answer in (
        running.client.post("/views/user", json={"question": {"user_id": 1}}),
        running.client.get("/readyz"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "AFS1003")
        assert answer.headers["retry-after"] == "1"
        assert "secret" not in answer.text
    assert running.client.get("/healthz").status_code == 200
    store.fails = False
    assert running.client.get("/readyz").status_code == 200
    assert "astrafs_store_errors_total 2.0" in running.client.get("/metrics").text
    failed = [one for one in running.log() if one["event"] == "failed"]
    assert len(failed) == 2 and "/secret/place" in failed[0]["detail"]


def test_a_mistake_of_ours_is_500_and_the_server_goes_on(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(running.app.online, "answer", lambda *_: 1 // 0)
        answer = running.client.post("/views/user", json={"question": {"user_id": 1}})
        assert (answer.status_code, answer.json()["code"]) == (500, "AFS0001")
        assert "division" not in answer.text and "Traceback" not in answer.text
    assert ask(running, {"question": {"user_id": 1}})[0] == 200
    assert "ZeroDivisionError" in running.log()[0]["detail"]


def test_draining_is_not_ready(running: Running) -> None:
    running.app.endpoints.draining = True
    answer = running.client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "AFS1115")
    assert running.client.get("/healthz").status_code == 200


def test_too_much_at_once_and_too_long(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start(max_concurrency=1, request_seconds=0.3)
    go_on = threading.Event()
    real = running.app.online.answer

    def slow(*given: Any) -> Any:
        go_on.wait(60)
        return real(*given)

    monkeypatch.setattr(running.app.online, "answer", slow)
    status, found = ask(running, {"question": {"user_id": 1}})
    assert (status, found["code"]) == (503, "AFS1116")  # it goes on beside, and holds its place
    status, found = ask(running, {"question": {"user_id": 1}})
    assert (status, found["code"]) == (503, "AFS1115")
    assert running.client.get("/readyz").status_code == 200
    go_on.set()
    monkeypatch.setattr(running.app.online, "answer", real)
    for _ in range(1_000):
        if ask(running, {"question": {"user_id": 1}})[0] == 200:
            break
    assert ask(running, {"question": {"user_id": 1}})[0] == 200


def test_metrics_count_what_was_done(running: Running) -> None:
    ask(running, {"questions": [{"user_id": 1}, {"user_id": 2}]})
    ask(running, {"question": {"user_id": "x"}})
    running.client.post("/ingest/payments", json=payments(70, 2))
    running.client.get("/nothing/here")
    text = running.client.get("/metrics").text
    for line in (
        'astrafs_http_requests_total{route="/views/{view}",status="200"} 1.0',
        'astrafs_http_requests_total{route="/views/{view}",status="422"} 1.0',
        'astrafs_http_requests_total{route="other",status="404"} 1.0',
        'astrafs_questions_total{view="shop.user"} 2.0',
        'astrafs_values_total{view="shop.user"} 6.0',
        'astrafs_rows_total{result="taken",source="shop.payments"} 2.0',
        "astrafs_http_in_flight 1.0",
    ):
        assert line in text.splitlines()


def test_metrics_count_what_was_found_in_memory(running: Running) -> None:
    def looks() -> list[float]:
        lines = running.client.get("/metrics").text.splitlines()
        found = dict(line.rsplit(" ", 1) for line in lines if line[:1] != "#")
        return [
            float(found.get(f'astrafs_cache_total{{result="{one}"}}', 0)) for one in ("hit", "miss")
        ]

    ask(running, {"question": {"user_id": 1}})
    first = looks()
    ask(running, {"question": {"user_id": 1}})
    again = looks()
    assert first[1] > 0
    assert again[0] > first[0] and again[1] == first[1]


def test_the_log_names_no_keys(running: Running) -> None:
    running.client.post(
        "/views/user?user=31415926",
        json={"question": {"user_id": 31415926}},
        headers={"authorization": "Bearer 27182818"},
    )
    (entry,) = running.log()
    assert entry["route"] == "/views/{view}"
    assert (entry["name"], entry["status"], entry["method"]) == ("shop.user", 200, "POST")
    assert "31415926" not in running.logged.getvalue()
    assert "27182818" not in running.logged.getvalue()


def test_every_answer_has_an_id_and_no_cross_origin_headers(running: Running) -> None:
    first = running.client.get("/healthz", headers={"origin": "http://evil.example"})
    second = running.client.get("/nothing")
    ids = {one.headers["x-request-id"] for one in (first, second)}
    assert len(ids) == 2
    assert [one["id"] for one in running.log()] == [
        one.headers["x-request-id"] for one in (first, second)
    ]
    assert not any(name.startswith("access-control") for name in first.headers)
    assert first.headers["x-content-type-options"] == "nosniff"
