"""What others wrote does not act on the terminal of whoever looks at it: no sequences, no turned text, no colours of their own."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.terminal import cells, pieces_of_json, plain
from tests import synthetic
from tests.flows.doubtful import doubtful, functional
from tests.flows.test_in_doubt import sent

pytestmark = pytest.mark.one_engine

# Clears the screen, renames the window, the same by C1, and turns what follows; a style of the tables' own, and one that ends none.
HOSTILE = "\x1b[2J\x1b]0;X\x07\x9b2J\u202e[bold]Y[/none]"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def run(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_sign_stands_for_each_character_that_a_terminal_obeys() -> None:
    assert "\u241b[2J\u241b]0;X\u2407\ufffd2J\ufffd[bold]Y[/none]" == plain(HOSTILE)
    assert "\u240a\u2409\u2421 JOSÉ ✓" == plain("\n\t\x7f JOSÉ ✓")
    assert [plain(HOSTILE)] == [cell.plain for cell in cells([HOSTILE])]


def test_json_says_the_same_with_such_characters_escaped() -> None:
    said = {HOSTILE: ["JOSÉ", HOSTILE, "\x7f"]}
    text = pieces_of_json(msgspec.json.format(msgspec.json.encode(said)).decode())
    assert None is OBEYED.search(text)
    assert said == msgspec.json.decode(text)
    assert "JOSÉ" in text


@pytest.fixture(scope="module")
def remittance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A remittance whose payer, patient and numbers are full of it."""
    text = synthetic.remittance_835(2)
    assert "N1*PR*" in text
    for begins in ("N1*PR*", "CLP*", "NM1*QC*1*", "TRN*1*"):
        text = text.replace(begins, begins + HOSTILE)
    # Its colon would be a component separator.
    path = tmp_path_factory.mktemp("hostile") / "a\x1b[2Jb.x12"
    path.write_text(text.replace("*ZZ*", f"*ZZ*{HOSTILE[:5]}", 1), "utf-8")
    return path


@pytest.mark.parametrize(
    "words",
    [
        *("validate", "validate --json", "read", "read --json", "read --raw", "explain", "explain --reveal"),
        *("explain --reveal --json", "diff --reveal", "diff --reveal --json", "fix --json", "ack --json"),
    ],
)
def test_a_file_does_not_act_on_the_terminal(words: str, remittance: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.x12"
    other.write_text(synthetic.remittance_835(2))
    files = (other, remittance) if words.startswith("diff") else (remittance,)
    wanted = ("--out", tmp_path / "mended.x12") if words.startswith("fix") else ()
    told = run("x12", *words.split(), *wanted, *files)
    assert 1 <= told.exit_code <= 2
    assert len(told.output) > 100
    assert None is OBEYED.search(told.output), words


def test_neither_does_the_name_of_a_key(tmp_path: Path) -> None:
    run("keys", "create", HOSTILE, "--data", tmp_path)
    assert None is OBEYED.search(run("keys", "list", "--data", tmp_path, "--json").output)
    assert None is OBEYED.search(run("keys", "list", "--data", tmp_path).output)


@pytest.mark.embedded
async def test_neither_does_what_a_payer_sent_that_matches_nothing(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as payer:
        (claim,) = await sent(payer, "PAID-1")
        stranger = msgspec.structs.replace(await payer.interchange(claim), control_number=777)
        file = functional(stranger, {"0001": "A"}).replace("ST*999*", f"N3*{HOSTILE}~ST*999*")
        inbound_id = await payer.arrives(file)
        for words in (["show", inbound_id, "--reveal"], ["show", inbound_id, "--reveal", "--json"], ["list"]):
            told = await asyncio.to_thread(run, "unmatched", *words, "--data", tmp_path)
            assert 0 == told.exit_code, told.output
            assert None is OBEYED.search(told.stdout)
            assert ("Y[/none]" in told.stdout) == ("--reveal" in words)
        traced = await asyncio.to_thread(run, "trace", claim, "--reveal", "--data", tmp_path)
        assert None is OBEYED.search(traced.stdout)
