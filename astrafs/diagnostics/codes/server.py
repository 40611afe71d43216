"""Codes of the HTTP server (AFS11xx): what a request can get wrong, and starting up."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

BAD_HTTP = Code(
    "AFS1101",
    "this is no valid HTTP request",
    explain="""The bytes that came break the rules of HTTP/1.1, so it is not certain where the
request ends: a damaged request line or header, a bad chunk, two lengths, no `Host` or several.
The connection is closed, because what follows could be read as a request that nobody sent.
Upgrades to other protocols are refused as well. Status 400.""",
    runtime=True,
)
BAD_BODY = Code(
    "AFS1102",
    "the body is not of the form that this endpoint takes",
    explain="""A view is asked with `{"question": {...}}` or `{"questions": [{...}, ...]}`, each
with an optional `"at"`; rows come as a JSON object, an array of objects, one object per line
(`application/x-ndjson`) or an Arrow stream. Every part is checked: an unknown member is an error,
not something to ignore. `GET /openapi.json` describes each body. Status 400.""",
    runtime=True,
)
NO_TOKEN = Code(
    "AFS1103",
    "this needs a token",
    explain="""The server was started with a file of tokens, and the request carries none of them:
send `Authorization: Bearer TOKEN`. `astrafs token NAME` makes a token. Status 401.""",
    runtime=True,
)
WRONG_SCOPE = Code(
    "AFS1104",
    "the token does not allow this",
    explain="""A token has scopes: `read` for questions, schemas and metrics, `write` for ingestion.
The token is known, and its line in the file of tokens lacks the scope. Status 403.""",
    runtime=True,
)
NO_PATH = Code(
    "AFS1105",
    "there is nothing at this path",
    explain="""The endpoints are `/views`, `/views/VIEW`, `/views/VIEW/schema`, `/ingest/SOURCE`,
`/healthz`, `/readyz`, `/metrics` and `/openapi.json`, written exactly so, without a slash at the
end. Status 404.""",
    runtime=True,
)
WRONG_METHOD = Code(
    "AFS1106",
    "this path has other methods",
    explain="""The `Allow` header of the answer lists the methods of the path. Questions and rows
are sent with `POST`, everything else is read with `GET`. Status 405.""",
    runtime=True,
)
NOT_ACCEPTABLE = Code(
    "AFS1107",
    "the answer has no form that the client accepts",
    explain="""An answer has the form of its request: JSON for JSON, an Arrow stream for an Arrow
stream. The request's `Accept` header leaves that form out. Status 406.""",
    runtime=True,
)
TOO_SLOW = Code(
    "AFS1108",
    "the request did not arrive in time",
    explain="""Headers and body each must arrive within a time (`head_seconds` and `body_seconds`),
however slowly or fast the bytes come, so that slow clients cannot hold all connections. Status
408.""",
    runtime=True,
)
NO_LENGTH = Code(
    "AFS1109",
    "the request has no length",
    explain="""A `POST` needs a `Content-Length`, or `Transfer-Encoding: chunked`. Status 411.""",
    runtime=True,
)
TOO_LARGE = Code(
    "AFS1110",
    "the body is too large",
    explain="""A body has at most `max_body_bytes` bytes and `max_batch` questions or rows. Send
several smaller ones: ingestion is idempotent where the source has a key, and the order of batches
does not matter. Status 413.""",
    runtime=True,
)
LONG_TARGET = Code(
    "AFS1111",
    "the address is too long",
    explain="""The path and query of a request have a limit; no endpoint needs long ones. Status
414.""",
    runtime=True,
)
MEDIA_TYPE = Code(
    "AFS1112",
    "the body has a type that this endpoint does not take",
    explain="""`Content-Type` must be `application/json`, `application/vnd.apache.arrow.stream`, or
for ingestion `application/x-ndjson`. JSON is UTF-8, and bodies are not compressed: nothing then
grows when it is read. Status 415.""",
    runtime=True,
)
REFUSED_ROWS = Code(
    "AFS1113",
    "no row was taken",
    explain="""Every row of the batch was refused by the contract of its source; `refused` lists
each with its place and reason. Where at least one row is taken the status is 200, and refused ones
are listed in the same way. Status 422.""",
    runtime=True,
)
LARGE_HEADERS = Code(
    "AFS1114",
    "the headers are too large",
    explain="""The headers of a request have at most `max_headers` lines and `max_header_bytes`
bytes. Status 431.""",
    runtime=True,
)
BUSY = Code(
    "AFS1115",
    "the server has enough to do",
    explain="""As many requests as `max_concurrency` allows are under way, or as many connections as
`max_connections`, or the server is shutting down. Nothing of the request was done; `Retry-After`
says when to come again. Status 503, or 429 for a client that sends many requests ahead of their
answers on one connection.""",
    runtime=True,
)
TOOK_LONG = Code(
    "AFS1116",
    "the answer took too long",
    explain="""The work of one request is limited to `request_seconds`. A question changes nothing
and can be asked again, with fewer at once. Of rows that were sent it is not known whether they were
taken: send them again, rows that are there already count once. Status 503.""",
    runtime=True,
)
WRONG_HOST = Code(
    "AFS1117",
    "the request is for another host",
    explain="""A server without tokens answers only under names of this machine (`localhost`,
`127.0.0.1`, `[::1]`), so that a web page cannot reach it by a name that it controls. List further
names as `hosts` in `[serve]` of `astrafs.toml`. Status 421.""",
    runtime=True,
)
EXPECTATION = Code(
    "AFS1118",
    "an expectation that is not met",
    explain="""The only `Expect` header that is understood is `100-continue`. Status 417.""",
    runtime=True,
)
UNSAFE_ARROW = Code(
    "AFS1119",
    "the Arrow stream cannot be taken",
    explain="""An Arrow stream from outside is not trusted: its messages are checked one by one,
every buffer is validated in full, and what could grow when it is read is refused: compressed
buffers, unions, run-end encoding and extension types. Write the stream without compression and
with plain columns. Status 422 for columns, 400 for damage.""",
    runtime=True,
)
NEEDS_TOKENS = Code(
    "AFS1120",
    "tokens are needed to listen beyond this machine",
    explain="""Without tokens anybody who reaches the port can read features and write rows, so the
server then listens only on addresses of this machine. Make tokens with `astrafs token NAME` and
start with `--tokens FILE`. Exit code 2.""",
    runtime=True,
)
BAD_TOKENS = Code(
    "AFS1121",
    "the file of tokens cannot be used",
    explain="""A line holds a name, scopes (`read`, `write`, or both with a comma) and the SHA-256
of a token, parted by spaces; empty lines and those that start with `#` are passed over. The file
must belong to the user and be closed to others (`chmod 600`). If a changed file cannot be used, a
running server says so and keeps the tokens it has.""",
    runtime=True,
)
CANNOT_LISTEN = Code(
    "AFS1122",
    "the server cannot listen there",
    explain="""The address belongs to another machine, or another program listens on the port. Exit
code 2.""",
    runtime=True,
)
NO_SERVE_LIBRARY = Code(
    "AFS1123",
    "the libraries for serving are not installed",
    explain="""`astrafs serve` needs starlette, uvicorn, httptools and prometheus-client, which
come with `astrafs[serve]`.""",
    runtime=True,
)
WORKER_DIED = Code(
    "AFS1124",
    "a serving process ended again and again",
    explain="""With `--workers`, a process that ends is started anew. This one ended several times
within moments of its start, so the server gave up; what it said before is above.""",
    runtime=True,
)
