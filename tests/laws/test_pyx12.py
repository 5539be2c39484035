"""A second opinion: what is written here, pyx12 accepts, wherever it has the guide and is not known to be of another mind.

Documents are drawn as the laws of each of them draw theirs. Where pyx12 disagrees, the place is in `DIFFERENCES` with the
reason, or the test fails; a place where it disagrees no longer fails too. docs/guides.md tells of the sources.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pyx12.map_index  # pyright: ignore[reportMissingTypeStubs]
import pyx12.params  # pyright: ignore[reportMissingTypeStubs]
import pyx12.x12n_document  # pyright: ignore[reportMissingTypeStubs]

import x12
from tests import synthetic
from tests.laws.status_values import ENVELOPE, HEADER, Draw, mutated, plain
from tests.laws.test_claim_acknowledgement import report
from tests.laws.test_institutional_claim import filled as institutional
from tests.laws.test_professional_claim import filled
from tests.laws.test_remittance import remittance
from x12 import oracle
from x12.acknowledge import sealed
from x12.batch import assemble
from x12.documents.claim_acknowledgement import write_claim_report
from x12.documents.institutional_claim import write_claim as write_institutional
from x12.documents.parts import Header
from x12.documents.professional_claim import write_claim
from x12.documents.remittance import write_remittance
from x12.documents.writing import Written
from x12.syntax import CANONICAL

COUNT = 60
# Its own lists of what others keep: where the guide leaves the values to such a list, the documents here draw them by chance.
CHANCE = "states,country,currency,remark_code,pos"
# GS01, GS08, what pyx12 has a map for.
GUIDES = [
    ("HC", "005010X222A1", True),
    ("HC", "005010X223A2", True),
    ("HP", "005010X221A1", True),
    ("HN", "005010X214", True),
    ("FA", "005010X231A1", True),
    ("HS", "005010X279A1", False),
    ("HB", "005010X279A1", False),
    ("HR", "005010X212", False),
    ("HN", "005010X212", False),
]
Place = tuple[str, str, str]

# GS01 (or the set, where two guides share one) -> name of the segment or the element, place, code: where pyx12 finds fault and we do
# not. Why, says `x12.oracle.DIFFERENCES`.
DIFFERENCES: dict[str, frozenset[Place]] = {
    "HC": frozenset(
        (
            ("Claim or Encounter Identifier", "BHT06", "7"),
            ("Identification Code Qualifier", "NM108", "1"),
            ("Subscriber Primary Identifier", "NM109", "1"),
            ("Attachment Transmission Code", "PWK02", "7"),
            ("Other Insured Additional Identifier", "REF02", "7"),
            ("Subscriber Supplemental Identifier", "REF02", "7"),
        )
    ),
    "837I": frozenset((("Billing Provider Postal Zone or ZIP Code", "N403", "7"),)),
    "HP": frozenset((("Footer", "PLB", "4"),)),
    "HN": frozenset(
        (
            ("Billing Provider of Service Level", "HL", "3"),
            ("Provider of Service Information Trace Identifier", "TRN", "3"),
            ("Billing Provider Status Information", "STC", "3"),
            ("Patient Level", "HL", "3"),
            ("Hierarchical Child Code", "HL04", "7"),
            ("Provider Secondary Identifier", "REF", "5"),
            ("Service Line Level Status Information", "STC", "5"),
            ("Status Information Effective Date", "STC02", "1"),
            ("Free-Form Message Text", "STC12", "10"),
            ("Health Care Claim Status Category Code", "STC01-1", "7"),
            ("Health Care Claim Status Category Code", "STC10-1", "7"),
            ("Health Care Claim Status Category Code", "STC11-1", "7"),
            ("Health Care Claim Status Code", "STC01-2", "7"),
            ("Health Care Claim Status Code", "STC10-2", "7"),
            ("Health Care Claim Status Code", "STC11-2", "7"),
            ("Entity Identifier Code", "STC10-3", "7"),
            ("Entity Identifier Code", "STC11-3", "7"),
        )
    ),
    "FA": frozenset((("Business Unit Identifier", "CTX", "5"),)),
}
# The guides of those groups.
GUIDE_OF = {
    "HC": "005010X222A1",
    "837I": "005010X223A2",
    "HP": "005010X221A1",
    "HN": "005010X214",
    "FA": "005010X231A1",
}


def judged(text: str, folder: Path) -> dict[Place, str]:
    """What pyx12 finds in a file: each place and code, with the first message there."""
    # What it cannot write it tells its log; nobody reads that here.
    logging.getLogger("pyx12").setLevel(logging.CRITICAL)
    source = folder / "file.x12"
    source.write_text(text, "ascii")
    params = pyx12.params.params()
    params.set("exclude_external_codes", CHANCE)
    told = io.StringIO()
    accepted = pyx12.x12n_document.x12n_document(params, str(source), None, None, fd_json=told)
    found: dict[Place, str] = {}
    for place, message in _errors(json.loads(told.getvalue())):
        found.setdefault(place, message)
    # It says that a file is fine, or what is wrong with it.
    assert accepted == (not found)
    return found


def _errors(document: Any) -> Iterator[tuple[Place, str]]:
    for interchange in document["interchanges"]:
        yield from _own("ISA", "", interchange)
        for group in interchange["groups"]:
            yield from _own("GS", "", group)
            for one in group["transactions"]:
                yield from _own("ST", "", one)
                for segment in one["segments"]:
                    yield from _own(segment["seg_id"], segment["name"], segment)
                    for element in segment.get("elements", ()):
                        place = f"{segment['seg_id']}{element['ele_pos']:02d}"
                        place += f"-{element['subele_pos']}" if element["subele_pos"] else ""
                        yield from _own(place, element["name"], element)


def _own(place: str, name: str, said: Any) -> Iterator[tuple[Place, str]]:
    for error in said["errors"]:
        yield (name, place, error["err_cde"]), error["err_str"]


def interchange(sets: Sequence[Sequence[str]], group: str, version: str) -> str:
    """The sets in one group, in which our own reader finds nothing."""
    e = CANONICAL.element
    body = [e.join(("GS", group, "SENDER", "RECEIVER", "20260105", "0930", "1", "X", version))]
    for segments in sets:
        body += segments
    body += [e.join(("GE", str(len(sets)), "1")), e.join(("IEA", "1", "000000001"))]
    text = sealed(body, ENVELOPE)
    (back,) = x12.read(text.encode("ascii"), levels=(1, 2))
    assert [[]] * (len(sets) + 2) == [back.findings, back.groups[0].findings, *(s.findings for s in back.sets)]
    return text


def header(index: int) -> Header:
    return msgspec.structs.replace(HEADER, control_number=f"{index + 1:04d}")


def segments(written: Written) -> list[str]:
    assert [] == [f for f in written.findings if f.severity == "error"]
    return written.segments


def claims() -> list[list[str]]:
    return [segments(write_claim(filled(n, (0.03, 0.1, 0.2, 0.4)[n % 4]), header(n))) for n in range(COUNT)]


def institutional_claims() -> list[list[str]]:
    chosen = ((n, (0.03, 0.1, 0.2, 0.4)[n % 4]) for n in range(COUNT))
    return [segments(write_institutional(institutional(n, richness), header(n))) for n, richness in chosen]


def remittances() -> Iterator[list[str]]:
    for index in range(COUNT):
        made = remittance(index, (0.0, 0.1, 0.4, 0.8)[index % 4])
        made.control_number = header(index).control_number
        yield segments(write_remittance(made, header(index)))


def reports() -> Iterator[list[str]]:
    for index in range(COUNT):
        yield segments(write_claim_report(report(Draw(index)), header(index)))


def compared(sets: Sequence[Sequence[str]], group: str, version: str, folder: Path) -> None:
    """pyx12 finds fault exactly where it is known to."""
    agreed_on(judged(interchange(sets, group, version), folder), group)


def agreed_on(found: Mapping[Place, str], group: str) -> None:
    """Every disagreement is a known one, and every known one still occurs."""
    known = DIFFERENCES[group]
    assert {} == {place: message for place, message in found.items() if place not in known}
    assert set() == known - set(found)


# --- the laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("group", "version", "known"), GUIDES)
def test_pyx12_has_the_guides_that_are_compared_and_no_others_of_ours(group: str, version: str, known: bool) -> None:
    assert known == (pyx12.map_index.map_index().get_filename("00501", version, group) is not None)


def test_why_pyx12_differs_is_told_to_whoever_asks_it() -> None:
    for group, known in DIFFERENCES.items():
        told = {(place, code) for _, place, code in known}
        assert (group, set()) == (group, told - set(oracle.DIFFERENCES[GUIDE_OF[group]]))


def test_pyx12_accepts_the_claims_that_are_written(tmp_path: Path) -> None:
    compared(claims(), "HC", "005010X222A1", tmp_path)


def test_pyx12_accepts_claims_put_together_as_they_are_sent(tmp_path: Path) -> None:
    sets = [made for made, _ in assemble(claims(), "REF1", "20260105", "0930")]
    compared(sets, "HC", "005010X222A1", tmp_path)


def test_pyx12_accepts_the_institutional_claims_that_are_written(tmp_path: Path) -> None:
    agreed_on(judged(interchange(institutional_claims(), "HC", "005010X223A2"), tmp_path), "837I")


def test_pyx12_accepts_institutional_claims_put_together_as_they_are_sent(tmp_path: Path) -> None:
    sets = [made for made, _ in assemble(institutional_claims(), "REF1", "20260105", "0930")]
    agreed_on(judged(interchange(sets, "HC", "005010X223A2"), tmp_path), "837I")


def test_pyx12_accepts_the_remittances_that_are_written(tmp_path: Path) -> None:
    compared(list(remittances()), "HP", "005010X221A1", tmp_path)


def test_pyx12_accepts_the_claim_acknowledgements_that_are_written(tmp_path: Path) -> None:
    compared(list(reports()), "HN", "005010X214", tmp_path)


def test_pyx12_accepts_the_999_of_whatever_is_wrong_with_a_file(tmp_path: Path) -> None:
    found: dict[Place, str] = {}
    for index in range(0, COUNT, 2):
        made = write_claim(filled(index, 0.1), HEADER)
        faulty = mutated(Draw(index), plain(made.segments)[:-1], "A0-:*^")
        asked = synthetic.interchange("HC", "005010X222A1", [faulty])
        (read,) = x12.read(asked.encode("ascii"))
        found |= judged(x12.acknowledgement(read, ENVELOPE, 1), tmp_path)
    agreed_on(found, "FA")


def test_pyx12_is_not_blind(tmp_path: Path) -> None:
    text = interchange([segments(write_claim(filled(1, 0.1), HEADER))], "HC", "005010X222A1")
    term = text[105]
    without = term.join(s for s in text.split(term) if not s.startswith(f"HI{text[3]}"))
    assert ("Health Care Diagnosis Code", "HI", "3") in judged(without, tmp_path)
