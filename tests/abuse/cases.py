"""Bytes that nobody should send, and the statuses that may answer them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

BODY_LIMIT = 65_536
HEADER_LIMIT = 8_192
MOST_HEADERS = 32

JSON = "content-type: application/json\r\n"
ARROW = "content-type: application/vnd.apache.arrow.stream\r\n"
QUESTION = b'{"question":{"user_id":1}}'


@dataclass(frozen=True)
class Case:
    """``sent`` goes out at once, and our side is closed; the answers must have the statuses of one
    of the alternatives ``expected``, of which ``()`` is a connection that closes without an answer.
    """

    name: str
    sent: bytes | Callable[[], bytes]
    expected: tuple[tuple[int, ...], ...]

    def data(self) -> bytes:
        """Return the bytes to send."""
        return self.sent if isinstance(self.sent, bytes) else self.sent()


def get(path: str = "/healthz", headers: str = "", host: str = "localhost") -> bytes:
    """Return a GET request."""
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n".encode("latin-1")


def post(
    body: bytes = QUESTION,
    headers: str = JSON,
    path: str = "/views/user",
    length: str | None = None,
) -> bytes:
    """Return a POST request; ``length`` replaces the true length, "" leaves it out."""
    size = f"content-length: {len(body) if length is None else length}\r\n"
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}{'' if length == '' else size}\r\n"
    return head.encode("latin-1") + body


def chunked(*parts: bytes, headers: str = JSON, path: str = "/views/user") -> bytes:
    """Return a POST request whose raw chunks are ``parts``."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}transfer-encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(parts)


