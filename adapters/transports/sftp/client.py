"""The adapter over SFTP. The exchange is described in `adapters/sftp/README.md`.

An upload goes to a name of its own, is measured, and only then gets the name under which the payer looks for it, by a rename
that overwrites nothing. Whoever is cut off in between has said nothing that the payer reads.

Sources: draft-ietf-secsh-filexfer-02 (SFTP version 3), OpenSSH PROTOCOL (fsync@openssh.com).
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Annotated, Literal, NamedTuple, cast

import asyncssh
import msgspec
from asyncssh import (
    SFTPAttrs,
    SFTPClient,
    SFTPConnectionLost,
    SFTPError,
    SFTPNoConnection,
    SFTPNoSuchFile,
    SFTPOpUnsupported,
)

from adapters import settings
from adapters.protocol import (
    Capabilities,
    Context,
    Delivered,
    Evidence,
    Inbound,
    InDoubt,
    Manifest,
    NotSent,
    Outbound,
    Outcome,
)
from adapters.settings import SettingsError
from adapters.transports.sftp import names
from adapters.transports.trouble import AnswerCut, AnswerTooLarge, ExchangeFailed
from adapters.transports.whole import is_whole

__all__ = ["Sftp", "SftpSecrets", "SftpSettings"]

_CREDENTIALS_RETRY_SECONDS = 60.0
# Somebody has to look at a name that is taken: asking every minute finds nothing new.
_NAME_TAKEN_RETRY_SECONDS = 3600.0
_FILE_BYTES_MAX = 256 << 20
_NAMES_MAX = 20_000
_BLOCK = 1 << 20
_AWAY = (TimeoutError, OSError, asyncssh.Error)
# What is a status of SFTP and yet means that nobody is there any more.
_LOST = (SFTPConnectionLost, SFTPNoConnection)
_Folder = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*[^/\x00]$", max_length=1_000)]


class SftpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route over SFTP is told."""

    host: Annotated[str, msgspec.Meta(min_length=1, pattern=r"^\S+$", description="the payer's host")]
    user: Annotated[str, msgspec.Meta(min_length=1, description="the user name there")]
    host_keys: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            description="the payer's host key as `ssh-keyscan` prints it without the host, one a line; no other is believed",
        ),
    ]
    upload: Annotated[_Folder, msgspec.Meta(description="the folder that files are uploaded into")]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535, description="the payer's port")] = 22
    name: Annotated[str, msgspec.Meta(min_length=1, description="the template of a file's name")] = (
        "{set_id}_{control_number}.x12"
    )
    name_length_max: Annotated[int, msgspec.Meta(ge=8, le=255, description="the longest name that the payer takes")] = (
        100
    )
    staging: (
        Annotated[
            _Folder, msgspec.Meta(description="the folder for files that are not whole yet; by itself that of uploads")
        ]
        | None
    ) = None
    download: (
        Annotated[_Folder, msgspec.Meta(description="the folder that files are collected from; without it nothing is")]
        | None
    ) = None
    pattern: Annotated[str, msgspec.Meta(min_length=1, description="which names are collected (`*` and `?`)")] = "*"
    still_seconds: Annotated[
        float,
        msgspec.Meta(
            ge=0.0, le=3_600.0, description="a file whose size and time are the same after so long is finished"
        ),
    ] = 2.0
    settles: Annotated[
        Literal["remove", "move"], msgspec.Meta(description="what becomes of a file that is stored here")
    ] = "remove"
    archive: (
        Annotated[_Folder, msgspec.Meta(description="where such a file is moved to, with `settles` move")] | None
    ) = None
    processed: Annotated[
        str,
        msgspec.Meta(
            description="where the payer puts what it has taken, paths with `{name}` and blanks between: proof for a probe"
        ),
    ] = ""

    def __post_init__(self) -> None:
        fault = names.fault_of(self.name)
        if fault:
            raise ValueError(f"name: {fault}")
        if self.settles == "move" and self.archive is None:
            raise ValueError("archive: needed with settles = move")


class SftpSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route over SFTP must keep: a password, a key, or both."""

    password: Annotated[str, msgspec.Meta(description="the password")] = ""
    private_key: Annotated[str, msgspec.Meta(description="our private key, PEM or OpenSSH, whole")] = ""
    key_password: Annotated[str, msgspec.Meta(description="the password of that key")] = ""

    def __repr__(self) -> str:
        return "<SftpSecrets>"


class _Way(NamedTuple):
    """A route, read."""

    told: SftpSettings
    secrets: SftpSecrets
    host_keys: list[asyncssh.SSHKey]
    key: asyncssh.SSHKey | None

    def final(self, outbound: Outbound) -> bytes:
        return f"{self.told.upload}/{names.name_of(self.told.name, outbound)}".encode()

    def temporary(self, outbound: Outbound) -> bytes:
        name = names.name_of(self.told.name, outbound)
        if self.told.staging is not None:
            return f"{self.told.staging}/{name}".encode()
        return f"{self.told.upload}/.{name}.{outbound.sha256[:8]}.part".encode()


def _way(context: Context) -> _Way:
    told = settings.read(SftpSettings, context.settings)
    secrets = settings.read(SftpSecrets, context.secrets)
    try:
        pinned = [asyncssh.import_public_key(line) for line in told.host_keys.splitlines() if line.strip()]
    except asyncssh.KeyImportError:
        raise SettingsError(["host_keys: no key in the form of `ssh-ed25519 AAAA...`"]) from None
    try:
        key = (
            asyncssh.import_private_key(secrets.private_key, secrets.key_password or None)
            if secrets.private_key
            else None
        )
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise SettingsError(["private_key, key_password: this is no key, or not its password"]) from None
    return _Way(told, secrets, pinned, key)


class _Progress:
    """Whether a byte of the interchange has begun to leave."""

    begun = False


class Sftp:
    """The adapter over this transport."""

    capabilities = Capabilities(batch=frozenset(("837",)), collects=True, probes=True)

    def __init__(self, name: str) -> None:
        self.name = name
        self.manifest = Manifest(
            summary="files over SFTP",
            owner="claimwire",
            wire="ssh",
            settings=SftpSettings,
            secrets=SftpSecrets,
            skips={"real_time": "a file is not answered within the call"},
        )

    async def send(self, outbound: Outbound, context: Context) -> Outcome:
        try:
            way = _way(context)
        except SettingsError as error:
            return NotSent(str(error))
        name = names.name_of(way.told.name, outbound)
        if len(name) > way.told.name_length_max:
            return NotSent(
                f"name: the template makes a name longer than {way.told.name_length_max} characters",
                about="interchange",
            )
        progress = _Progress()
        try:
            async with asyncio.timeout(context.deadline_seconds), _connected(way) as sftp:
                return await _delivered(sftp, way, outbound, progress)
        except asyncssh.PermissionDenied:
            return NotSent("credentials refused", _CREDENTIALS_RETRY_SECONDS)
        except _AWAY as error:
            reason = type(error).__name__
            return InDoubt(reason) if progress.begun else NotSent(reason)

    async def collect(self, context: Context) -> AsyncGenerator[Inbound, None]:
        way = _read_way(context)
        folder = way.told.download
        if folder is None:
            return
        failure: ExchangeFailed | None = None
        async with _reached(way, context) as sftp:
            for name, attributes in await _finished(sftp, way, folder, context):
                # One file that cannot be fetched does not keep the others there; the caller hears of it at the end.
                try:
                    payload = await _fetched(sftp, f"{folder}/".encode() + name, attributes, context)
                except ExchangeFailed as error:
                    failure = failure or error
                    continue
                yield Inbound(_reference(name, attributes), names.label(name), payload)
        if failure is not None:
            raise failure

    async def settle(self, inbound: Inbound, context: Context) -> None:
        way = _read_way(context)
        size, modified, hexed = inbound.reference.split(":")
        name = bytes.fromhex(hexed)
        path = f"{way.told.download}/".encode() + name
        async with _reached(way, context) as sftp:
            try:
                async with asyncio.timeout(context.deadline_seconds):
                    there = await _looked_up(sftp, path)
                    # Another file under the same name has not been stored: it is collected in its turn.
                    if there is None or (str(there.size), str(there.mtime)) != (size, modified):
                        return
                    if way.told.settles == "remove":
                        await sftp.remove(path)
                    else:
                        await _moved(sftp, path, f"{way.told.archive}/".encode() + name)
            except _AWAY as error:
                raise ExchangeFailed(f"settling: {type(error).__name__}") from None

    async def probe(self, outbound: Outbound, context: Context) -> Evidence:
        """Received under its name or where the payer puts what it took; absent while only its unfinished file is there.

        Neither the one nor the other: the payer may have taken it and put it away, so that is no evidence.
        """
        try:
            way = _read_way(context)
            async with asyncio.timeout(context.deadline_seconds), _reached(way, context) as sftp:
                name = names.name_of(way.told.name, outbound)
                taken = [p.replace("{name}", name).encode() for p in way.told.processed.split()]
                for path in (way.final(outbound), *taken):
                    there = await _looked_up(sftp, path)
                    if there is not None and there.size == len(outbound.payload):
                        return "received"
                unfinished = await _looked_up(sftp, way.temporary(outbound))
                return "absent" if unfinished is not None else "unknown"
        except (ExchangeFailed, *_AWAY):
            return "unknown"


# --- the connection ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _connected(way: _Way) -> AsyncGenerator[SFTPClient, None]:
    """An SFTP session with the host whose key is pinned; nothing of this machine's own SSH plays a part in it."""
    told = way.told
    async with asyncssh.connect(
        told.host,
        told.port,
        username=told.user,
        password=way.secrets.password or None,
        client_keys=[way.key] if way.key is not None else None,
        known_hosts=(way.host_keys, [], []),
        config=None,
        agent_path=None,
        x509_trusted_certs=None,
        gss_host=None,
        host_based_auth=False,
        kbdint_auth=bool(way.secrets.password),
        connect_timeout=None,
        login_timeout=0,
        compression_algs=None,
    ) as connection:
        try:
            # Paths as bytes: a name that is no UTF-8 is a name too.
            yield await connection.start_sftp_client(path_encoding=None)
        finally:
            # No farewell, not of the session's either: a peer that still works on a request does not answer one.
            connection.abort()


