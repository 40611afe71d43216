"""The store in a Redis database: for several serving processes on several machines.

An entry is one Redis key, ``{prefix}:e:`` and the entry's key. A write is one script, which Redis
runs alone and logs as one transaction; a read is one MGET.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.retry import Retry

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.store import FORMAT, NOTHING

PREFIX: Final = "astrafs"
TIMEOUT_SECONDS: Final = 10.0
_MOST_CONNECTIONS: Final = 10_000
_PAGE: Final = 1_000
_SCAN_BYTES: Final = 1 << 20
_SETTINGS: Final = frozenset({"db", "username", "password"})
_TLS: Final = frozenset(
    f"ssl_{one}" for one in ("ca_certs", "certfile", "keyfile", "cert_reqs", "check_hostname")
)
_MARK: Final = b"astrafs online store "

_WRITE: Final = """
local expected, puts = tonumber(ARGV[1]), tonumber(ARGV[2])
local at = 2
for number = 1, expected do
  local found = redis.call('GET', KEYS[number])
  at = at + 1
  if ARGV[at] == '+' then
    at = at + 1
    if found ~= ARGV[at] then return 0 end
  elseif found then
    return 0
  end
end
for number = expected + 1, expected + puts do
  at = at + 1
  redis.call('SET', KEYS[number], ARGV[at])
end
for number = expected + puts + 1, #KEYS do
  redis.call('DEL', KEYS[number])
