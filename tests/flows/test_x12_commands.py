"""`claimwire x12` as it is used: the exit codes, standard input and JSON of every command, and what it never shows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

import x12
from gateway.cli import app
from tests import synthetic

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = {"level", "severity", "code", "loop", "segment", "position", "element", "message"}


def run(*words: str | Path, stdin: bytes | None = None) -> Result:
    """A command in this process."""
    result = CliRunner().invoke(app, ["x12", *map(str, words)], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def process(*words: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of the real command."""
    told = subprocess.run(
        [sys.executable, "-m", "gateway", "x12", *map(str, words)], input=stdin, capture_output=True, cwd=ROOT
    )
    return told.returncode, told.stdout.decode(), told.stderr.decode()


def objects(text: str) -> list[Any]:
    """Every line as JSON."""
    return [msgspec.json.decode(line) for line in text.splitlines()]


def saved(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return saved(tmp_path, "clean.x12", synthetic.claims_837p(3))


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    return saved(tmp_path, "faulty.x12", synthetic.claims_837p(3, wrong=True))


# --- the contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["validate", "ack", "read"])
def test_the_exit_code_tells_accepted_findings_and_unreadable(
    command: str, clean: Path, faulty: Path, tmp_path: Path
) -> None:
    nothing = saved(tmp_path, "nothing.x12", "no interchange in here")
    empty = saved(tmp_path, "empty.x12", "")
    assert 0 == process(command, clean)[0]
    assert 1 == process(command, clean, faulty)[0]
    for unreadable in (nothing, empty, tmp_path / "missing.x12", tmp_path):
        code, _, complained = process(command, faulty, unreadable, clean)
        assert (2, "Traceback" in complained) == (code, False)


@pytest.mark.parametrize("command", ["validate", "ack", "read"])
def test_standard_input_is_a_file_like_any_other(command: str, clean: Path, faulty: Path) -> None:
    for path, code in ((clean, 0), (faulty, 1)):
        assert code == process(command, "-", stdin=path.read_bytes())[0]


def test_json_is_one_object_a_file(clean: Path, faulty: Path, tmp_path: Path) -> None:
    told = objects(run("validate", "--json", clean, faulty, tmp_path / "missing").stdout)
    assert [True, False, False] == [t["accepted"] for t in told]
    (interchange,) = told[1]["interchanges"]
    (one,) = interchange["groups"][0]["transactions"]
    assert ("837", False) == (one["setId"], one["accepted"])
    assert one["findings"]
    assert all(set(f) >= ALWAYS for f in one["findings"])
    assert [f | {"interchange": "000000001", "group": "1", "transaction": "0001"} for f in one["findings"]] == told[1][
        "findings"
    ]
    assert "does not exist" in told[2]["unreadable"]


def test_json_tells_every_interchange_group_and_set_in_its_place(tmp_path: Path) -> None:
    one = synthetic.interchange("HC", "005010X222A1", [["ST*837*{ST02}*005010X222A1"]] * 3)
    head, _, rest = one.partition("~ST*")
    empty = "~GS*HC*A*B*20260105*0930*7*X*005010X222A1~GE*0*7"
    both = f"{head}~GE*0*1{empty}~GS*HC*A*B*20260105*0930*8*X*005010X222A1~ST*{rest}"
    path = saved(tmp_path, "several.x12", both + one)
    (told,) = objects(run("validate", "--json", path).stdout)
    groups = [[len(g["transactions"]) for g in i["groups"]] for i in told["interchanges"]]
    assert [[0, 0, 3], [3]] == groups
    expected = x12.read(path.read_bytes())
    count = sum(
        len(i.findings) + sum(len(g.findings) for g in i.groups) + sum(len(s.findings) for s in i.sets)
        for i in expected
    )
    assert count == len(told["findings"])


def test_levels_choose_what_is_judged(faulty: Path) -> None:
    everything = objects(run("validate", "--json", faulty).stdout)[0]["findings"]
    levels = {f["level"] for f in everything}
    for level in levels:
        chosen = objects(run("validate", "--json", "--levels", str(level), faulty).stdout)[0]["findings"]
        assert [f for f in everything if f["level"] == level] == chosen
    assert 2 == run("validate", "--levels", "0-9", faulty).exit_code


def test_a_report_names_place_and_message_and_is_plain_where_it_is_no_terminal(faulty: Path) -> None:
    _, told, _ = process("validate", faulty)
    (received,) = x12.read(faulty.read_bytes())
    found = [f for s in received.sets for f in s.findings]
    assert found
    assert [] == [f for f in found if f.place not in told or f.message not in told]
    assert "\x1b" not in told


# --- ack ---------------------------------------------------------------------------------------------------------------


def test_an_acknowledgement_is_itself_accepted(clean: Path, faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "answer.x12"
    assert 1 == run("ack", clean, faulty, "--out", out).exit_code
    first, second = x12.read(out.read_bytes())
    assert ["A", "R"] == [i.groups[0].sets[0].segments[-2].split(i.delimiters.element)[1] for i in (first, second)]
    assert 0 == run("validate", out).exit_code


@pytest.mark.parametrize(("option", "expected"), [("--ta1", (1, 0)), ("--999", (0, 1))])
def test_one_kind_of_acknowledgement_can_be_asked_for(option: str, expected: tuple[int, int], clean: Path) -> None:
    (answer,) = x12.read(run("ack", option, clean).stdout.encode())
    assert expected == (len(answer.acknowledgements), len(answer.groups))


# --- read --------------------------------------------------------------------------------------------------------------


def test_reading_gives_a_line_for_each_set_with_its_documents_and_raw_segments(clean: Path) -> None:
    (line,) = objects(run("read", "--raw", clean).stdout)
    (received,) = x12.read(clean.read_bytes())
    assert ("837P", 3) == (line["transactionType"], len(line["documents"]))
    assert received.sets[0].segments == line["raw"]
    names = [d["claimInformation"]["patientControlNumber"] for d in line["documents"]]
    assert [f"PCN{n:08d}" for n in range(3)] == names


# --- the corpus --------------------------------------------------------------------------------------------------------


def corpus_files() -> Sequence[Path]:
    folder = os.environ.get("CLAIMWIRE_CORPUS")
    if not folder:
        return ()
    names = msgspec.json.decode((Path(folder) / "manifest.json").read_bytes())
    return [Path(folder) / n["file"] for n in names]


@pytest.mark.skipif(not corpus_files(), reason="CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
@pytest.mark.parametrize(
    "command", [("validate",), ("validate", "--json"), ("ack",), ("ack", "--json"), ("read", "--raw")]
)
def test_no_file_of_the_corpus_is_too_much_for_a_command(command: tuple[str, ...]) -> None:
    result = run(*command, *corpus_files())
    assert 2 == result.exit_code
    if "--json" in command:
        assert [str(p) for p in corpus_files()] == [told["file"] for told in objects(result.stdout)]
