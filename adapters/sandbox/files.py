"""The sandbox payer over SFTP: a folder that takes files, and one that gives them (README.md says what happens to which).

Nothing of it touches this machine's disk: unfinished uploads are in memory, taken files and the outbox with the payer.

Sources: draft-ietf-secsh-filexfer-02 (version 3: rename fails where the name is taken), PROTOCOL of OpenSSH (posix-rename, fsync).
"""

from __future__ import annotations

import asyncio
import hmac
import posixpath
import stat
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import asyncssh
from asyncssh import SFTPAttrs, SFTPError, SFTPName

from adapters.sandbox.payer import KeyUsed, Payer
from adapters.sandbox.weather import BEFORE, Fault, Weather

__all__ = ["FilesFace"]

_IN, _OUT, _TAKEN = "/inbound", "/outbound", "/inbound/processed"
_FOLDERS = ("/", _IN, _OUT, _TAKEN)
# What is not finished is called so; under any other name a file is taken as soon as it is closed or renamed.
_UNFINISHED = (".part", ".partial", ".tmp", ".filepart")
_FILE_BYTES_MAX, _FILES_MAX = 256 << 20, 1_000
_SLOW_SECONDS, _HANG_SECONDS = 1.0, 600.0
# How a file is opened (version 3).
_WRITE, _APPEND, _TRUNCATE, _EXCLUSIVE = 0x02, 0x04, 0x10, 0x20


class FilesFace:
    """One payer, over SFTP. Any user may come; `token` is the password, "" asks for none that is right."""

    def __init__(self, payer: Payer, weather: Weather, token: str) -> None:
        self.payer = payer
        self.weather = weather
        self.token = token
        # Uploads that are not finished, by their paths: they are there for every connection, until the process ends.
        self.uploads: dict[str, _Upload] = {}
        self.closing = asyncio.Event()
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.port = 0
        self.host_key = ""
        self._acceptor: asyncssh.SSHAcceptor | None = None

    async def listen(self, host: str, port: int, call: Callable[..., Awaitable[Any]]) -> None:
        """Begin to serve; port 0 takes a free one. `call` runs what may block."""
        # What asyncssh says about the types of its options is not all known to a type checker.
        ssh: Any = asyncssh
        fresh = ssh.generate_private_key("ssh-ed25519").export_private_key("openssh").decode()
        key = asyncssh.import_private_key(await call(self.payer.host_key, fresh))
        self.host_key = key.export_public_key("openssh").decode().strip()

        def factory(channel: Any) -> _Files:
            return _Files(channel, self, call)

        self._acceptor = await ssh.listen(
            host,
            port,
            server_host_keys=[key],
            server_factory=lambda: _Door(self),
            sftp_factory=factory,
            allow_scp=False,
            agent_forwarding=False,
            login_timeout=30,
        )
        assert self._acceptor is not None
        self.port = self._acceptor.get_port()

    async def close(self) -> None:
        """Leave; who is kept waiting is cut off."""
        self.closing.set()
        if self._acceptor is not None:
            self._acceptor.close()
            for connection in tuple(self.connections):
                connection.abort()
            await self._acceptor.wait_closed()


