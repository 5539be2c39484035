"""Why a claim is rejected, in the codes of a 277CA: claim status category, claim status and entity for a finding.

The category says what kind of fault it is (missing, invalid, does not fit, no claim at all), the status which part of the claim
it is in, found by the place of the finding: the most exact row of a table wins. The entity is the one that the finding's loop
names, where the status asks for one and the 277CA's guide allows it there.

Sources: code sources 507 and 508 as X12 publishes them, 005010X214 (STC), 005010X222A1, X223A2 and X224A2 (what stands where).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from x12 import codes, guides
from x12.finding import Finding
from x12.guides import Guide
from x12.situations import rules
from x12.units import is_missing
from x12.walk import Instance

__all__ = ["ENTITIES", "INSTITUTIONAL", "STATUSES", "Reason", "accepting", "reasons"]

_MISSING, _INVALID, _UNFITTING, _UNPROCESSABLE = "A6", "A7", "A8", "A3"
_MISSING_ELEMENTS = frozenset(("1", "2", "I9"))
_UNFITTING_ELEMENTS = frozenset(("10", "I13"))
_UNFITTING_SEGMENTS = frozenset(("I9",))
_BALANCE = 3
# What is to be said where no row of the table names the place, and where no place is named at all.
_SOMETHING, _FORMAT = "21", "481"
# IK403 -> a status that tells more than the place does.
_TELLING = {"5": "512", "6": "511"}
# Claim status by place: `[loop ]segment[[qualifier]][element[-component]]`.
STATUSES = {
    # names, addresses, numbers of entities
    "NM1": "125", "NM102": "775", "NM103": "504", "NM104": "505", "NM105": "514", "NM107": "754", "NM108": "745",
    "NM109": "153", "NM1[XX]09": "562", "NM1[MI]09": "164", "NM1[46]09": "153", "2010BA NM1[IL]09": "164",
    "N3": "126", "N301": "503", "N302": "503", "N4": "126", "N401": "502", "N402": "501", "N403": "500", "N404": "680",
    "N407": "695", "PER": "127", "PER02": "561", "DMG": "158", "DMG02": "158", "DMG03": "157", "PRV": "145", "PRV03": "145",
    "REF[EI]": "128", "REF[SY]": "148", "REF[TJ]": "128", "REF[0B]": "143", "REF[1G]": "133", "REF[LU]": "138",
    "REF[G2]": "560", "REF[2U]": "560", "REF[FY]": "560", "REF[NF]": "560", "REF[1W]": "164", "2010AA REF": "128",
    # subscriber and patient
    "SBR": "742", "2320 SBR": "171", "SBR01": "742", "SBR02": "156", "SBR03": "163", "SBR04": "663", "SBR05": "578", "SBR09": "480",
    "PAT01": "156", "PAT06": "159", "PAT07": "659", "PAT08": "273", "PAT09": "626", "OI": "171", "OI03": "360", "OI06": "333",
    # the claim
    "CLM01": "478", "CLM02": "178", "CLM05-1": "249", "CLM05-2": "567", "CLM05-3": "535", "CLM07": "589",
    "CLM08": "360", "CLM09": "333", "CLM10": "468", "CLM11": "633", "CLM11-4": "750", "CLM11-5": "680", "CLM12": "650",
    "CLM20": "555", "HL": "481", "BHT": "481", "BHT03": "604", "CL1": "227", "CL101": "231", "CL102": "229", "CL103": "234",
    "DTP": "187", "DTP[472]": "187", "DTP[431]": "397", "DTP[454]": "701", "DTP[304]": "757", "DTP[453]": "715",
    "DTP[439]": "727", "DTP[484]": "191", "DTP[455]": "210", "DTP[471]": "214", "DTP[314]": "195", "DTP[360]": "195",
    "DTP[361]": "195", "DTP[297]": "581", "DTP[296]": "196", "DTP[435]": "189", "2300 DTP[096]": "233",
    "DTP[434]": "188", "DTP[090]": "388", "DTP[091]": "389", "DTP[573]": "516", "DTP[463]": "525", "DTP[607]": "529",
    "DTP[461]": "580", "DTP[011]": "647", "DTP[738]": "653", "DTP[739]": "653", "DTP[452]": "203", "DTP[446]": "202",
    "DTP[441]": "201", "PWK": "294", "PWK06": "489", "CN1": "545", "CN101": "548", "CN102": "545", "CN103": "547",
    "CN104": "546", "CN105": "652", "CN106": "549", "AMT[F5]": "183", "AMT[F3]": "565", "AMT[D]": "182", "AMT[EAF]": "639",
    "AMT[A8]": "596", "AMT[T]": "645", "AMT[F4]": "617", "REF[F8]": "464", "REF[G1]": "252", "REF[9F]": "761",
    "REF[D9]": "543", "REF[EA]": "588", "REF[X4]": "544", "REF[LX]": "579", "REF[P4]": "556", "REF[9A]": "702",
    "REF[9C]": "517", "REF[Y4]": "629", "REF[4N]": "642", "REF[F5]": "593", "REF[F4]": "630", "REF[BT]": "576",
    "REF[G3]": "625", "REF[G4]": "611", "K3": "569", "NTE": "704", "2400 NTE": "586", "NTE01": "599",
    "CR1": "337", "CR106": "267", "CR109": "759", "CR110": "711", "CR2": "336", "CR3": "335", "CRC": "527",
    "CRC[75]": "575", "CRC[ZZ]": "564", "CRC[07]": "337", "DN1": "353", "DN2": "760",
    "HI": "254", "HI[BK]": "254", "HI[ABK]": "254", "HI[BF]": "255", "HI[ABF]": "255", "HI[BJ]": "232", "HI[ABJ]": "232",
    "HI[PR]": "673", "HI[APR]": "673", "HI[BN]": "509", "HI[ABN]": "509", "HI[DR]": "256", "HI[BR]": "465",
    "HI[BBR]": "465", "HI[CAH]": "465", "HI[BQ]": "490", "HI[BBQ]": "490", "HI[BI]": "721", "HI[BH]": "719",
    "HI[BE]": "725", "HI[BG]": "460", "HI[TC]": "658", "HI[BP]": "666", "HI[BO]": "666", "HCP": "628",
    "MIA": "286", "MOA": "286", "CAS": "521", "CAS01": "696",
    # service lines
    "LX": "247", "SV1": "247", "SV101": "454", "SV101-1": "745", "SV101-2": "454", "SV101-3": "453", "SV101-4": "453",
    "SV101-5": "453", "SV101-6": "453", "SV102": "583", "SV103": "659", "SV104": "476", "SV105": "249", "SV107": "477",
    "SV109": "471", "SV111": "564", "SV112": "568", "SV115": "753", "SV2": "247", "SV201": "455", "SV202": "454",
    "SV202-3": "453", "SV202-4": "453", "SV202-5": "453", "SV202-6": "453", "SV203": "583", "SV204": "659",
    "SV205": "476", "SV207": "596", "SV3": "247", "SV301": "737", "SV302": "583", "SV303": "249", "SV304": "245",
    "SV306": "476", "SV311": "477", "SV5": "335", "TOO": "242", "TOO02": "244", "TOO03": "240", "PS1": "469",
    "LIN": "218", "LIN03": "218", "CTP": "724", "MEA": "731", "QTY": "258", "REF[6R]": "584", "FRM": "699", "LQ": "698",
    "SVD": "710", "SVD01": "479", "SVD02": "643", "SVD03": "454", "SVD05": "608",
}  # fmt: skip
# CLM05 of an institutional claim is its type of bill.
_INSTITUTIONAL = {"CLM05": "228", "CLM05-1": "228"}
# Where the charges of the claim, and those of another payer, do not add up.
_CLAIM_BALANCE, _PAYER_BALANCE = "400", "672"
_OTHER_PAYERS = frozenset(("2320", "2430"))


INSTITUTIONAL = frozenset(("005010X223A2", "005010X223A3"))


class Reason(NamedTuple):
    """One composite of an STC: category, status, and the entity that the status speaks of ("" for none)."""

    category: str
    status: str
    entity: str = ""


@cache
def _allowed(loop_id: str) -> frozenset[str]:
    loop = guides.load("005010X214", "277").loop(loop_id)
    segment = next(s for s in loop.children if isinstance(s, guides.Segment) and s.id == "STC")
    return segment.elements[0].components[2].codes or frozenset()


# The levels of a 277CA that say something, with the entities that may be spoken of there.
ENTITIES = {loop_id: _allowed(loop_id) for loop_id in ("2200B", "2200C", "2200D", "2220D")}


def accepting(entity: str) -> Reason:
    """What is said of an accepted claim: a payer takes it into adjudication, a clearinghouse has received it."""
    return Reason("A2" if entity == "PR" else "A1", "20")


def reasons(finding: Finding, instance: Instance, guide: Guide, level: str) -> list[Reason]:
    """The composites of an STC for a finding in this loop occurrence, told at this level of a 277CA: one or two."""
    category, status = _category(finding), _status(finding, instance, guide)
    said = [status]
    if category == _UNPROCESSABLE and status != _FORMAT:
        said = [_FORMAT, status] if status != _SOMETHING else [_FORMAT]
    elif finding.scope == "element" and finding.code in _TELLING:
        said.append(_TELLING[finding.code])
    return [Reason(category, *_spoken_of(s, finding, instance, guide, level)) for s in said]


def _category(finding: Finding) -> str:
    if finding.scope not in ("segment", "element"):
        return _UNPROCESSABLE
    missing = finding.code in _MISSING_ELEMENTS if finding.scope == "element" else is_missing(finding)
    if missing:
        return _MISSING
    unfitting = _UNFITTING_ELEMENTS if finding.scope == "element" else _UNFITTING_SEGMENTS
    if finding.level == _BALANCE or finding.code in unfitting:
        return _UNFITTING
    if finding.scope == "segment" and finding.code != "8":
        return _UNPROCESSABLE
    return _INVALID


def _status(finding: Finding, instance: Instance, guide: Guide) -> str:
    if finding.scope not in ("segment", "element") or not finding.segment:
        return _FORMAT
    if finding.level == _BALANCE:
        return _PAYER_BALANCE if finding.loop in _OTHER_PAYERS else _CLAIM_BALANCE
    table = STATUSES | _INSTITUTIONAL if guide.id in INSTITUTIONAL else STATUSES
    return next((s for key in _keys(finding, instance, guide) if (s := table.get(key))), _SOMETHING)


def _keys(finding: Finding, instance: Instance, guide: Guide) -> Iterator[str]:
    """The rows that a place may have in the table, the most exact first."""
    element = f"{finding.element:02d}" if finding.element else ""
    places = [f"{element}-{finding.component}"] if element and finding.component else []
    places += [element, ""] if element else [""]
    for loop in (f"{finding.loop} ", ""):
        for place in places:
            for qualifier in _qualifiers(finding, instance, guide):
                yield f"{loop}{finding.segment}[{qualifier}]{place}"
            yield f"{loop}{finding.segment}{place}"


def _qualifiers(finding: Finding, instance: Instance, guide: Guide) -> Iterator[str]:
    """What the segment of a finding is qualified by: its first element or component, and NM108; what is missing, by its rule."""
    if is_missing(finding):
        yield from _wanted(guide).get((finding.rule or "", finding.loop or "", finding.segment or ""), ())
        return
    for (_, raw), position in zip(instance.segments, instance.positions, strict=True):
        if position == finding.position and raw.startswith(f"{finding.segment}{instance.delimiters.element}"):
            row = raw.split(instance.delimiters.element)
            if row[0] == "NM1" and len(row) > 8:
                yield row[8]
            yield row[1].split(instance.delimiters.component)[0]


@cache
def _wanted(guide: Guide) -> dict[tuple[str, str, str], list[str]]:
    """Qualifiers of a segment that is missing, by the rule ("" for the guide itself), loop and segment that want it."""
    wanted: dict[tuple[str, str, str], list[str]] = {}
    for segment in guide.segments:
        if segment.usage == "R" and segment.qualifier is not None:
            wanted.setdefault(("", segment.loop.id, segment.id), sorted(segment.qualifier.codes or ()))
    for statement in rules(guide):
        place = statement.blamed
        wanted.setdefault((statement.rule.id, place.loop, place.segment), sorted(place.qualifiers))
    return wanted


@cache
def _speaks_of_an_entity(status: str) -> bool:
    return bool(re.search(r"\b[Ee]ntity\b", codes.table("claim_status").get(status, "")))


def _spoken_of(status: str, finding: Finding, instance: Instance, guide: Guide, level: str) -> tuple[str, str]:
    """The status with its entity; a status that needs an entity which cannot be told is replaced by one that needs none."""
    if not _speaks_of_an_entity(status):
        return status, ""
    entity = next((e for e in _entities(finding, instance, guide) if e in ENTITIES[level]), "")
    return (status, entity) if entity else (_SOMETHING, "")


# Loops without a name of their own -> whom they tell of.
_TOLD_OF = {"2000A": "85", "2000B": "IL", "2000C": "QC", "2320": "IL", "2430": "PR", "2300": "QC"}


def _entities(finding: Finding, instance: Instance, guide: Guide) -> Iterator[str]:
    """Whom a loop names: as it stands there, or as the guide has it."""
    for row in instance.rows().get("NM1", ())[:1] if instance.loop.id == finding.loop else ():
        yield from row[1:2]
    loop_id = finding.loop or ""
    for loop in (loop for loop in guide.loops() if loop.id == loop_id):
        if loop.first.id == "NM1" and not loop_id.startswith("2000"):
            yield from sorted(loop.first.elements[0].codes or ())
    if loop_id in _TOLD_OF:
        yield _TOLD_OF[loop_id]