@asynccontextmanager
async def _reached(way: _Way, context: Context) -> AsyncGenerator[SFTPClient, None]:
    """The same where nothing is delivered: ExchangeFailed when it cannot be had within the deadline."""
    connecting = _connected(way)
    try:
        async with asyncio.timeout(context.deadline_seconds):
            sftp = await connecting.__aenter__()
    except _AWAY as error:
        raise ExchangeFailed(f"connecting: {type(error).__name__}") from None
    try:
        yield sftp
    finally:
        await connecting.__aexit__(None, None, None)


def _read_way(context: Context) -> _Way:
    try:
        return _way(context)
    except SettingsError as error:
        raise ExchangeFailed(str(error)) from None


# --- delivering -------------------------------------------------------------------------------------------------------


async def _delivered(sftp: SFTPClient, way: _Way, outbound: Outbound, progress: _Progress) -> Outcome:
    final, temporary = way.final(outbound), way.temporary(outbound)
    known = await _known(sftp, final, outbound)
    if known is not None:
        return known
    try:
        await _written(sftp, temporary, outbound.payload, progress)
        written = await _looked_up(sftp, temporary)
    except _LOST:
        raise
    except SFTPError as error:
        return await _withdrawn(sftp, temporary, type(error).__name__)
    if written is None or written.size != len(outbound.payload):
        return await _withdrawn(sftp, temporary, "the file is not there as it was written")
    try:
        # The plain rename of version 3, which fails where the name is taken; posix-rename would overwrite.
        await sftp.rename(temporary, final)
    except _LOST:
        raise
    except SFTPNoSuchFile:
        # It was there a moment ago. Whoever took it may have taken it for what it is.
        return await _known(sftp, final, outbound) or InDoubt("the file is gone before it had its name")
    except SFTPError as error:
        known = await _known(sftp, final, outbound)
        if known is None and await _looked_up(sftp, temporary) is None:
            return InDoubt("the rename failed, and the file is gone")
        withdrawn = await _withdrawn(sftp, temporary, type(error).__name__)
        return known or withdrawn
    # Payers take what they find at once: that it is gone again already means nothing.
    return Delivered(names.name_of(way.told.name, outbound))


async def _known(sftp: SFTPClient, final: bytes, outbound: Outbound) -> Outcome | None:
    """What it means that a file has our name: an earlier copy of ours, or another's, which is never overwritten."""
    there = await _looked_up(sftp, final)
    if there is None:
        return None
    if await _is_ours(sftp, final, there, outbound):
        return Delivered(names.label(final.rpartition(b"/")[2]))
    return NotSent("the name is taken by another file at the payer", _NAME_TAKEN_RETRY_SECONDS, "interchange")


async def _written(sftp: SFTPClient, path: bytes, payload: bytes, progress: _Progress) -> None:
    async with sftp.open(path, "wb", encoding=None) as file:
        progress.begun = True
        await file.write(payload)
        with suppress(SFTPOpUnsupported):
            await file.fsync()


async def _withdrawn(sftp: SFTPClient, temporary: bytes, reason: str) -> Outcome:
    """What a refused upload comes to: nothing was sent, once what had been written is gone."""
    try:
        await sftp.remove(temporary)
    except _LOST:
        raise
    except SFTPError:
        if await _looked_up(sftp, temporary) is not None:
            return InDoubt(reason)
    return NotSent(reason)