class _Upload:
    """A file that is being written."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.changed_at = time.time()


class _Open:
    """An open file: where, and its content; what is written goes into the upload of that path."""

    def __init__(self, path: str, content: bytes | bytearray, *, writing: bool) -> None:
        self.path = path
        self.content = content
        self.writing = writing


class _Door(asyncssh.SSHServer):
    def __init__(self, face: FilesFace) -> None:
        self._face = face

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._face.connections.add(conn)
        if self._face.weather.outside() == "drop":
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._face.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        token = self._face.token
        return not token or hmac.compare_digest(password.encode(), token.encode())


def _path(path: bytes) -> str:
    """A path from the root, without detours."""
    return posixpath.normpath("/" + path.decode("utf-8", "backslashreplace")).replace("//", "/")


def _is_unfinished(path: str) -> bool:
    name = posixpath.basename(path)
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def _file(size: int, at: float) -> SFTPAttrs:
    return SFTPAttrs(permissions=stat.S_IFREG | 0o600, size=size, uid=0, gid=0, atime=int(at), mtime=int(at))


_FOLDER = SFTPAttrs(permissions=stat.S_IFDIR | 0o700, size=0, uid=0, gid=0, atime=0, mtime=0)


class _Files(asyncssh.SFTPServer):
    """What one client sees and does."""

    def __init__(self, channel: Any, face: FilesFace, call: Callable[..., Awaitable[Any]]) -> None:
        cast(Any, super()).__init__(channel)
        self._face = face
        self._call = call

    # --- looking ---

    def realpath(self, path: bytes) -> bytes:
        return _path(path).encode()

    async def lstat(self, path: bytes) -> SFTPAttrs:
        at = _path(path)
        if at in _FOLDERS:
            return _FOLDER
        if (upload := self._face.uploads.get(at)) is not None:
            return _file(len(upload.content), upload.changed_at)
        folder, name = posixpath.split(at)
        if folder == _TAKEN and (taken := await self._call(self._face.payer.taken_file, name)) is not None:
            return _file(taken[0], taken[1].timestamp())
        if folder == _OUT:
            for entry in await self._given():
                if entry.filename == name.encode():
                    return entry.attrs
        raise asyncssh.SFTPNoSuchFile("no such file")

    async def stat(self, path: bytes) -> SFTPAttrs:
        return await self.lstat(path)

    def fstat(self, file_obj: object) -> SFTPAttrs:
        assert isinstance(file_obj, _Open)
        return _file(len(file_obj.content), time.time())

    async def listdir(self, path: bytes) -> list[SFTPName]:
        at = _path(path)
        if at not in _FOLDERS:
            raise asyncssh.SFTPNoSuchFile("no such folder")
        await self._late()
        if self._face.weather.outside() != "ok":
            raise asyncssh.SFTPFailure("come back later")
        entries = [SFTPName(b".", attrs=_FOLDER), SFTPName(b"..", attrs=_FOLDER)]
        entries += [_named(f, _FOLDER) for f in _FOLDERS[1:] if posixpath.dirname(f) == at]
        if at == _OUT:
            entries += await self._given()
        for name, upload in self._face.uploads.items():
            if posixpath.dirname(name) == at:
                entries.append(_named(name, _file(len(upload.content), upload.changed_at)))
        return entries

    async def _given(self) -> list[SFTPName]:
        """The outbox. Its files have no time but the number in their reference: rising, and the same at every look."""
        payer = self._face.payer
        entries: list[SFTPName] = []
        for listed in await self._call(payer.files):
            content = await self._call(payer.file, listed.reference)
            if content is not None:
                entries.append(_named(listed.name, _file(len(content), int(listed.reference.rpartition("-")[2]))))
        return entries

    async def _reference(self, path: str) -> str:
        name = posixpath.basename(path)
        found = [f.reference for f in await self._call(self._face.payer.files) if f.name == name]
        if posixpath.dirname(path) != _OUT or not found:
            raise asyncssh.SFTPNoSuchFile("no such file")
        return found[0]

    # --- reading and writing ---

    async def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        at, uploads = _path(path), self._face.uploads
        if pflags & (_WRITE | _APPEND):
            if posixpath.dirname(at) != _IN:
                raise asyncssh.SFTPPermissionDenied("files are put into /inbound")
            if at in uploads and pflags & _EXCLUSIVE:
                raise asyncssh.SFTPFailure("the name is taken")
            if at not in uploads and len(uploads) >= _FILES_MAX:
                raise asyncssh.SFTPFailure("too many unfinished files")
            if at not in uploads or pflags & _TRUNCATE:
                uploads[at] = _Upload()
            return _Open(at, uploads[at].content, writing=True)
        if at in uploads:
            return _Open(at, bytes(uploads[at].content), writing=False)
        content = await self._call(self._face.payer.file, await self._reference(at))
        if content is None:
            raise asyncssh.SFTPNoSuchFile("no such file")
        return _Open(at, content, writing=False)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        assert isinstance(file_obj, _Open)
        return bytes(file_obj.content[offset : offset + size])

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        assert isinstance(file_obj, _Open)
        upload = self._face.uploads.get(file_obj.path)
        if not file_obj.writing or upload is None or upload.content is not file_obj.content:
            raise asyncssh.SFTPPermissionDenied("this file is not open for writing")
        if offset + len(data) > _FILE_BYTES_MAX:
            raise asyncssh.SFTPFailure("the file is too large")
        upload.content.extend(bytes(max(0, offset - len(upload.content))))
        upload.content[offset : offset + len(data)] = data
        upload.changed_at = time.time()
        return len(data)

    async def close(self, file_obj: object) -> None:
        """A file that was written under its own name, not under that of an unfinished one, is taken now."""
        assert isinstance(file_obj, _Open)
        upload = self._face.uploads.get(file_obj.path)
        if file_obj.writing and upload is not None and not _is_unfinished(file_obj.path):
            await self._take(file_obj.path, file_obj.path)

    def fsync(self, file_obj: object) -> None:
        """What is unfinished is promised to nobody."""

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Times and modes are the payer's own affair."""

    lsetstat = setstat

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        """As `setstat`."""

    # --- names ---

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._renamed(_path(oldpath), _path(newpath), over=False)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._renamed(_path(oldpath), _path(newpath), over=True)

    async def _renamed(self, old: str, new: str, *, over: bool) -> None:
        uploads = self._face.uploads
        if old not in uploads:
            raise asyncssh.SFTPNoSuchFile("no such file")
        if posixpath.dirname(new) != _IN or new in _FOLDERS:
            raise asyncssh.SFTPPermissionDenied("files are put into /inbound")
        if new in uploads and not over:
            raise asyncssh.SFTPFailure("the name is taken")
        if _is_unfinished(new):
            uploads[new] = uploads.pop(old)
        else:
            await self._take(old, new)

    async def _take(self, written: str, path: str) -> None:
        """The payer takes a file, and puts it where it puts what it took; then the weather."""
        await self._late()
        fault = self._face.weather.next()
        if fault in BEFORE:
            self._struck(fault)
            raise asyncssh.SFTPFailure("come back later")
        try:
            content = bytes(self._face.uploads[written].content)
            await self._call(self._face.payer.take_file, posixpath.basename(path), content)
        except KeyUsed:
            raise asyncssh.SFTPFailure("the name is taken") from None
        self._face.uploads.pop(written, None)
        if fault == "fail-500":
            raise asyncssh.SFTPFailure("something went wrong after the commit")
        if fault in ("slow", "hang"):
            await self._wait(_SLOW_SECONDS if fault == "slow" else _HANG_SECONDS)
        if fault in ("hang", "cut"):
            self.connection.abort()

    def _struck(self, fault: Fault) -> None:
        if fault == "drop":
            self.connection.abort()

    async def _late(self) -> None:
        if self._face.weather.latency_seconds:
            await self._wait(self._face.weather.latency_seconds)

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._face.closing.wait(), seconds)
        except TimeoutError:
            return

    async def remove(self, path: bytes) -> None:
        at = _path(path)
        if self._face.uploads.pop(at, None) is None:
            await self._call(self._face.payer.remove, await self._reference(at))

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        raise _no_folders()

    def rmdir(self, path: bytes) -> None:
        raise _no_folders()

    def readlink(self, path: bytes) -> bytes:
        raise _no_folders()

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        raise _no_folders()

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise _no_folders()


def _no_folders() -> SFTPError:
    return asyncssh.SFTPPermissionDenied("there are no other folders, and no links")


def _named(path: str, attributes: SFTPAttrs) -> SFTPName:
    return SFTPName(posixpath.basename(path).encode(), attrs=attributes)
