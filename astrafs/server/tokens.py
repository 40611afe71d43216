"""Bearer tokens from a file: each line a name, its scopes, and the SHA-256 of the token."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.suggest import closest
from astrafs.record import dataclass

SCOPES: Final = ("read", "write")
MOST_BYTES: Final = 1 << 20
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_PREFIX: Final = "afs_"


@dataclass(frozen=True, slots=True)
class Token:
    """A line of the file: who may do what. ``digest`` is the SHA-256 of the token, 32 bytes."""

    name: str
    scopes: frozenset[str]
    digest: bytes


class Tokens:
    """The tokens of a file, read again when it changes. Only one thread may call ``refresh``."""

    def __init__(self, path: Path) -> None:
        """Read ``path``; raises :class:`AstrafsError` where it cannot be used."""
        self._path = path
        self._tokens, self._stamp = _read(path)

    def __len__(self) -> int:
        return len(self._tokens)

    def find(self, given: bytes) -> Token | None:
        """Return the token that ``given`` is, None where it is none of them.

        Every digest is compared in full, so that the time tells nothing.
        """
        digest = hashlib.sha256(given).digest()
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def refresh(self, *, always: bool = False) -> bool:
        """Read the file again if it has changed, or ``always``; return whether it was read.

        Raises :class:`AstrafsError` where it cannot be used, once per change; the tokens then stay.
        """
        stamp = _stamp(self._path)
        if stamp == self._stamp and not always:
            return False
        self._stamp = stamp
        self._tokens, self._stamp = _read(self._path)
        return True


def append(path: Path, name: str, scopes: Sequence[str]) -> str:
    """Make a token, append its line to ``path`` (made if missing), and return it.

    The file holds only the hash: the token cannot be had again. Raises :class:`AstrafsError`.
    """
    if not _NAME.fullmatch(name):
        raise AstrafsError(
            codes.BAD_TOKENS.nowhere("a name of a token has letters, digits, `.`, `_` and `-`")
        )
    ordered = _scopes(scopes, "--scope")
    if path.exists():
        _read(path)
    token = _PREFIX + secrets.token_urlsafe(32)
    line = f"{name} {','.join(ordered)} {hashlib.sha256(token.encode()).hexdigest()}\n"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = "\n" + line
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _bad(path, (error.strerror or str(error)).lower()) from None
    return token


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def _read(path: Path) -> tuple[tuple[Token, ...], tuple[int, ...]]:
    stamp = _stamp(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise _bad(path, "it is no regular file")
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            raise _bad(path, f"others may use it (mode {mode:o})", f"`chmod 600 {path}`")
        if found.st_uid not in (os.geteuid(), 0):
            raise _bad(path, "it belongs to another user")
        if found.st_size > MOST_BYTES:
            raise _bad(path, f"it is larger than {MOST_BYTES:,} bytes")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _bad(path, reason, "`astrafs token NAME` makes a token and the file") from None
    except UnicodeDecodeError:
        raise _bad(path, "it is not UTF-8") from None
    tokens = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            tokens.append(_token(path, number, line.split()))
    if not tokens:
        raise _bad(path, "it holds no token", "`astrafs token NAME` makes one")
    return tuple(tokens), stamp


def _token(path: Path, number: int, words: list[str]) -> Token:
    where = f"line {number:,}"
    if len(words) != 3:
        raise _bad(path, f"{where} has {len(words)} words", "write: NAME read,write SHA256")
    name, scopes, digest = words
    if not _NAME.fullmatch(name):
        raise _bad(path, f"{where} has no name of letters, digits, `.`, `_` and `-`")
    if not _DIGEST.fullmatch(digest):
        raise _bad(path, f"{where} does not end in a SHA-256 of 64 small hexadecimal digits")
    ordered = _scopes(scopes.split(","), f"`{path.name}`, {where}")
    return Token(name, frozenset(ordered), bytes.fromhex(digest))


def _scopes(given: Sequence[str], where: str) -> tuple[str, ...]:
    for scope in given:
        if scope not in SCOPES:
            near = closest(scope, SCOPES)
            found = codes.BAD_TOKENS.nowhere(f"{where}: there is no scope of that name")
            listed = " and ".join(f"`{one}`" for one in SCOPES)
            advice = f"did you mean `{near}`?" if near else f"the scopes are {listed}"
            raise AstrafsError(found.help(advice))
    return tuple(scope for scope in SCOPES if scope in given)


def _bad(path: Path, reason: str, advice: str = "") -> AstrafsError:
    found = codes.BAD_TOKENS.nowhere(f"the file of tokens `{path}` cannot be used: {reason}")
    return AstrafsError(found.help(advice) if advice else found)