async def _is_ours(sftp: SFTPClient, path: bytes, there: SFTPAttrs, outbound: Outbound) -> bool:
    """Whether a file that has our name has our bytes too: an earlier copy of this very delivery."""
    if there.size != len(outbound.payload) or not _is_regular(there):
        return False
    async with sftp.open(path, "rb", encoding=None) as file:
        return await _read(file, len(outbound.payload)) == outbound.payload


# --- collecting -------------------------------------------------------------------------------------------------------


async def _finished(sftp: SFTPClient, way: _Way, folder: str, context: Context) -> list[tuple[bytes, SFTPAttrs]]:
    """The files that two looks found the same, oldest first."""
    try:
        async with asyncio.timeout(context.deadline_seconds):
            before = await _listed(sftp, way, folder)
        if not before:
            return []
        await asyncio.sleep(way.told.still_seconds)
        async with asyncio.timeout(context.deadline_seconds):
            after = await _listed(sftp, way, folder)
    except _AWAY as error:
        raise ExchangeFailed(f"listing: {type(error).__name__}") from None
    still = [(name, now) for name, now in after.items() if name in before and _same(before[name], now)]
    return sorted(still, key=lambda one: (one[1].mtime or 0, one[0]))


async def _listed(sftp: SFTPClient, way: _Way, folder: str) -> dict[bytes, SFTPAttrs]:
    found: dict[bytes, SFTPAttrs] = {}
    seen = 0
    async for entry in sftp.scandir(folder.encode()):
        name = entry.filename if isinstance(entry.filename, bytes) else entry.filename.encode()
        seen += 1
        if seen > _NAMES_MAX:
            break
        # What is said of links in a listing is said of the link: only regular files are files.
        if names.usable(name) and _is_regular(entry.attrs) and fnmatchcase(names.label(name), way.told.pattern):
            found[name] = entry.attrs
    return found


async def _fetched(sftp: SFTPClient, path: bytes, listed: SFTPAttrs, context: Context) -> bytes:
    """All of a file; ExchangeFailed when it is not whole, or changes while it is read."""
    if (listed.size or 0) > _FILE_BYTES_MAX:
        raise AnswerTooLarge(_FILE_BYTES_MAX)
    try:
        async with asyncio.timeout(context.deadline_seconds):
            there = await _looked_up(sftp, path)
            if there is None or not _is_regular(there):
                raise ExchangeFailed("fetching: the file is gone, or none")
            async with sftp.open(path, "rb", encoding=None) as file:
                payload = await _read(file, _FILE_BYTES_MAX)
            after = await _looked_up(sftp, path)
    except _AWAY as error:
        raise ExchangeFailed(f"fetching: {type(error).__name__}") from None
    if after is None or not _same(listed, after) or len(payload) != listed.size:
        raise ExchangeFailed("fetching: the file changed while it was read")
    if payload.lstrip()[:3] == b"ISA" and not is_whole(payload):
        raise AnswerCut("no IEA", payload)
    return payload


async def _read(file: asyncssh.SFTPClientFile, bytes_max: int) -> bytes:
    """What a file has from its beginning, whatever its size is said to be."""
    # Not parts that are joined: a large file would be there twice.
    whole, size = BytesIO(), 0
    while block := cast(bytes, await file.read(_BLOCK, size)):
        whole.write(block)
        size += len(block)
        if size > bytes_max:
            raise AnswerTooLarge(bytes_max)
    return whole.getvalue()


async def _moved(sftp: SFTPClient, path: bytes, to: bytes) -> None:
    """Moved without overwriting: where the name is taken, the file gets its time behind it."""
    try:
        await sftp.rename(path, to)
    except _LOST:
        raise
    except SFTPError:
        there = await sftp.lstat(path)
        await sftp.rename(path, to + f".{there.mtime}".encode())


async def _looked_up(sftp: SFTPClient, path: bytes) -> SFTPAttrs | None:
    """What is at a path, links not followed; None where there is nothing."""
    try:
        return await sftp.lstat(path)
    except SFTPNoSuchFile:
        return None


def _same(one: SFTPAttrs, other: SFTPAttrs) -> bool:
    return (one.size, one.mtime) == (other.size, other.mtime)


def _is_regular(attributes: SFTPAttrs) -> bool:
    return attributes.permissions is not None and stat.S_ISREG(attributes.permissions)


def _reference(name: bytes, attributes: SFTPAttrs) -> str:
    """What settles a file: its name, and how to know that it is still the same one."""
    return f"{attributes.size}:{attributes.mtime}:{name.hex()}"