end
return 1
"""
"""Compare and set. Redis refuses it for want of memory at the first SET or not at all."""


class RedisStore:
    """Entries in the database that ``place`` names; safe for threads and for processes.

    ``place`` is ``redis://[user:password@]host[:port][/db][?prefix=name&timeout=seconds]``, the
    same with ``rediss`` (TLS; ``ssl_ca_certs`` and other settings of redis-py may follow), or
    ``unix:///path?db=0``. With ``create``, an empty prefix becomes a store. Raises
    :class:`AstrafsError` where there is none, or the server would not keep it.
    """

    def __init__(self, place: str, *, create: bool = False) -> None:
        self._shown = shown(place)
        url, prefix, timeout = _parts(place)
        # One slot of a cluster holds the whole store, should the server be part of one.
        self._prefix = b"{" + prefix.encode() + b"}:"
        try:
            self._pool = redis.ConnectionPool.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                max_connections=_MOST_CONNECTIONS,
                # Whether a call is safe to repeat is known here only.
                retry=Retry(NoBackoff(), 0),
            )
            self._client = redis.Redis(connection_pool=self._pool)
            self._script = self._client.register_script(_WRITE)
        except (ValueError, TypeError, RedisError) as error:
            raise AstrafsError(_bad_place(self._shown, str(error))) from None
        try:
            self._open(create)
        except BaseException:
            self.close()
            raise

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order, as of one moment."""
        if not keys:
            return []
        found: list[bytes | None] = self._read("MGET", *(self._name(key) for key in keys))
        return found

    def write(
        self,
        changes: Mapping[bytes, bytes | None],
        expected: Mapping[bytes, bytes | None] = NOTHING,
    ) -> bool:
        """Put or (None) remove values in one script, unless one of ``expected`` is another."""
        puts = [(key, value) for key, value in changes.items() if value is not None]
        gone = [key for key, value in changes.items() if value is None]
        values: list[bytes | int] = [len(expected), len(puts)]
        for value in expected.values():
            values += (b"-",) if value is None else (b"+", value)
        values += (value for _, value in puts)
        names = [self._name(key) for key in (*expected, *(key for key, _ in puts), *gone)]
        with self._errors():
            return bool(self._script(keys=names, args=values))

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry whose key begins with ``prefix``, in the order of the keys.

        Redis walks through all keys of its database for it, and those found are held here.
        """
        pattern = _escaped(self._name(prefix)) + b"*"
        found: set[bytes] = set()
        cursor = 0
        while True:
            cursor, names = self._read("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
            found.update(names)
            if not int(cursor):
                break
        cut = len(self._name(b""))
        names, at, page = sorted(found), 0, 1
        while at < len(names):
            part = names[at : at + page]
            values = self._read("MGET", *part)
            for name, value in zip(part, values, strict=True):
                if value is not None:  # removed since it was found
                    yield name[cut:], value
            at += len(part)
            # As many as come to about a megabyte.
            small = sum(len(value or b"") for value in values) < _SCAN_BYTES
            page = min(page * 2, _PAGE) if small else max(page // 2, 1)

    def durability(self) -> str:
        """Say in one sentence when a written entry is safe from a crash of the server."""
        logged = self._info("persistence").get("aof_enabled")
        if not logged:
            return (
                "the server keeps no log (`appendonly no`): what was acknowledged since its last "
                "snapshot is lost when it ends"
            )
        match self._setting("appendfsync"):
            case "always":
                return "every write is flushed to disk before it is acknowledged"
            case "everysec":
                return (
                    "the log is flushed every second (`appendfsync everysec`): what was "
                    "acknowledged in the last one or two can be lost when the machine fails"
                )
            case "no":
                return (
                    "the log is flushed when the system likes (`appendfsync no`): what was "
                    "acknowledged in the last half minute can be lost when the machine fails"
                )
            case _:
                return (
                    "the server keeps a log, and does not tell how often it is flushed (CONFIG is "
                    "not permitted)"
                )

    def close(self) -> None:
        """Close the connections of this process."""
        self._pool.disconnect()

    def _open(self, create: bool) -> None:
        memory = self._info("memory")
        policy = str(memory.get("maxmemory_policy", "noeviction"))
        if memory.get("maxmemory") and policy.startswith("allkeys"):
            raise AstrafsError(
                codes.STORE_FORGETS.nowhere(
                    f"the server of {self._shown} drops keys when its memory is full: "
                    f"`maxmemory-policy {policy}`"
                ).help("set `maxmemory-policy noeviction` there, or use another server")
            )
        name = self._prefix + b"format"
        if create:
            with self._errors():
                self._client.set(name, _MARK + str(FORMAT).encode(), nx=True)
        found = self._read("GET", name)
        if found is None:
            raise AstrafsError(
                codes.NO_STORE.nowhere(f"there is no online store in {self._shown}").help(
                    "`astrafs online init` makes one"
                )
            )
        version = found.removeprefix(_MARK).decode("utf-8", "replace")
        if version != str(FORMAT):
            raise AstrafsError(
                codes.NEWER_STORE.nowhere(
                    f"the store in {self._shown} has format {version[:20]}, and this version reads "
                    f"{FORMAT}"
                )
            )

    def _name(self, key: bytes) -> bytes:
        return self._prefix + b"e:" + key

    def _read(self, *command: bytes | str | int) -> Any:
        """Run a command that changes nothing; tried once more where the connection was lost."""
        with self._errors():
            run: Callable[..., Any] = self._client.execute_command
            try:
                return run(*command)
            except redis.exceptions.ConnectionError:
                return run(*command)

    def _info(self, section: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._read("INFO", section)
        return found

    def _setting(self, name: str) -> str | None:
        try:
            found = self._client.config_get(name)
        except RedisError:  # many servers do not let their users look
            return None
        return str(next(iter(found.values()), ""))

    def _errors(self) -> _Refused:
        return _Refused(self._shown)


class _Refused:
    """Turns refusals of the server into a diagnostic."""

    def __init__(self, place: str) -> None:
        self._shown = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, _trace: object) -> None:
        if isinstance(error, RedisError):
            raise AstrafsError(_refusal(self._shown, error)) from None


def _refusal(place: str, error: RedisError) -> Diagnostic:
    # Of a subclass first: which is which differs between versions of the library.
    said = " ".join(str(error).split())[:200]
    failed = codes.STORE_FAILED.nowhere(f"the online store {place}: {said}")
    match error:
        case AuthenticationError() | NoPermissionError():
            return failed.help(
                "give a user and password that may read and write: redis://user:password@host"
            )
        case BusyLoadingError():
            return codes.STORE_UNREACHABLE.nowhere(
                f"the Redis server of {place} is still loading its data"
            ).help("try again in a while")
        case redis.exceptions.ConnectionError() | redis.exceptions.TimeoutError():
            return codes.STORE_UNREACHABLE.nowhere(
                f"the Redis server of {place} does not answer: {said}"
            ).help("see whether it runs there, and send it again: the next call connects anew")
        case OutOfMemoryError():
            return codes.STORE_FAILED.nowhere(
                f"the memory of the Redis server of {place} is full"
            ).help(
                "nothing of this write was kept; raise its `maxmemory` or expire old rows, and "
                "send it again"
            )
        case ReadOnlyError():
            return failed.help(
                "this server is a replica: name the one that takes writes, and send it again"
            )
        case _ if said.startswith(("OOM", "MISCONF")):
            return failed.help(
                "nothing of this write was kept; give the server memory and disk, and send it again"
            )
        case _ if said.startswith(("MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN")):
            return failed.help("a cluster of Redis servers is not supported; use a single one")
        case _:
            return failed.help("nothing of this call was kept; see the log of the server")


def shown(place: str) -> str:
    """Return ``place`` in quotes without passwords or settings, for messages."""
    address, _, query = place.partition("?")
    hidden = re.sub(r"://([^:@/]*):.*@", r"://\1:***@", address)
    prefix = "".join(f"?{part}" for part in query.split("&") if part.startswith("prefix="))
    return f"`{hidden}{prefix}`"


def _parts(place: str) -> tuple[str, str, float]:
    """Return the address for the library, the prefix, and the seconds that a call may take."""
    try:
        parts = urlsplit(place)
        settings = dict(parse_qsl(parts.query, keep_blank_values=True))
        timeout = float(settings.pop("timeout", TIMEOUT_SECONDS))
        prefix = settings.pop("prefix", PREFIX)
        known = _SETTINGS | _TLS if parts.scheme == "rediss" else _SETTINGS
        unknown = sorted(set(settings) - known)
        database = parts.path.strip("/")
        if unknown:
            raise ValueError(f"`{unknown[0]}` is no setting of a `{parts.scheme}:` store")
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", prefix):
            raise ValueError("a prefix is 1 to 64 letters, digits and `_.:-`")
        if not 0 < timeout <= 600:
            raise ValueError("a timeout is a number of seconds, at most 600")
        if parts.scheme != "unix":
            if not parts.hostname:
                raise ValueError("it names no host")
            port = parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")[2]
            if not re.fullmatch(r"[0-9]{0,5}", port):
                # What it says may be a part of a password.
                raise ValueError("the port is no number; in a password, write `/` as `%2F`")
            if parts.port == 0 or (database and not re.fullmatch(r"[0-9]{1,6}", database)):
                raise ValueError("the path after the host is the number of a database")
        elif parts.netloc or len(parts.path) < 2:
            raise ValueError("a socket is written `unix:///path/of/socket`")
    except ValueError as error:
        raise AstrafsError(_bad_place(shown(place), str(error))) from None
    query = f"?{urlencode(settings, quote_via=quote)}" if settings else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}", prefix, timeout


def _bad_place(place: str, reason: str) -> Diagnostic:
    return codes.BAD_STORE_PLACE.nowhere(f"{place} cannot be an online store: {reason}").help(
        "write it as `redis://host:6379/0?prefix=name`"
    )


def _escaped(name: bytes) -> bytes:
    """Return the glob pattern that matches ``name`` only."""
    return re.sub(rb"([\\*?\[\]])", rb"\\\1", name)
