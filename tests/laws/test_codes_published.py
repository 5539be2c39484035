"""Lists as their keepers publish them are read into the same codes, words and days, whatever their layout."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import code_files
from gateway.cli import app
from gateway.code_files import CodeFileError
from x12.codes.listing import CodeList, ListError, merge, render
from x12.codes.published import read


def _order(*rows: tuple[str, int, str]) -> str:
    lines = (
        f"{n:05d} {code:<7} {flag} {words[:60]:<60} {words} at length" for n, (code, flag, words) in enumerate(rows, 1)
    )
    return "\r\n".join(lines) + "\r\n"


def _hcpcs_line(code: str, record: str, long: str, short: str = "", added: str = "", ended: str = "") -> str:
    line = f"{code:<5}00100{record}{long[:80]:<80}{short:<28}".ljust(268)
    return (line + f"{added:<8}{added:<8}{ended:<8}N").ljust(320)


_HCPCS = "\n".join(
    [
        _hcpcs_line("A0021", "3", "Ambulance service, outside", "Outside state ambulance", "19820101"),
        _hcpcs_line("A0021", "4", "state per mile"),
        _hcpcs_line("G9999", "3", "A code that ended", "Ended code", "20150101", "20231231"),
        _hcpcs_line("   LT", "7", "Left side", "Left side", "19900101"),
    ]
)
_TAXONOMY = (
    "Code,Grouping,Classification,Specialization,Definition,Notes,Display Name,Section\n"
    '207Q00000X,Physicians,Family Medicine,,"Looks after all, of any age.\nOver two lines.",,Family Medicine Physician,Individual\n'
    "261QM0801X,Clinics,Clinic/Center,Mental Health,,,Mental Health Clinic,Non-Individual\n"
)
_REASONS = (
    "Code\tDescription\tStart\tLast Modified\tStop\n"
    "1\tDeductible\t01/01/1995\t\t\n"
    "W1\tWorkers' compensation\t02/29/2000\t6/2/2013\t07/01/2014\n"
)


@pytest.mark.parametrize(
    ("file_name", "text", "name", "codes", "spans", "covers"),
    [
        (
            "icd10cm_order_2026.txt",
            _order(("A00", 0, "Cholera"), ("A000", 1, "Cholera, one kind"), ("S72001A", 1, "Fracture")),
            "icd10cm",
            {"A000": "Cholera, one kind at length", "S72001A": "Fracture at length"},
            {},
            ("20251001", "20260930"),
        ),
        (
            "icd10cm_codes_2025.txt",
            "A000    Cholera\nS72001A Fracture of the neck\n",
            "icd10cm",
            {"A000": "Cholera", "S72001A": "Fracture of the neck"},
            {},
            ("20241001", "20250930"),
        ),
        (
            "icd10pcs_order_2026.txt",
            _order(("001", 0, "Bypass"), ("0016070", 1, "Bypass of something")),
            "icd10pcs",
            {"0016070": "Bypass of something at length"},
            {},
            ("20251001", "20260930"),
        ),
        (
            "LONGULT_2026.txt",
            "CPT is somebody's.\nUse needs a licence.\n\n00100\tAnesthesia for one thing\n0001A\tVaccine one\n",
            "cpt",
            {"00100": "Anesthesia for one thing", "0001A": "Vaccine one"},
            {},
            ("20260101", "20261231"),
        ),
        (
            "Consolidated_Code_List_2026.txt",
            "Some words first\nConcept Id\tCPT Code\tLong\tMedium\tShort\n1\t99213\tLong one\tMedium one\tShort one\n",
            "cpt",
            {"99213": "Short one"},
            {},
            ("20260101", "20261231"),
        ),
        (
            "CDT2026.csv",
            "Code,Nomenclature,Descriptor\nD0120,periodic evaluation,more of it\n",
            "cdt",
            {"D0120": "periodic evaluation"},
            {},
            ("20260101", "20261231"),
        ),
        (
            "nucc_taxonomy_261.csv",
            _TAXONOMY,
            "provider_taxonomy",
            {"207Q00000X": "Family Medicine Physician", "261QM0801X": "Mental Health Clinic"},
            {},
            ("20260701", "20261231"),
        ),
        (
            "CARC.txt",
            _REASONS,
            "claim_adjustment_reason",
            {"1": "Deductible", "W1": "Workers' compensation"},
            {"1": (("19950101", ""),), "W1": (("20000229", "20140701"),)},
            ("", "20140701"),
        ),
        (
            "rarc.json",
            json.dumps([{"code": "N1", "description": "Appeal", "start": "2000-01-01", "stop": None}]),
            "remittance_advice_remark",
            {"N1": "Appeal"},
            {"N1": (("20000101", ""),)},
            ("", "20000101"),
        ),
        (
            "codes-508.json",
            json.dumps({"resourceType": "CodeSystem", "concept": [{"code": "19", "display": "Entity acknowledges"}]}),
            "claim_status",
            {"19": "Entity acknowledges"},
            {},
            ("", ""),
        ),
        (
            "pos.json",
            json.dumps({"11": "Office", "12": {"name": "Home", "effective_date": "1/1/2003"}}),
            "place_of_service",
            {"11": "Office", "12": "Home"},
            {"12": (("20030101", ""),)},
            ("", "20030101"),
        ),
        (
            "currency.codes",
            "# ours\n@covers ..2026-01-01\nUSD  [1900-01-01..]  Dollar\n",
            "currency",
            {"USD": "Dollar"},
            {"USD": (("19000101", ""),)},
            ("", "20260101"),
        ),
    ],
)
def test_a_published_list_is_read(
    file_name: str,
    text: str,
    name: str,
    codes: dict[str, str],
    spans: dict[str, object],
    covers: tuple[str, str],
) -> None:
    found = read(text, f"somewhere/{file_name}")
    assert [name] == list(found)
    assert (codes, spans, (covers,)) == (dict(found[name].words), dict(found[name].spans), found[name].covers)


def test_the_hcpcs_file_holds_procedures_and_modifiers_with_their_days() -> None:
    found = read(_HCPCS, "HCPC2026_APR_ANWEB.txt")
    procedures, modifiers = found["hcpcs_level_2"], found["hcpcs_modifier"]
    assert {"A0021": "Outside state ambulance", "G9999": "Ended code"} == dict(procedures.words)
    assert {"A0021": (("19820101", ""),), "G9999": (("20150101", "20231231"),)} == dict(procedures.spans)
    assert {"LT": "Left side"} == dict(modifiers.words)
    assert (("20260401", "20260630"),) == procedures.covers == modifiers.covers


_INI = """3/01/26
3.2.2
[1]
Message=Deductible
EffDate=1/1/1995
DeactDate=
[W1]
Message=Fee schedule
EffDate=2/29/2000
DeactDate=7/1/2014
[M1]
Message=X-ray too old
EffDate=1/1/1997
DeactDate=
[ZZZZ]
Message=of another list
"""


def test_the_file_of_cms_holds_reasons_and_remarks() -> None:
    found = read(_INI, "Codes.ini", until="20260301")
    assert {"claim_adjustment_reason": ["1", "W1"], "remittance_advice_remark": ["M1"]} == {
        name: list(codes.words) for name, codes in found.items()
    }
    reasons = found["claim_adjustment_reason"]
    assert {"1": (("19950101", ""),), "W1": (("20000229", "20140701"),)} == dict(reasons.spans)
    assert (("", "20260301"),) == reasons.covers


@pytest.mark.parametrize(
    ("file_name", "text", "name", "expected"),
    [
        ("Codes.ini", _INI.replace("1/1/1997", "13/1/1997"), "", "line 11 cannot be read"),
        ("Codes.ini", _INI.replace("Message=X-ray", "X-ray"), "", "line 12 cannot be read"),
        ("icd10cm_codes_2025.txt", "A000    Cholera\nA001\n\nB 1\n", "", "lines 2, 4 cannot be read"),
        ("icd10cm_codes.txt", "A000    Cholera\n", "", "say from which day"),
        ("CDT2026.csv", "Code,Nomenclature\nD0120,one\nX0120,two\nD1,three\n", "", "line 3: not of the form"),
        (
            "CDT2026.csv",
            "Code,Nomenclature\nCDT is somebody's.,\nD0120,one\nhalf a line here too,\nD0121,two\n",
            "",
            "line 4: not of the form",
        ),
        ("CDT2026.csv", 'Code,Nomenclature\nD0120,"one\nmore"\nD013,two\n', "", "line 4: not of the form"),
        ("carc.csv", "Code,Description,Start\n1,one,31/31/1995\n", "", "line 2: a date that is none"),
        ("carc.csv", "Code,Description,Start,Stop\n1,one,1/1/2000,1/1/1999\n", "", "line 2: the code ends before"),
        ("carc.csv", "Code,Description\n1\n", "", "line 2: fewer columns"),
        ("carc.csv", "Code,Description\n1,\n", "", "line 2: a code without words"),
        ("carc.json", '{"codes": [1]}', "", "entry 1 is not an object"),
        ("carc.json", '{"codes": [{"kode": 1}]}', "", "entry 1 has no code or no words"),
        ("carc.json", '{"codes": ', "", "the JSON cannot be read"),
        ("x.csv", "Code,Description\nQQ,one\n", "", "say so"),
        ("x.csv", "Code,Description\nQQ,one\n", "shoes", "no list is called 'shoes'"),
        ("x.csv", "Code,Description\n99213,one\n", "hcpcs", "say one of cpt, hcpcs_level_2, cdt"),
        ("x.txt", "what is this?\nnot a list!\n", "", "cannot be read"),
        ("x.txt", "\n \n", "", "the file is empty"),
        ("carc.csv", "Code,Description\n", "", "no codes were found"),
        ("shoes.codes", "# ours\nA  one\n", "", "named after its list"),
        ("HCPC2026_JAN.txt", _HCPCS.replace("19820101", "19823101"), "", "line 1 cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_lines(file_name: str, text: str, name: str, expected: str) -> None:
    with pytest.raises(ListError, match=expected):
        read(text, file_name, name)


def test_licences_and_footnotes_of_a_table_are_no_codes() -> None:
    text = "Code,Classification,Specialization,Definition\nCopyright of somebody,and more\n207Q00000X,Family Medicine,,\nLast updated this year,,\n"
    assert {"207Q00000X": "Family Medicine"} == dict(read(text, "taxonomy.csv")["provider_taxonomy"].words)


def test_a_list_may_be_told_by_its_codes() -> None:
    text = "Code;Description\n" + "".join(f"{c};words\n" for c in ("11", "12", "21", "22", "23"))
    with pytest.raises(ListError):
        read(text, "table.csv")
    assert ["place_of_service"] == list(read(text, "table.csv", "place_of_service"))
    whole = "Code;Description\n" + "".join(f"{c};words\n" for c in code_files.current().codes("place_of_service").words)
    assert ["place_of_service"] == list(read(whole, "table.csv"))


def test_days_may_be_said() -> None:
    found = read("A000    Cholera\n", "codes.txt", "icd10cm", "20260401", "20260930")
    assert (("20260401", "20260930"),) == found["icd10cm"].covers


# --- files -----------------------------------------------------------------------------------------------------------


def _put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_loading_keeps_older_editions(tmp_path: Path) -> None:
    folder = tmp_path / "codes"
    code_files.load(folder, _put(tmp_path, "icd10cm_codes_2025.txt", "A000    Cholera\nA009    Old\n"))
    code_files.load(folder, _put(tmp_path, "icd10cm_codes_2026.txt", "A000    Cholera\nA010    New\n"))
    lists = code_files.lists_in(folder)
    judged = {
        (code, on): lists.check("icd10cm", code, on)
        for code in ("A000", "A009", "A010", "A099")
        for on in ("20250930", "20251001")
    }
    assert {
        ("A000", "20250930"): None,
        ("A000", "20251001"): None,
        ("A009", "20250930"): None,
        ("A009", "20251001"): "ended",
        ("A010", "20250930"): "not yet",
        ("A010", "20251001"): None,
        ("A099", "20250930"): "unknown",
        ("A099", "20251001"): "unknown",
    } == judged


def test_editions_may_be_loaded_in_any_order(tmp_path: Path) -> None:
    texts = {
        2024: "A000    Cholera\nA009    Old\n",
        2025: "A000    Cholera\n",
        2026: "A000    Cholera\nA009    Old\nA010    New\n",
    }
    sources = {y: _put(tmp_path, f"icd10cm_codes_{y}.txt", text) for y, text in texts.items()}
    made: set[str] = set()
    for number, order in enumerate(itertools.permutations(sources)):
        folder = tmp_path / str(number)
        for year in (*order, order[0]):
            code_files.load(folder, sources[year])
        made.add((folder / "icd10cm.codes").read_text("utf-8"))
    assert 1 == len(made)
    assert "A009  [..2024-09-30,2025-10-01..]  Old" in made.pop()


def test_loading_hcpcs_makes_its_part_known_and_leaves_cpt(tmp_path: Path) -> None:
    code_files.load(tmp_path / "codes", _put(tmp_path, "HCPC2026_JAN_ANWEB.txt", _HCPCS))
    lists = code_files.lists_in(tmp_path / "codes")
    said = [lists.check("hcpcs", c, "20260201") for c in ("A0021", "G9999", "Q0001", "99213", "D0120", "9921")]
    assert [None, "ended", "unknown", None, None, "form"] == said
    assert [None, "unknown", None, None] == [
        lists.check("procedure_modifier", m, "20260201") for m in ("LT", "RT", "25", "P1")
    ]


def test_a_file_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "codes"
    code_files.load(folder, _put(tmp_path, "CDT2025.csv", "Code,Nomenclature\nD0120,one\n"))
    before = (folder / "cdt.codes").read_bytes()
    with pytest.raises(CodeFileError, match="line 2"):
        code_files.load(folder, _put(tmp_path, "CDT2026.csv", "Code,Nomenclature\nX0120,one\n"))
    assert before == (folder / "cdt.codes").read_bytes()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    _put(tmp_path, "cdt.codes", "D0120 one space\n")
    with pytest.raises(CodeFileError, match=r"cdt\.codes: line 1"):
        code_files.lists_in(tmp_path)


def test_a_list_that_is_loaded_twice_is_the_same(tmp_path: Path) -> None:
    source = _put(tmp_path, "carc.csv", _REASONS.replace("\t", ","))
    first = code_files.load(tmp_path / "codes", source)
    again = code_files.load(tmp_path / "codes", source)
    assert [render(c) for c in first.values()] == [render(c) for c in again.values()]


def test_what_is_loaded_lies_over_what_comes_along(tmp_path: Path) -> None:
    text = "Code,Description,Start,Stop\n1,Ours,1/1/1995,1/1/2020\n399,New,9/1/2026,\n"
    code_files.load(tmp_path / "codes", _put(tmp_path, "carc.csv", text))
    lists = code_files.lists_in(tmp_path / "codes")
    judged = [lists.check("claim_adjustment_reason", c, "20261001") for c in ("1", "2", "399", "999")]
    assert ["ended", None, None, "unknown"] == judged
    assert "Ours" == lists.codes("claim_adjustment_reason").words["1"]


def test_an_edition_over_a_list_that_dates_its_codes_keeps_the_dates() -> None:
    old = CodeList({"A": "a", "B": "b"}, {"A": (("20000101", ""),), "B": (("20000101", "20101231"),)})
    merged = merge(old, CodeList({"A": "a"}, covers=(("20260101", "20261231"),)))
    assert {"A": (("20000101", ""),), "B": (("20000101", "20101231"),)} == dict(merged.spans)


# --- the command -----------------------------------------------------------------------------------------------------


def _run(tmp_path: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["codes", *words, "--data", str(tmp_path / "data")])
    return result.exit_code, result.output


def test_the_command_loads_lists_shows_and_removes(tmp_path: Path) -> None:
    source = _put(tmp_path, "icd10cm_order_2026.txt", _order(("A00", 0, "Cholera"), ("A000", 1, "Cholera, one kind")))
    code, told = _run(tmp_path, "load", str(source), "--json")
    loaded = json.loads(told)[0]
    assert (0, "icd10cm", 1, "2025-10-01") == (code, loaded["name"], loaded["codes"], loaded["covers"][0]["since"])
    listed = {one["name"]: one["source"] for one in json.loads(_run(tmp_path, "list", "--json")[1])}
    assert ("loaded", "shipped", "form only") == (
        listed["icd10cm"],
        listed["remittance_advice_remark"],
        listed["icd10pcs"],
    )
    shown = json.loads(_run(tmp_path, "show", "icd10cm", "A000", "--json")[1])
    assert [{"code": "A000", "words": "Cholera, one kind at length", "days": []}] == shown
    assert "A000  Cholera" in _run(tmp_path, "show", "icd10cm")[1]
    assert (0, {"name": "icd10cm", "removed": True}) == (
        0,
        json.loads(_run(tmp_path, "remove", "icd10cm", "--json")[1]),
    )
    assert 2 == _run(tmp_path, "remove", "icd10cm")[0]


@pytest.mark.parametrize(
    "words", [("show", "shoes"), ("show", "state", "QQ"), ("load", "no-such-file"), ("remove", "state")]
)
def test_the_command_refuses_what_is_not_there(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert 2 == _run(tmp_path, *words)[0]


def test_the_command_takes_days_and_a_name(tmp_path: Path) -> None:
    source = _put(tmp_path, "mine.csv", "Code,Description\n0450,Emergency room\n")
    status, told = _run(tmp_path, "load", str(source), "--as", "revenue", "--since", "2026-01-01", "--json")
    assert (0, "revenue", "2026-01-01") == (
        status,
        json.loads(told)[0]["name"],
        json.loads(told)[0]["covers"][0]["since"],
    )
    assert 2 == _run(tmp_path, "load", str(source), "--as", "revenue", "--since", "January")[0]