def chunk(data: bytes) -> bytes:
    """Return a well-formed chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def arrow(compression: str | None = None, table: pa.Table | None = None) -> bytes:
    """Return an Arrow stream of questions."""
    if table is None:
        table = pa.table({"user_id": [1, 2, 3]})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    made: bytes = sink.getvalue().to_pybytes()
    return made


def damaged_offsets() -> bytes:
    """Return an Arrow stream in which the text of a row ends before it begins."""
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little", signed=True) for n in (0, 900, 3)))
    bad = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abc" * 4)])
    return arrow(table=pa.table({"user_id": [1, 2], "extra": bad}))


def bomb() -> bytes:
    """Return an Arrow stream of few bytes and very many rows."""
    few = 123_457
    made = arrow(table=pa.table({"user_id": pa.nulls(few)}))
    return made.replace(few.to_bytes(8, "little"), (1 << 40).to_bytes(8, "little"))


def dictionary_bomb() -> bytes:
    """Return an Arrow stream whose one long text stands in each of many rows."""
    indices = pa.array([0] * 500, pa.int8())
    column = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 30_000]))
    return arrow(table=pa.table({"user_id": pa.array(range(500)), "extra": column}))


BAD = ((400,),)
CASES = (
    # --- request lines
    Case("nothing", b"", ((),)),
    Case("only line ends", b"\r\n" * 40, ((),)),
    Case("noise", bytes(range(256)) * 8, BAD),
    Case("the hello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200, BAD),
    Case("HTTP/0.9", b"GET /healthz\r\n\r\n", BAD),
    Case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD),
    Case("HTTP/3.7", b"GET /healthz HTTP/3.7\r\nhost: localhost\r\n\r\n", BAD),
    Case("a small method", b"get /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", BAD),
    Case("a made-up method", b"FETCH /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", BAD),
    Case("TRACE", b"TRACE /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", ((405,),)),
    Case("CONNECT", b"CONNECT internal:443 HTTP/1.1\r\nhost: internal:443\r\n\r\n", BAD),
    Case("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n", ((400,), (404,), (405,))),
    Case("an endless path", get("/" + "a" * 200_000), ((414,),)),
    Case("a path that is not ASCII", get("/views/\xff\xfe"), ((400,), (404,))),
    Case("a path with a zero", get("/views/%00/schema"), ((404,),)),
    Case("a path that climbs", get("/../../../../etc/passwd"), ((404,),)),
    Case("a hidden climb", get("/views/%2e%2e%2f%2e%2e%2fetc%2fpasswd/schema"), ((404,),)),
    Case("a path of no text", get("/views/%ff%fe/schema"), ((404,),)),
    Case("a slash at the end", get("/healthz/"), ((404,),)),
    Case("an absolute address", get("http://localhost/healthz"), ((200,),)),
    # --- hosts
    Case("no host", b"GET /healthz HTTP/1.1\r\n\r\n", BAD),
    Case("two hosts", get(headers="host: other\r\n"), BAD),
    Case("another host", get(host="evil.example"), ((421,),)),
    Case("another host with a familiar end", get(host="localhost.evil.example:80"), ((421,),)),
    # --- headers
    Case("a header without a colon", get(headers="hello\r\n"), BAD),
    Case("a space before the colon", get(headers="content-length : 5\r\n"), BAD),
    Case("a folded header", get(headers="a: b\r\n c\r\n"), BAD),
    Case("a zero in a header", get(headers="a: b\0c\r\n"), BAD),
    Case("a bare return in a header", get(headers="a: b\rc: d\r\n"), BAD),
    Case("bare line ends", b"GET /healthz HTTP/1.1\nhost: localhost\n\n", ((400,), (200,))),
    Case("a long header", get(headers=f"a: {'b' * 100_000}\r\n"), ((431,),)),
    Case("a header without end", get(headers=f"a: {'b' * 400_000}")[:-4], ((431,),)),
    Case("many headers", get(headers="".join(f"a{n}: b\r\n" for n in range(500))), ((431,),)),
    Case("an upgrade", get(headers="connection: upgrade\r\nupgrade: websocket\r\n"), BAD),
    Case(
        "an upgrade with a body",
        post(headers=JSON + "connection: upgrade, http2-settings\r\nupgrade: h2c\r\n"),
        BAD,
    ),
    Case("a strange expectation", post(headers=JSON + "expect: the-moon\r\n"), ((417,),)),
    # --- where a body ends
    Case(
        "two kinds of length",
        chunked(chunk(QUESTION), b"0\r\n\r\n", headers=f"{JSON}content-length: 3\r\n"),
        BAD,
    ),
    Case(
        "a request inside a body of two lengths",
        post(get("/views"), JSON + "transfer-encoding: chunked\r\n", length="4"),
        BAD,
    ),
    Case("two equal lengths", post(headers=JSON + f"content-length: {len(QUESTION)}\r\n"), BAD),
    Case("two lengths", post(headers=JSON + "content-length: 1\r\n"), BAD),
    Case("a list of lengths", post(length=f"{len(QUESTION)}, {len(QUESTION)}"), BAD),
    Case("a negative length", post(length="-1"), BAD),
    Case("a signed length", post(length="+26"), BAD),
    Case("a hexadecimal length", post(length="0x1a"), BAD),
    Case("a length beyond numbers", post(length="9" * 40), ((400,), (413,))),
    Case("a large length", post(length=str(BODY_LIMIT + 1)), ((413,),)),
    Case("an unknown coding", post(headers=JSON + "transfer-encoding: gzip\r\n", length=""), BAD),
    Case(
        "chunked twice",
        chunked(chunk(QUESTION), b"0\r\n\r\n", headers=JSON + "transfer-encoding: chunked\r\n"),
        BAD,
    ),
    Case("almost chunked", post(headers=JSON + "transfer-encoding: xchunked\r\n", length=""), BAD),
    Case(
        "chunked in HTTP/1.0",
        chunked(chunk(QUESTION), b"0\r\n\r\n").replace(b"1.1", b"1.0", 1),
        BAD,
    ),
    Case("a chunk of no size", chunked(b"zz\r\nabc\r\n0\r\n\r\n"), BAD),
    Case("a chunk of a negative size", chunked(b"-5\r\nabc\r\n0\r\n\r\n"), BAD),
    Case("a chunk of too many digits", chunked(b"F" * 17 + b"\r\nabc"), ((400,), (413,))),
    Case("a chunk that is longer than it says", chunked(b"3\r\nabcdef\r\n0\r\n\r\n"), BAD),
    Case("a large chunk", chunked(chunk(b"x" * (BODY_LIMIT + 1))), ((413,),)),
    Case("many small chunks", chunked(*[chunk(b"x")] * (BODY_LIMIT + 1)), ((413,),)),
    Case("an endless note on a chunk", chunked(b"5;" + b"a" * 1_000_000), ((413,),)),
    Case(
        "headers behind the chunks", chunked(chunk(QUESTION), b"0\r\nhost: evil\r\n\r\n"), ((200,),)
    ),
    Case("no length", post(length=""), ((411, 400),)),
    Case("a body that breaks off", post(length="500"), ((),)),
    Case("chunks that break off", chunked(chunk(QUESTION)), ((),)),
    # --- several requests
    Case("many requests ahead", get() * 200, (tuple([200] * 33 + [429]),)),
    Case(
        "a bad request behind good ones", get() * 3 + b"nonsense\r\n\r\n", ((200, 200, 200, 400),)
    ),
    Case("a bad body behind good requests", get() * 2 + chunked(b"zz\r\n"), ((200, 200, 400),)),
    Case("a good request behind a bad one", b"nonsense\r\n\r\n" + get(), BAD),
    # --- JSON
    Case("no JSON", post(b"user_id=1"), BAD),
    Case("an empty body", post(b""), BAD),
    Case("text that is not UTF-8", post(b'{"question":{"user_id":"\xff\xfe"}}'), BAD),
    Case("a byte order mark", post(b"\xef\xbb\xbf" + QUESTION), BAD),
    Case("half of a pair", post(b'{"question":{"user_id":"\\ud800"}}'), ((422,),)),
    Case("zeros", post(b"\0" * 1_000), BAD),
    Case("deep arrays", post(b"[" * 60_000), BAD),
    Case("deep objects", post(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), BAD),
    Case("a deep key", post(b'{"question":{"user_id":' + b"[" * 40 + b"]" * 40 + b"}}"), ((422,),)),
    Case("NaN", post(b'{"question":{"user_id":NaN}}'), BAD),
    Case("an infinity", post(b'{"question":{"user_id":1e999}}'), ((422,),)),
    Case(
        "a number of many digits",
        post(b'{"question":{"user_id":' + b"9" * 50_000 + b"}}"),
        ((400,), (422,)),
    ),
    Case("a key that comes twice", post(b'{"question":{"user_id":1,"user_id":2}}'), BAD),
    Case("an unknown member", post(b'{"question":{"user_id":1},"debug":true}'), BAD),
    Case(
        "too many questions", post(b'{"questions":[' + b",".join([b"{}"] * 600) + b"]}"), ((413,),)
    ),
    Case("rows that are no objects", post(b"[1, 2]", path="/ingest/payments"), BAD),
    Case(
        "a bad line",
        post(b'{"user_id": 1}\n{', "content-type: application/x-ndjson\r\n", "/ingest/payments"),
        BAD,
    ),
    # --- media types
    Case("a form", post(headers="content-type: application/x-www-form-urlencoded\r\n"), ((415,),)),
    Case("no type", post(headers=""), ((415,),)),
    Case(
        "another character set",
        post(headers="content-type: application/json; charset=utf-16\r\n"),
        ((415,),),
    ),
    Case("a compressed body", post(headers=JSON + "content-encoding: gzip\r\n"), ((415,),)),
    Case("an answer of no known form", post(headers=JSON + "accept: text/html\r\n"), ((406,),)),
    # --- Arrow
    Case("no Arrow", post(b"ARROW1\0\0" * 20, ARROW), BAD),
    Case("Arrow that breaks off", lambda: post(arrow()[:-60], ARROW), BAD),
    Case("Arrow that grows", lambda: post(arrow("zstd"), ARROW), ((422,),)),
    Case("Arrow with damaged offsets", lambda: post(damaged_offsets(), ARROW), BAD),
    Case("Arrow of a million million rows", lambda: post(bomb(), ARROW), ((413,),)),
    Case("Arrow that repeats one text", lambda: post(dictionary_bomb(), ARROW), ((413,),)),
)
