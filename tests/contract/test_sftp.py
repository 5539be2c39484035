"""SFTP beyond the contract: what an upload does to the names at the payer, what is collected, hostile servers."""

from __future__ import annotations

import asyncio
import itertools
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry, settings
from adapters.contract.samples import answer, outbound, question_or_claims
from adapters.contract.trips import Trip, collected, leaks, shown, trip
from adapters.protocol import Context, Delivered, InDoubt, NotSent
from adapters.transports.sftp import names
from adapters.transports.sftp.client import SftpSettings
from adapters.transports.trouble import ExchangeFailed
from tests.contract.peers import SftpPeer, openssh, public_line, ssh_key

ADAPTER = registry.load("sftp")
CLAIMS = question_or_claims("837")
NAME = "837_000000001.x12"


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Generator[int, None, None]:
    with openssh(tmp_path_factory.mktemp("sshd")) as port:
        yield port


@asynccontextmanager
async def payer(port: int, folder: Path, **changes: str) -> AsyncGenerator[Trip, None]:
    async with trip(ADAPTER, SftpPeer(port, folder)) as on:
        told = {**on.context.settings, **changes}
        yield on._replace(context=msgspec.structs.replace(on.context, settings=told))


def listed(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


# --- uploading ---


async def test_a_file_gets_its_name_when_it_is_whole_and_nothing_else_stays(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path) as on:
        assert Delivered(NAME) == await on.send(outbound("837"))
    assert {NAME: CLAIMS} == listed(tmp_path / "in")


async def test_the_same_again_is_delivered_and_written_once(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path) as on:
        await on.send(outbound("837"))
        before = (tmp_path / "in" / NAME).stat().st_mtime_ns
        assert Delivered(NAME) == await on.send(outbound("837"))
    assert before == (tmp_path / "in" / NAME).stat().st_mtime_ns


@pytest.mark.parametrize("content", [b"", b"another file", b"X" * len(CLAIMS)])
async def test_f16_a_name_that_is_taken_is_never_overwritten(sshd: int, tmp_path: Path, content: bytes) -> None:
    async with payer(sshd, tmp_path) as on:
        (tmp_path / "in" / NAME).write_bytes(content)
        outcome = await on.send(outbound("837"))
        assert NotSent("the name is taken by another file at the payer", 3600.0, "interchange") == outcome
    assert {NAME: content} == listed(tmp_path / "in")


async def test_f13_a_rest_of_an_upload_that_was_cut_off_is_written_anew(sshd: int, tmp_path: Path) -> None:
    out = outbound("837")
    async with payer(sshd, tmp_path) as on:
        (tmp_path / "in" / f".{NAME}.{out.sha256[:8]}.part").write_bytes(CLAIMS[:100] + b"X" * len(CLAIMS))
        assert "absent" == await ADAPTER.probe(out, on.context)
        assert Delivered(NAME) == await on.send(out)
    assert {NAME: CLAIMS} == listed(tmp_path / "in")


async def test_unfinished_files_may_have_a_folder_of_their_own(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path, staging=str(tmp_path / "staging")) as on:
        (tmp_path / "staging").mkdir()
        assert Delivered(NAME) == await on.send(outbound("837"))
    assert ({NAME: CLAIMS}, {}) == (listed(tmp_path / "in"), listed(tmp_path / "staging"))


async def test_a_folder_that_is_not_there_is_not_sent(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path, upload=str(tmp_path / "nowhere")) as on:
        assert NotSent("SFTPNoSuchFile") == await ADAPTER.send(outbound("837"), on.context)


async def test_another_host_key_is_not_sent_and_nothing_is_collected(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path, host_keys=public_line(ssh_key("other"))) as on:
        assert NotSent("HostKeyNotVerifiable") == await on.send(outbound("837"))
        assert "unknown" == await ADAPTER.probe(outbound("837"), on.context)
        with pytest.raises(ExchangeFailed, match="HostKeyNotVerifiable"):
            await collected(on)


async def test_one_of_several_host_keys_is_enough(sshd: int, tmp_path: Path) -> None:
    pinned = f"{public_line(ssh_key('other'))}\n{public_line(ssh_key('host'))}\n"
    async with payer(sshd, tmp_path, host_keys=pinned) as on:
        assert Delivered(NAME) == await on.send(outbound("837"))


async def test_a_login_that_is_refused_waits_for_a_mend_and_is_not_told(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path) as on:
        stranger = {"private_key": ssh_key("other").export_private_key().decode(), "password": "hush-hush"}
        outcome = await ADAPTER.send(outbound("837"), msgspec.structs.replace(on.context, secrets=stranger))
        assert NotSent("credentials refused", 60.0) == outcome
        assert [] == leaks(shown(outcome), stranger)


# --- evidence ---


async def test_what_the_payer_took_and_put_away_is_received_where_we_know_the_place(sshd: int, tmp_path: Path) -> None:
    out, place = outbound("837"), f"{tmp_path}/in/{{name}}.processed"
    async with payer(sshd, tmp_path, processed=f"{tmp_path}/done/{{name}} {place}") as on:
        assert "unknown" == await ADAPTER.probe(out, on.context)
        await on.send(out)
        (tmp_path / "in" / NAME).rename(tmp_path / "in" / f"{NAME}.processed")
        assert "received" == await ADAPTER.probe(out, on.context)
    async with payer(sshd, tmp_path) as on:
        assert "unknown" == await ADAPTER.probe(out, on.context)


# --- collecting ---


async def test_only_files_that_are_finished_are_collected(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path) as on:
        out = tmp_path / "out"
        for name in (".hidden", "a.part", "b.TMP", "c.filepart", "back\\slash"):
            (out / name).write_bytes(answer())
        (out / "folder").mkdir()
        (out / "link").symlink_to(tmp_path / "in")
        (out / "secret").symlink_to("/etc/hostname")
        os.mkfifo(out / "pipe")
        (out / "report.txt").write_bytes(b"not X12 at all")
        (out / "r\xe9mit.835").write_bytes(answer(2))
        got = {f.name: f.payload for f in await collected(on)}
    assert {"report.txt": b"not X12 at all", "r\\xc3\\xa9mit.835": answer(2)} == got


async def test_names_that_are_no_text_are_names_too(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path) as on:
        (tmp_path / "out" / os.fsdecode(b"\xff\xfe.835")).write_bytes(answer())
        (one,) = await collected(on)
        assert "\\xff\\xfe.835" == one.name
        await ADAPTER.settle(one, on.context)
        assert 0 == await on.peer.offered()


async def test_f17_a_file_that_still_grows_waits_and_one_without_its_end_is_told(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path, still_seconds="0.2") as on:
        growing = tmp_path / "out" / "growing.835"
        growing.write_bytes(answer()[:100])
        (tmp_path / "out" / "good.835").write_bytes(answer())

        async def grows() -> None:
            for number in itertools.count():
                await asyncio.sleep(0.02)
                growing.write_bytes(answer()[:100] + b"X" * number)

        writing = asyncio.create_task(grows())
        try:
            assert ["good.835"] == [f.name for f in await collected(on)]
        finally:
            writing.cancel()
        with pytest.raises(ExchangeFailed, match="no IEA"):
            await collected(on)
        growing.write_bytes(answer())
        assert {"growing.835", "good.835"} == {f.name for f in await collected(on)}


async def test_the_pattern_chooses(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path, pattern="*.835") as on:
        for name in ("a.835", "b.999"):
            await on.peer.offer(name, answer())
        assert ["a.835"] == [f.name for f in await collected(on)]


async def test_f18_a_new_file_under_an_old_name_is_not_settled_with_the_old_one(sshd: int, tmp_path: Path) -> None:
    async with payer(sshd, tmp_path) as on:
        await on.peer.offer("a.835", answer(1))
        (old,) = await collected(on)
        await on.peer.offer("a.835", answer(1) + answer(2))
        await ADAPTER.settle(old, on.context)
        assert [answer(1) + answer(2)] == [f.payload for f in await collected(on)]


async def test_a_stored_file_may_be_moved_instead_and_overwrites_nothing(sshd: int, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    async with payer(sshd, tmp_path, settles="move", archive=str(archive)) as on:
        for number in (1, 2):
            await on.peer.offer("a.835", answer(number))
            (one,) = await collected(on)
            for _ in range(2):
                await ADAPTER.settle(one, on.context)
    assert [answer(1), answer(2)] == sorted(listed(archive).values())
    assert {} == listed(tmp_path / "out")


# --- servers that misbehave ---


# SSH_FXF_WRITE of SFTP version 3.
_FOR_WRITING = 2


class Payer(asyncssh.SFTPServer):
    """A server of ours, for what OpenSSH does not do; `faults` maps an operation to the error that it ends in."""

    faults: dict[str, Callable[[], Exception]]
    said: list[asyncssh.SFTPName] | None = None
    after_rename: Callable[[Path], None] | None = None

    def _fail(self, operation: str) -> None:
        if operation in self.faults:
            raise self.faults[operation]()

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        self._fail("open" if pflags & _FOR_WRITING else "read")
        return super().open(path, pflags, attrs)

    def write(self, file_obj: Any, offset: int, data: bytes) -> Any:
        self._fail("write")
        return super().write(file_obj, offset, data)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._fail("rename")
        super().rename(oldpath, newpath)
        if self.after_rename is not None:
            self.after_rename(Path(os.fsdecode(newpath)))
        self._fail("renamed")

    def remove(self, path: bytes) -> None:
        self._fail("remove")
        super().remove(path)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        if self.said is None:
            async for one in super().scandir(path):
                yield one
        else:
            for one in self.said:
                yield one


class Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


@asynccontextmanager
async def serving(folder: Path, **kept: Any) -> AsyncGenerator[Trip, None]:
    made = type("Made", (Payer,), {"faults": {}, **kept})
    acceptor = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Open, server_host_keys=[ssh_key("host")], sftp_factory=made, config=None
    )
    async with acceptor, payer(acceptor.get_port(), folder) as on:
        yield on


def _full() -> Exception:
    return asyncssh.SFTPFailure("no space left")


def _denied() -> Exception:
    return asyncssh.SFTPPermissionDenied("read only")


@pytest.mark.parametrize("operation", ["open", "write", "rename"])
@pytest.mark.parametrize("error", [_full, _denied])
async def test_f15_a_server_that_takes_no_file_got_none_and_nothing_stays(
    tmp_path: Path, operation: str, error: Callable[[], Exception]
) -> None:
    async with serving(tmp_path, faults={operation: error}) as on:
        assert isinstance(await on.send(outbound("837")), NotSent)
    assert {} == listed(tmp_path / "in")


async def test_what_cannot_be_taken_back_is_in_doubt(tmp_path: Path) -> None:
    async with serving(tmp_path, faults={"rename": _full, "remove": _denied}) as on:
        assert isinstance(await on.send(outbound("837")), InDoubt)


async def test_a_file_that_the_payer_takes_at_once_is_delivered(tmp_path: Path) -> None:
    async with serving(tmp_path, after_rename=staticmethod(Path.unlink)) as on:
        assert Delivered(NAME) == await ADAPTER.send(outbound("837"), on.context)


async def test_f14_a_rename_that_came_about_and_is_told_as_failed_is_delivered(tmp_path: Path) -> None:
    async with serving(tmp_path, faults={"renamed": _full}) as on:
        assert Delivered(NAME) == await on.send(outbound("837"))


def _evil_names() -> list[bytes]:
    plain = [
        b"..",
        b".",
        b"",
        b"/etc/passwd",
        b"../../escape",
        b"a/../../b",
        b"a\0b",
        b"\\..\\..\\c",
        b"~root",
        b"%2e%2e%2f",
    ]
    made = [
        p + b"x" * n for p in (b"../", b"/", b"\r\n", b"\x1b[2J", b".", b"nul\0", b"a/", b"c:\\") for n in range(1, 22)
    ]
    return [*plain, *made, b"A" * 256, b"A" * 5_000, b"\xff" * 300, *(bytes([n]) for n in range(32)), b"fine.835"]


async def test_two_hundred_evil_names_write_nothing_anywhere(tmp_path: Path) -> None:
    attributes = asyncssh.SFTPAttrs(size=len(answer()), permissions=stat.S_IFREG | 0o644, mtime=1, atime=1)
    evil = [asyncssh.SFTPName(name, b"", attributes) for name in _evil_names()]
    assert 200 <= len(evil)
    async with serving(tmp_path, said=evil) as on:
        before = everything(tmp_path)
        with pytest.raises(ExchangeFailed):
            await collected(on)
        assert before == everything(tmp_path)


@pytest.mark.parametrize("size", [0, 7, 1 << 40])
async def test_a_server_that_lies_about_a_size_is_not_believed(tmp_path: Path, size: int) -> None:
    lie = asyncssh.SFTPAttrs(size=size, permissions=stat.S_IFREG | 0o644, mtime=1, atime=1)
    async with serving(tmp_path, said=[asyncssh.SFTPName(b"a.835", b"", lie)]) as on:
        await on.peer.offer("a.835", answer())
        with pytest.raises(ExchangeFailed):
            await collected(on)


# --- names and settings ---


@given(st.binary(max_size=300))
def test_a_name_that_is_used_is_one_name_in_one_folder(name: bytes) -> None:
    if names.usable(name):
        assert b"/" not in name
        assert name not in (b".", b"..")
        assert 0 < len(name) <= 255
        assert names.label(name).isprintable()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{set_id}_{control_number}.x12", "837_000000001.x12"),
        (
            "{sender}.{receiver}.{date}{time}.{control_number}.{usage}.dat",
            "ALDERFP.SANDBOX.202601050930.000000001.T.dat",
        ),
        ("{key}", "0198b2c0-7d5e-7000-8000-000000000001"),
    ],
)
def test_a_name_follows_from_the_interchange(template: str, expected: str) -> None:
    assert "" == names.fault_of(template)
    assert expected == names.name_of(template, outbound("837"))


