"""`claimwire x12` as it is used: the exit codes, standard input and JSON of every command, and what it never shows."""

from __future__ import annotations

import base64
import gc
import hashlib
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

import x12
from gateway import x12_aside
from gateway.cli import app
from gateway.x12_pages import html_page
from gateway.x12_writing import Given, interchanges
from tests import synthetic
from tests.flows.test_docs_page import BROWSER, browser, pixels
from tests.laws.test_explaining import PLANTED, leaked
from x12.documents.claim_acknowledgement import claim_verdicts
from x12.transactions import kind_of

pytestmark = pytest.mark.one_engine

ROOT = Path(__file__).resolve().parents[2]
# What a Python begins with.
COLLECTED_AFTER = (700, 10, 10)
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
    assert 0 == run(command, clean).exit_code
    assert 1 == run(command, clean, faulty).exit_code
    for unreadable in (nothing, empty, tmp_path / "missing.x12", tmp_path):
        assert 2 == run(command, faulty, unreadable, clean).exit_code


def test_the_exit_code_is_that_of_the_process(clean: Path, faulty: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.x12"
    told = [process("validate", *files) for files in ([clean], [clean, faulty], [faulty, missing])]
    assert [0, 1, 2] == [code for code, _, _ in told]
    assert [False] * 3 == ["Traceback" in complained for _, _, complained in told]


@pytest.mark.parametrize("command", ["validate", "ack", "read"])
def test_standard_input_is_a_file_like_any_other(command: str, clean: Path, faulty: Path) -> None:
    for path, code in ((clean, 0), (faulty, 1)):
        assert code == run(command, "-", stdin=path.read_bytes()).exit_code


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


def test_claims_are_acknowledged_one_by_one_when_asked(tmp_path: Path) -> None:
    text = synthetic.claims_837p(3).replace("*11:B:1*", "*999:B:1*", 1)
    path = saved(tmp_path, "one-wrong.x12", text)
    first, report = x12.read(run("ack", "--999", "--277ca", path).stdout.encode())
    assert ["FA", "HN"] == [i.groups[0].functional_id for i in (first, report)]
    assert [True, True] == [s.accepted for i in (first, report) for s in i.sets]
    assert [False, True, True] == sorted(bool(v.accepted) for v in claim_verdicts(report.sets[0].tree()))


def test_a_companion_guide_is_judged_at_level_7(clean: Path, tmp_path: Path) -> None:
    rule = saved(tmp_path, "plan.companion", "companion 005010X222A1 837  Plan\n2000B SBR09 = MB  Medicare only\n")
    (told,) = objects(run("validate", "--json", "--companion", rule, clean).stdout)
    assert {7} == {f["level"] for f in told["findings"]}
    assert 0 == run("validate", "--levels", "1-6", "--companion", rule, clean).exit_code
    for text in ("no head\n", "companion 005010X222A1 837  Plan\n2000B ZZZ R\n"):
        assert 2 == run("validate", "--companion", saved(tmp_path, "wrong.companion", text), clean).exit_code


def test_a_payers_rules_are_judged_at_level_7(clean: Path, tmp_path: Path) -> None:
    assert (
        2
        == run(
            "validate", "--companion", saved(tmp_path, "wrong.rules", "rules 005010X222A1  Plan\nnonsense\n"), clean
        ).exit_code
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules 005010X222A1  Plan\n\nnonsense\n", "wrong.rules:3: not the head of a rule"),
        ("rules 005010X222A1  Plan\n\nY-2300-001  7 error  2300\n  forbids REF*ZZZ\n  say No.\n  from X\n", "wrong.rules:4: loop 2300 has no REF*ZZZ"),
        ("rules 005010X299A1  Plan\n\nY-2300-001  7 error  2300\n  forbids REF*F8\n", "it names no guide that is judged here"),
        ("companion 005010X222A1 837  Plan\n2000B ZZZ R\n", "wrong.rules:2: "),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_payers_text_is_told_by_its_file_and_line_before_anything_is_judged(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    told = run("validate", "--companion", saved(tmp_path, "wrong.rules", text), tmp_path / "no-file.x12")
    assert (2, True) == (told.exit_code, said in " ".join(told.stderr.split()))
    assert "" == told.stdout


def test_loaded_code_lists_are_judged_by(clean: Path, tmp_path: Path) -> None:
    folder = tmp_path / "codes"
    folder.mkdir()
    saved(folder, "icd10cm.codes", "A000  Cholera\n")
    (told,) = objects(run("validate", "--json", "--codes", folder, clean).stdout)
    assert {5} == {f["level"] for f in told["findings"]}
    assert {"HI"} == {f["segment"] for f in told["findings"]}
    assert 2 == run("validate", "--codes", tmp_path / "none", clean).exit_code


# --- read --------------------------------------------------------------------------------------------------------------


def test_reading_gives_a_line_for_each_set_with_its_documents_and_raw_segments(clean: Path) -> None:
    (line,) = objects(run("read", "--raw", clean).stdout)
    (received,) = x12.read(clean.read_bytes())
    assert ("837P", 3) == (line["transactionType"], len(line["documents"]))
    assert received.sets[0].segments == line["raw"]
    names = [d["claimInformation"]["patientControlNumber"] for d in line["documents"]]
    assert [f"PCN{n:08d}" for n in range(3)] == names


# --- write -------------------------------------------------------------------------------------------------------------


def test_what_is_read_is_written_and_read_again(clean: Path) -> None:
    lines = process("read", clean)[1]
    code, text, complained = process("write", "-", stdin=lines.encode())
    assert (0, True) == (code, "control numbers, dates and times are new" in complained)
    again = process("read", "-", stdin=text.encode())[1]
    first, second = objects(lines), objects(again)
    assert [line["documents"] for line in first] == [line["documents"] for line in second]
    assert ["SYNTHSEND"] == [line["interchange"]["sender"] for line in second]


def shape(text: str) -> list[list[list[int]]]:
    """Of each interchange and group, how many claims its sets have."""
    return [[[len(list(x12.claims(s))) for s in g.sets] for g in i.groups] for i in x12.read(text.encode())]


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_what_was_read_in_interchanges_groups_and_sets_of_its_own_is_written_so_again(
    option: tuple[str, ...], tmp_path: Path
) -> None:
    whole = [synthetic.claims_837p(n) for n in (1, 2, 3)]
    two_sets = whole[1].partition("~ST*")[2].partition("~GE*")[0].replace("*0001~", "*0002~")
    two_sets = whole[0].replace("~GE*1*1~", f"~ST*{two_sets.replace('837*0001', '837*0002')}~GE*2*1~")
    group = "~GS*" + whole[2].partition("~GS*")[2].partition("~IEA")[0].replace("*1*X*", "*2*X*").replace(
        "GE*1*1", "GE*1*2"
    )
    first = two_sets.replace("~IEA*1*", f"{group}~IEA*2*")
    text = first + whole[1].replace("*000000001", "*000000002")
    assert [[[1, 2], [3]], [[2]]] == shape(text)
    told = run("read", *option, saved(tmp_path, "several.x12", text)).stdout
    written = run("write", "-", stdin=told.encode())
    assert 0 == written.exit_code, written.output
    assert "control numbers, dates and times are new" in written.stderr
    assert [[[1, 2], [3]], [[2]]] == shape(written.stdout)
    assert all(s.accepted for i in x12.read(written.stdout.encode()) for s in i.sets)


def test_claims_of_one_type_share_a_set_where_nothing_says_where_they_were(clean: Path) -> None:
    (line,) = objects(run("read", clean).stdout)
    alone = [{"transactionType": "837P", "document": document} for document in line["documents"]]
    assert [[[3]]] == shape(run("write", "-", stdin=msgspec.json.encode(alone)).stdout)


def test_an_object_for_a_file_is_written_as_well(clean: Path) -> None:
    (told,) = objects(run("read", "--json", clean).stdout)
    (verdict,) = objects(run("validate", "--json", clean).stdout)
    one = told["interchanges"][0]["groups"][0]["transactions"][0]
    assert ("837P", 3) == (one.pop("transactionType"), len(one.pop("documents")))
    assert verdict == told
    again = run("write", "-", stdin=run("read", "--json", clean).stdout.encode())
    assert 0 == run("diff", "--ignore-envelope", clean, "-", stdin=again.stdout.encode()).exit_code


def test_writing_takes_a_document_alone_and_the_envelope_from_options(clean: Path) -> None:
    (line,) = objects(run("read", clean).stdout)
    alone = msgspec.json.encode(line["documents"][0])
    options = ("--type", "837P", "--sender", "ME", "--receiver", "YOU", "--usage", "P", "--control-number", "12")
    (made,) = x12.read(run("write", "-", *options, stdin=alone).stdout.encode())
    assert ("ME", "YOU", "P", "000000012") == (made.sender, made.receiver, made.usage, made.control_number)
    assert [True] == [s.accepted for s in made.sets]


def test_writing_refuses_with_the_path_of_what_is_wrong(clean: Path, tmp_path: Path) -> None:
    (line,) = objects(run("read", clean).stdout)
    line["documents"][1]["claimInformation"]["patientControlNumber"] = "7|7"
    out = tmp_path / "out.x12"
    refused = run("write", "-", "--json", "--out", out, stdin=msgspec.json.encode([line, {"transactionType": "9"}, 3]))
    (told,) = objects(refused.stdout)
    assert (1, False, False) == (refused.exit_code, told["accepted"], out.exists())
    paths = [f["path"] for f in told["findings"] if f["severity"] == "error"]
    assert {"[0].documents[1].claimInformation.patientControlNumber", "[1].transactionType", "[2]"} <= set(paths)
    assert "7|7" not in refused.output


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"ISA*00*"])
def test_what_is_no_json_is_unreadable(data: bytes) -> None:
    assert 2 == run("write", "-", stdin=data).exit_code


# --- explain, diff, fix --------------------------------------------------------------------------------------------------


def test_an_explanation_names_loops_segments_elements_and_findings(clean: Path, faulty: Path) -> None:
    code, told, _ = process("explain", faulty)
    (received,) = x12.read(faulty.read_bytes())
    assert 1 == code
    assert [] == [f.message for f in received.sets[0].findings if f.message not in told]
    assert all(w in told for w in ("2010BA Subscriber Name", "Total Claim Charge Amount", "sends 3 claims", "[masked]"))
    assert ("PCN00000001" in told, "PCN00000001" in process("explain", "--reveal", clean)[1]) == (False, True)
    (said,) = objects(run("explain", "--json", clean).stdout)
    assert ["837P"] == [t["kind"] for t in said["interchanges"][0]["transactions"]]


def test_a_page_needs_nothing_from_anywhere_and_runs_nothing(faulty: Path, tmp_path: Path) -> None:
    name = tmp_path / "<script>alert(1)<script>.x12"
    name.write_bytes(faulty.read_bytes().replace(b"SYNTHETIC HEALTH PLAN", b"<img src=x> & <b>"))
    out = tmp_path / "page.html"
    assert 1 == run("explain", name, "--html", out).exit_code
    page = out.read_text("utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src 'none'; style-src 'sha256-" in policy
    style = page.split("<style>")[1].split("</style>")[0]
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    assert [] == re.findall(r"<(?:script|link|img|iframe|object|form)\b", page)
    assert [] == re.findall(r'<[^>]*\s(?:src|on\w+|href="(?!#))', page)
    assert [] == re.findall(r"url\(|@import|https?:", page)
    assert "&lt;img src=x&gt; &amp; &lt;b&gt;" in page


@pytest.mark.parametrize(
    ("command", "kept_bytes_a_set"), [("explain", 4_000), ("diff", 8_000)], ids=["a page", "a difference"]
)
def test_f40_no_file_is_held_in_memory(
    command: str,
    kept_bytes_a_set: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Of a set that was looked at its envelope stays, which explained would be a hundred kilobytes."""
    monkeypatch.setattr(x12_aside, "_MEMORY_BYTES", 1)
    # A server that ran in this process before has made the collector look more seldom than it does for a command.
    seldom = gc.get_threshold()
    request.addfinalizer(lambda: gc.set_threshold(*seldom))
    gc.set_threshold(*COLLECTED_AFTER)
    one = synthetic.responses_271(1)

    def peak_bytes(count: int) -> int:
        file = saved(
            tmp_path, f"{count}.x12", "".join(one.replace("000000001", f"{n:09d}") for n in range(1, count + 1))
        )
        words = ("--html", tmp_path / "page.html") if command == "explain" else (file,)
        peaks: list[int] = []
        # The least of several: what is learned of guides on the way is learned once, and is not of the file.
        for _ in range(3):
            run(command, file, *words)
            tracemalloc.start()
            assert 0 == run(command, file, *words).exit_code
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        return min(peaks)

    assert peak_bytes(80) - peak_bytes(20) < 60 * kept_bytes_a_set


def test_a_difference_is_told_and_counted(clean: Path, tmp_path: Path) -> None:
    other = saved(tmp_path, "other.x12", clean.read_text().replace("*CI~", "*MB~", 1).replace("MEM0000001", "MEM7", 1))
    result = run("diff", clean, other)
    code, told = result.exit_code, result.stdout
    assert (1, True, True, False) == (code, "2 differences" in told, "SBR09" in told, "MEM7" in told)
    assert "MEM7" in run("diff", "--reveal", clean, other).stdout
    same = run("diff", clean, "-", stdin=clean.read_bytes())
    assert (0, "no difference\n") == (same.exit_code, same.stdout)
    (said,) = objects(run("diff", "--json", clean, other).stdout)
    assert ["SBR09", "NM109"] == [d["place"] for d in said["differences"]]
    assert 2 == run("diff", clean, tmp_path / "missing").exit_code


def test_a_fix_is_told_on_standard_error_and_the_file_goes_to_standard_output(clean: Path, tmp_path: Path) -> None:
    damaged = saved(tmp_path, "damaged.x12", clean.read_text().replace("~SE*", "~SE*9"))
    code, mended, told = process("fix", damaged)
    assert (0, clean.read_text(), True) == (code, mended, "SE01" in told)
    assert (0, clean.read_text()) == process("fix", "-", stdin=mended.encode())[:2]


def test_a_fix_in_place_keeps_what_was(clean: Path, faulty: Path, tmp_path: Path) -> None:
    text = clean.read_text().replace("~SE*", "~SE*9")
    damaged = saved(tmp_path, "damaged.x12", text)
    result = run("fix", "--in-place", "--json", damaged, faulty)
    assert (1, clean.read_text(), text) == (result.exit_code, damaged.read_text(), Path(f"{damaged}.bak").read_text())
    assert ([["count"], []], [True, False]) == (
        [[c["kind"] for c in o["changes"]] for o in objects(result.stdout)],
        [o["accepted"] for o in objects(result.stdout)],
    )
    assert not Path(f"{faulty}.bak").exists()
    assert 2 == run("fix", damaged, faulty).exit_code


@pytest.mark.parametrize("command", ["explain", "diff", "fix", "write"])
def test_what_cannot_be_read_is_told_without_a_traceback(command: str, clean: Path, tmp_path: Path) -> None:
    words = [tmp_path / "missing.x12", clean] if command == "diff" else [tmp_path / "missing.x12"]
    result = run(command, *words)
    assert (2, True) == (result.exit_code, "does not exist" in result.stderr)


# --- pyx12 beside ----------------------------------------------------------------------------------------------------------


def test_a_second_opinion_lists_where_it_differs(faulty: Path, clean: Path, tmp_path: Path) -> None:
    (told,) = objects(run("validate", "--oracle", "--json", clean).stdout)
    assert (True, []) == (told["oracle"]["accepted"], told["oracle"].get("disagreements", []))
    question = saved(tmp_path, "270.x12", synthetic.interchange("HS", "005010X279A1", [["ST*270*{ST02}*005010X279A1"]]))
    assert "it has no guide for this GS08" in run("validate", "--oracle", question).stdout
    broken = saved(tmp_path, "broken.x12", clean.read_text().replace("*472*D8*20251202", "*472*RD8*2025-12-02"))
    (told,) = objects(run("validate", "--oracle", "--json", broken).stdout)
    assert (None, True) == (told["oracle"]["accepted"], "raises" in told["oracle"]["broke"])


# --- what is never shown -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", PLANTED)
@pytest.mark.parametrize("command", ["validate", "explain", "html", "diff", "fix", "oracle"])
def test_what_tells_who_somebody_is_is_never_printed(command: str, version: str, tmp_path: Path) -> None:
    path = saved(tmp_path, "planted.x12", PLANTED[version])
    page = tmp_path / "page.html"
    words: dict[str, list[list[str | Path]]] = {
        "validate": [["validate", path], ["validate", "--json", path]],
        "explain": [["explain", path], ["explain", "--json", path]],
        "html": [["explain", path, "--html", page]],
        "diff": [["diff", path, saved(tmp_path, "other.x12", PLANTED[version].replace("CANARY", "CANARYX"))]],
        "fix": [["fix", "--json", path, "--out", tmp_path / "fixed.x12"]],
        "oracle": [["validate", "--oracle", path], ["validate", "--oracle", "--json", path]],
    }
    for line in words[command]:
        result = run(*line)
        assert result.exit_code in (0, 1)
        assert [] == leaked(result.output)
    assert [] == leaked(page.read_text() if page.exists() else "")


# --- in a browser ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
async def test_a_page_is_laid_out_in_a_browser(faulty: Path, tmp_path: Path) -> None:
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    run("explain", faulty, "--html", page)
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = (await browser(profile, "--dump-dom", page.as_uri())).decode()
    await browser(profile, "--window-size=1200,1600", f"--screenshot={picture}", page.as_uri())
    (received,) = x12.read(synthetic.claims_837p(3, wrong=True).encode())
    assert len(received.sets[0].segments) + 2 == shown.count('<details class="segment')
    assert 8 < len(set(pixels(picture.read_bytes())))


# --- the corpus --------------------------------------------------------------------------------------------------------


def corpus_files() -> Sequence[Path]:
    folder = os.environ.get("CLAIMWIRE_CORPUS")
    if not folder:
        return ()
    names = msgspec.json.decode((Path(folder) / "manifest.json").read_bytes())
    return [Path(folder) / n["file"] for n in names]


@pytest.mark.skipif(not corpus_files(), reason="CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
@pytest.mark.parametrize(
    "command",
    [
        ("validate",),
        ("validate", "--json"),
        ("ack",),
        ("ack", "--json"),
        ("read", "--raw"),
        ("explain",),
        ("explain", "--json"),
    ],
)
def test_no_file_of_the_corpus_is_too_much_for_a_command(command: tuple[str, ...]) -> None:
    result = run(*command, *corpus_files())
    assert 2 == result.exit_code
    if "--json" in command:
        assert [str(p) for p in corpus_files()] == [told["file"] for told in objects(result.stdout)]


@pytest.mark.skipif(not corpus_files(), reason="CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
def test_every_file_of_the_corpus_is_mended_in_place(tmp_path: Path) -> None:
    copies = [tmp_path / f"{number}.x12" for number, _ in enumerate(corpus_files())]
    for copy, path in zip(copies, corpus_files(), strict=True):
        copy.write_bytes(path.read_bytes())
    told = objects(run("fix", "--in-place", "--json", *copies).stdout)
    assert [str(c) for c in copies] == [t["file"] for t in told]
    again = objects(run("fix", "--in-place", "--json", *copies).stdout)
    assert [] == [t["file"] for t in again if t.get("changes")]


@pytest.mark.skipif(not corpus_files(), reason="CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
def test_no_file_of_the_corpus_differs_from_itself_and_each_is_laid_out() -> None:
    for path in corpus_files():
        parts = x12.read(path.read_bytes())
        assert [] == list(x12.difference(parts, parts)), path
        chapters = [(x12.explain(i), [x12.explain(s) for s in i.sets]) for i in parts]
        assert "</html>" in "".join(html_page(path.name, chapters, reveal=False)), path


@pytest.mark.skipif(not corpus_files(), reason="CLAIMWIRE_CORPUS names no folder with a corpus of X12 files")
def test_every_accepted_set_of_the_corpus_is_written_and_read_again() -> None:
    refused: set[str] = set()
    compared = 0
    for path in corpus_files():
        sets = [s for i in x12.read(path.read_bytes()) for s in i.sets if s.accepted]
        asked = [
            {"transactionType": k.name, "documents": x12.documents_of(s)}
            for s in sets
            if (k := kind_of(s)) and k.writer
        ]
        asked = [entry for entry in asked if entry["documents"]]
        if not asked:
            continue
        made = interchanges(msgspec.json.encode(asked), Given())
        if not made.accepted:
            refused.add(path.name)
            continue
        written = "".join(made.texts).encode()
        again = [d for i in x12.read(written) for s in i.sets for d in x12.documents_of(s)]
        both = ([d for entry in asked for d in entry["documents"]], again)
        assert sorted(map(msgspec.json.encode, both[0])) == sorted(map(msgspec.json.encode, both[1])), path
        compared += 1
    # A vertical bar in its data is a character that we keep for a delimiter.
    assert {"kartik-hirijaganer__gainwell_271_redacted.edi"} == refused
    assert 60 < compared


def test_a_process_leaves_no_core() -> None:
    """It would hold what files say of patients, and a service's its keys, in the open."""
    told = "import atexit, resource as r; atexit.register(lambda: print(r.getrlimit(r.RLIMIT_CORE)))"
    code = f"{told}; from gateway.cli import main; main()"
    said = subprocess.run([sys.executable, "-c", code, "keys", "--help"], capture_output=True, text=True, cwd=ROOT)
    assert said.stdout.rstrip().endswith("(0, 0)"), said.stderr