def test_what_an_interchange_says_cannot_lead_out_of_the_folder() -> None:
    evil = CLAIMS.replace(b"ALDERFP        *ZZ", b"../../../etc/x *ZZ")
    assert "_________etc_x-000000001" == names.name_of("{sender}-{control_number}", outbound("837", evil))


@pytest.mark.parametrize(
    "template",
    [
        "{set_id}.x12",
        "{nothing}{key}",
        "{key",
        "{key.__class__}",
        "{key!r}",
        "{key:>9}",
        "../{key}",
        "a/{key}",
        "{0}{key}",
    ],
)
def test_a_template_that_cannot_be_used_is_told(template: str) -> None:
    assert names.fault_of(template)


def test_every_fault_of_the_settings_is_told_at_once() -> None:
    told = {"hots": "x", "user": "", "port": "ninety", "upload": "in/", "settles": "burn", "still_seconds": "-1"}
    faults = settings.problems(SftpSettings, told)
    assert {"hots", "user", "port", "upload", "settles", "still_seconds", "host", "host_keys"} == {
        f.partition(":")[0] for f in faults
    }
    assert "hots: not known, did you mean 'host'?" in faults
    assert ["archive: needed with settles = move"] == settings.problems(
        SftpSettings, {"host": "h", "user": "u", "host_keys": "k", "upload": "in", "settles": "move"}
    )


@pytest.mark.parametrize(
    ("setting", "secrets", "named"),
    [({"host_keys": "ssh-ed25519 nonsense"}, {}, "host_keys"), ({}, {"private_key": "no key"}, "private_key"),
     ({"name": "{key}" + "x" * 90}, {}, "name")],
)  # fmt: skip
async def test_keys_that_are_none_send_nothing_and_are_told_by_name(
    tmp_path: Path, setting: dict[str, str], secrets: dict[str, str], named: str
) -> None:
    peer = SftpPeer(9, tmp_path)
    async with trip(ADAPTER, peer) as on:
        told = {**on.context.settings, **setting}
        context = Context(told, {**peer.secrets, **secrets}, on.context.session, on.context.now, 5)
        outcome = await ADAPTER.send(outbound("837"), context)
        assert isinstance(outcome, NotSent)
        assert named in outcome.reason
        assert "nonsense" not in outcome.reason
        assert "no key" != outcome.reason
