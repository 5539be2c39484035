"""Code lists in the layouts their keepers publish them in, read into `CodeList`s: text in, lists out.

- ICD-10-CM and ICD-10-PCS: the order file (`icd10cm_order_2026.txt`: five digits, code, flag, short and long words) and the
  plain one (`icd10cm_codes_2026.txt`: code and words). Only codes that may be reported are taken, not their headings.
- HCPCS level II: the fixed-width file (`HCPC2026_JAN_ANWEB.txt`: code 1-5 or modifier 4-5, record 11, long words 12-91, short
  words 92-119, added 269-276, terminated 285-292). It gives two lists: procedures and modifiers.
- CPT: `LONGULT.txt` and its like (code, tab, words; a licence text before it), or any table with a header.
- Tables with a header, comma, tab, semicolon or pipe between the columns: NUCC's taxonomy, CDT, the X12 and CMS lists, and
  whatever else has a column of codes, one of words and perhaps two of dates.
- CMS's `Codes.ini` (of Medicare Remit Easy Print, three times a year): adjustment reasons and remarks in one file.
- JSON: a list of objects with the same names, a FHIR CodeSystem or ValueSet, or one object of code to words.
- Our own `.codes` files.

An edition (ICD, CPT, CDT, a quarter of HCPCS or NUCC) is the whole list from its first day on; a list that dates its codes says
by itself when each began and ended. `x12.codes.listing.merge` puts either over what is known already.

Sources: the readme and record layout files that come with the lists; docs/codes.md.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, cast

import msgspec

from x12.codes.forms import FORMS
from x12.codes.listing import CodeList, ListError, Span, parse
from x12.codes.lists import is_loadable, parts_of, shipped

__all__ = ["read"]

# One code as it was read: the line it stands in, the code, its words, its first and last day.
Row = tuple[int, str, str, str, str]

_ORDER = re.compile(r"\d{5} ([0-9A-Z]{3,7}) +([01]) (.*)")
_PLAIN = re.compile(r"([0-9A-Z]{3,7})\s+(\S.*)")
_HCPCS = re.compile(r"(?:[A-Z]\d{4}|   [0-9A-Z]{2})[0-9 ]{5}[3478]")
_CPT_LINE = re.compile(r"(\d{4}[0-9AFMTU])\t(.+)")
_SECTION = re.compile(r"\[([0-9A-Z]{1,5})\]")
_WRONG_SHOWN = 5
# No code is so long.
_NOTE = 15

# What a column of codes, words, beginnings and ends is called, in lower case, by preference.
_CODE = ("code", "codes", "cpt code", "cdt code", "hcpc", "hcpcs", "hcpcs code", "procedure code", "place of service code(s)",
         "place of service code", "pos code", "taxonomy code", "modifier", "drg", "ms-drg", "revenue code", "value")  # fmt: skip
_WORDS = ("short description", "short desc", "short", "display name", "display", "nomenclature", "description", "place of service name",
          "name", "words", "specialization", "classification", "long description", "long", "medium", "descriptor", "definition", "title", "desc", "text")  # fmt: skip
_SINCE = ("start", "start date", "effective date", "effective_date", "effectivedate", "add dt", "add date", "code added date", "since", "begin date",
          "start_date")  # fmt: skip
_UNTIL = ("stop", "stop date", "end", "end date", "end_date", "stop_date", "term dt", "termination date", "deactivation date", "deactivation_date",
          "deactivated", "until", "expiration date")  # fmt: skip
# File names say what is in them; the first that fits.
_NAMED = (
    (r"icd[-_ ]?10[-_ ]?cm", "icd10cm"),
    (r"icd[-_ ]?10[-_ ]?pcs", "icd10pcs"),
    (r"hcpc", "hcpcs_level_2"),
    (r"modul", "cpt_modifier"),
    (r"longul?t|medu|shortu|consolidated|cpt", "cpt"),
    (r"cdt", "cdt"),
    (r"nucc|taxonomy", "provider_taxonomy"),
    (r"carc|adjustment[-_ ]?reason|\b139\b", "claim_adjustment_reason"),
    (r"rarc|remark|\b411\b", "remittance_advice_remark"),
    (r"categor|\b507\b", "claim_status_category"),
    (r"claim[-_ ]?status|\b508\b", "claim_status"),
    (r"place[-_ ]of[-_ ]service|\bpos\b", "place_of_service"),
    (r"drg", "diagnosis_related_group"),
    (r"revenue", "revenue"),
)
_QUARTERS = {"jan": ("0101", "0331"), "apr": ("0401", "0630"), "jul": ("0701", "0930"), "oct": ("1001", "1231")}


def read(text: str, file_name: str = "", name: str = "", since: str = "", until: str = "") -> dict[str, CodeList]:
    """The lists in a published file, by name.

    `name` says which list it is where the file does not; `since` and `until` (CCYYMMDD) which days it is of. ListError names the
    lines that cannot be read, or says what else is missing.
    """
    if name and not is_loadable(name):
        known = ", ".join(parts_of(name) or sorted(filter(is_loadable, FORMS)))
        raise ListError(f"no list is called {name!r}: say one of {known}")
    stem = re.sub(r"\.[^.]*$", "", file_name.rpartition("/")[2]).lower()
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise ListError("the file is empty")
    if first.startswith(("#", "@")) or file_name.endswith(".codes"):
        return {name or _own(stem): parse(text)}
    if _HCPCS.match(first) and len(first) > 100:
        return _hcpcs(text.splitlines(), _edition("hcpcs_level_2", stem, since, until))
    if any(_SECTION.fullmatch(line.strip()) for line in text.splitlines()[:10]):
        return _ini(text.splitlines(), until)
    rows = list(_rows(text, first))
    if not rows:
        raise ListError(
            "no codes were found: the file has neither a header with a column of codes nor a layout that is known"
        )
    name = name or _guess(stem, [row[1] for row in rows])
    return {name: _gathered(name, rows, _edition(name, stem, since, until), until)}


def _own(stem: str) -> str:
    name = next((n for n, form in FORMS.items() if stem in (n, form.table)), "")
    if not name:
        raise ListError("a file of our own form is named after its list, NAME.codes; or say which list it is")
    return name


def _rows(text: str, first: str) -> Iterator[Row]:
    lines = text.splitlines()
    if _ORDER.match(first):
        return _lines(lines, _ORDER, lambda m: (m[1], m[3][60:].strip() or m[3].strip(), m[2] == "1"))
    if first.lstrip()[:1] in "[{":
        return _json(text)
    found = _header(lines)
    if found is not None:
        return _table(text, *found)
    start = next((i for i, line in enumerate(lines) if _CPT_LINE.match(line)), None)
    if start is not None:
        # What stands before the first code is the licence.
        return _lines(lines, _CPT_LINE, lambda m: (m[1], m[2].strip(), True), start)
    return _lines(lines, _PLAIN, lambda m: (m[1], m[2].strip(), True))


def _lines(
    lines: list[str], form: re.Pattern[str], said: Callable[[re.Match[str]], tuple[str, str, bool]], start: int = 0
) -> Iterator[Row]:
    """Rows of a file in which every line has one form."""
    wrong: list[int] = []
    for number, line in enumerate(lines[start:], start + 1):
        found = form.match(line)
        if found is not None:
            code, words, wanted = said(found)
            if wanted:
                yield number, code, words, "", ""
        elif line.strip():
            wrong.append(number)
    if wrong:
        raise ListError(f"{_listed(wrong)} cannot be read: neither a code and its words nor a blank line")


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_WRONG_SHOWN]))
    more = f" and {len(numbers) - _WRONG_SHOWN} more" if len(numbers) > _WRONG_SHOWN else ""
    return f"line {shown}{more}" if len(numbers) == 1 else f"lines {shown}{more}"


def _day(text: str) -> str:
    """CCYYMMDD of a date as lists write it; "" for none. ValueError when it is no date."""
    text = text.strip().split("T")[0].split(" ")[0]
    if not text or text.lower() in ("none", "null", "n/a"):
        return ""
    if re.fullmatch(r"\d{8}", text):
        found = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    elif match := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text):
        found = date(int(match[3]), int(match[1]), int(match[2]))
    else:
        found = date.fromisoformat(text)
    return found.strftime("%Y%m%d") if found.year < 9999 else ""


# --- tables ------------------------------------------------------------------------------------------------------------


def _column(names: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((names.index(w) for w in wanted if w in names), None)


def _header(lines: list[str]) -> tuple[int, str] | None:
    """(index of the header, separator) of a table; None when there is no header within the first lines."""
    for index, line in enumerate(lines[:40]):
        for separator in ("\t", ",", ";", "|"):
            if separator in line:
                names = [n.strip().strip('"').lower() for n in line.split(separator)]
                if _column(names, _CODE) is not None and _column(names, _WORDS) is not None:
                    return index, separator
    return None


def _table(text: str, header: int, separator: str) -> Iterator[Row]:
    body = "".join(text.splitlines(keepends=True)[header:])
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    names = [n.strip().lower() for n in next(reader)]
    code = _column(names, _CODE)
    assert code is not None
    words = [names.index(w) for w in _WORDS if w in names]
    since, until = _column(names, _SINCE), _column(names, _UNTIL)
    lines: list[tuple[int, list[str]]] = []
    before = reader.line_num
    try:
        for cells in reader:
            if any(c.strip() for c in cells):
                lines.append((header + before + 1, cells))
            before = reader.line_num
    except csv.Error as error:
        raise ListError(f"line {header + reader.line_num}: {error}") from error
    wrong: list[str] = []
    for number, cells in _without_notes(lines, code):
        if len(cells) <= max(code, *words[:1]):
            wrong.append(f"line {number}: fewer columns than the header has")
            continue
        try:
            first, last = (_day(cells[i]) if i is not None and i < len(cells) else "" for i in (since, until))
        except ValueError:
            wrong.append(f"line {number}: a date that is none")
            continue
        said = next((cells[i] for i in words if i < len(cells) and cells[i].strip()), "")
        yield number, cells[code].strip(), " ".join(said.split()), first, last
    if wrong:
        raise ListError("; ".join(wrong[:_WRONG_SHOWN]))


def _without_notes(lines: list[tuple[int, list[str]]], code: int) -> list[tuple[int, list[str]]]:
    """The rows from the first to the last code: licences and footnotes stand before and behind, in the column of codes."""

    def is_note(cells: list[str]) -> bool:
        return len(cells) > code and len(cells[code]) > _NOTE and " " in cells[code].strip()

    told = [i for i, (_, cells) in enumerate(lines) if not is_note(cells)]
    return lines[told[0] : told[-1] + 1] if told else []


def _json(text: str) -> Iterator[Row]:
    try:
        told: Any = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ListError(f"the JSON cannot be read: {error}") from error
    if isinstance(told, dict):
        inside = cast("dict[str, Any]", told)
        listed = next(
            (inside[k] for k in ("concept", "codes", "items", "contains") if isinstance(inside.get(k), list)), None
        )
        if listed is None and isinstance(inside.get("expansion"), dict):
            listed = inside["expansion"].get("contains")
        told = listed if listed is not None else [_keyed(k, v) for k, v in inside.items()]
    for number, item in enumerate(cast("list[Any]", told), 1):
        if not isinstance(item, dict):
            raise ListError(f"entry {number} is not an object")
        entry = {str(k).lower(): str(v) for k, v in cast("dict[Any, Any]", item).items() if v is not None}
        names = list(entry)
        code, words = _column(names, _CODE), _column(names, _WORDS)
        if code is None or words is None:
            raise ListError(f"entry {number} has no code or no words")
        since, until = _column(names, _SINCE), _column(names, _UNTIL)
        try:
            first, last = (_day(entry[names[i]]) if i is not None else "" for i in (since, until))
        except ValueError:
            raise ListError(f"entry {number} has a date that is none") from None
        yield number, entry[names[code]].strip(), " ".join(entry[names[words]].split()), first, last


def _keyed(code: str, told: object) -> dict[str, object]:
    """One member of an object of code to words, or to an object."""
    return (
        {**cast("dict[str, object]", told), "code": code} if isinstance(told, dict) else {"code": code, "words": told}
    )


# --- HCPCS -------------------------------------------------------------------------------------------------------------


def _hcpcs(lines: list[str], edition: Span) -> dict[str, CodeList]:
    rows: dict[str, list[Row]] = {"hcpcs_level_2": [], "hcpcs_modifier": []}
    wrong: list[int] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = line[10:11]
        if _HCPCS.match(line) is None:
            wrong.append(number)
        elif record in ("3", "7"):
            try:
                first, last = _day(line[268:276]), _day(line[284:292])
            except ValueError:
                wrong.append(number)
                continue
            words = line[91:119].strip() or line[11:91].strip()
            kind, code = ("hcpcs_modifier", line[3:5]) if record == "7" else ("hcpcs_level_2", line[:5])
            # The file lists the dental codes and modifiers it borrows; their own lists know them better.
            if re.fullmatch(FORMS[kind].pattern or "", code) and not code.startswith("D"):
                rows[kind].append((number, code, words, first, last))
    if wrong:
        raise ListError(f"{_listed(wrong)} cannot be read: not a record of the HCPCS file")
    return {kind: _gathered(kind, found, edition, edition[1]) for kind, found in rows.items() if found}


# --- CMS's Codes.ini ---------------------------------------------------------------------------------------------------


def _ini(lines: list[str], until: str) -> dict[str, CodeList]:
    """Reasons and remarks are told apart by their forms; what is neither is another list's."""
    names = ("claim_adjustment_reason", "remittance_advice_remark")
    rows: dict[str, list[Row]] = {name: [] for name in names}
    wrong: list[int] = []
    sections: list[tuple[int, str, dict[str, str]]] = []
    for number, line in enumerate(lines, 1):
        if found := _SECTION.fullmatch(line.strip()):
            sections.append((number, found[1], {}))
        elif sections:
            key, equals, value = line.partition("=")
            if equals:
                sections[-1][2][key.strip().lower()] = value.strip()
            elif line.strip():
                wrong.append(number)
    for number, code, said in sections:
        name = next((n for n in names if re.fullmatch(FORMS[n].pattern or "", code)), None)
        if name is None:
            continue
        try:
            days = _day(said.get("effdate", "")), _day(said.get("deactdate", ""))
        except ValueError:
            wrong.append(number)
            continue
        rows[name].append((number, code, " ".join(said.get("message", "").split()), *days))
    if wrong:
        raise ListError(f"{_listed(wrong)} cannot be read: neither [CODE] nor a name, an equals sign and a value")
    return {name: _gathered(name, found, ("", ""), until) for name, found in rows.items() if found}


# --- what the rows make ------------------------------------------------------------------------------------------------


def _gathered(name: str, rows: Iterable[Row], edition: Span, until: str) -> CodeList:
    """The list of some rows; ListError for codes of a wrong form or said twice in different ways."""
    pattern = FORMS[name].pattern
    match = re.compile(pattern).fullmatch if pattern else None
    words: dict[str, str] = {}
    spans: dict[str, tuple[Span, ...]] = {}
    wrong: list[str] = []
    latest = ""
    for number, code, said, first, last in rows:
        if match is not None and match(code) is None:
            wrong.append(f"line {number}: not of the form of a {FORMS[name].title}")
            continue
        if first and last and last < first:
            wrong.append(f"line {number}: the code ends before it begins")
            continue
        if not said:
            wrong.append(f"line {number}: a code without words")
            continue
        if code in words and (first, last) != ("", ""):
            spans[code] = tuple(sorted({*spans.get(code, ()), (first, last)}))
        elif first or last:
            spans[code] = ((first, last),)
        words.setdefault(code, said)
        latest = max(latest, first, last)
    if wrong:
        more = f"; and {len(wrong) - _WRONG_SHOWN} more" if len(wrong) > _WRONG_SHOWN else ""
        raise ListError("; ".join(wrong[:_WRONG_SHOWN]) + more)
    if not words:
        raise ListError("there are no codes in it")
    return CodeList(words, spans, (edition if any(edition) else ("", until or latest),))


def _edition(name: str, stem: str, since: str, until: str) -> Span:
    """The days that an edition is the list of, from its file's name where nobody says."""
    year = re.search(r"20\d\d", stem)
    first = last = ""
    if name in ("icd10cm", "icd10pcs") and year:
        first, last = f"{int(year[0]) - 1}1001", f"{year[0]}0930"
    elif name == "hcpcs_level_2" and year:
        quarter = next((q for q in _QUARTERS if q in stem), "jan")
        first, last = (year[0] + day for day in _QUARTERS[quarter])
    elif name in ("cpt", "cdt", "cpt_modifier") and year:
        first, last = f"{year[0]}0101", f"{year[0]}1231"
    elif name == "provider_taxonomy" and (version := re.search(r"(\d\d)[._]?([01])(?!\d)", stem)):
        half = (("0101", "0630"), ("0701", "1231"))[int(version[2])]
        first, last = (f"20{version[1]}{day}" for day in half)
    first, last = since or first, until or ("" if since else last)
    if not first and name in ("icd10cm", "icd10pcs", "hcpcs_level_2", "cpt", "cdt"):
        raise ListError(
            f"say from which day this edition of {FORMS[name].title} codes is good: the file's name has no year"
        )
    return first, last


def _guess(stem: str, found: list[str]) -> str:
    """Which list it is, by the file's name, else by the codes."""
    for pattern, name in _NAMED:
        if re.search(pattern, stem):
            return name
    shares = _shares(set(found))
    best = sorted(shares, key=lambda n: shares[n], reverse=True)[:2]
    if best and shares[best[0]] > 0.5 and (len(best) == 1 or shares[best[1]] < 0.5 * shares[best[0]]):
        return best[0]
    raise ListError("neither the file's name nor its codes tell which list it is: say so")


def _shares(found: set[str]) -> Mapping[str, float]:
    """For each list that comes along, how much of what was found is on it, and how much of it was found."""
    known = ((n, set(shipped().codes(n).words)) for n, form in FORMS.items() if form.table)
    return {n: len(found & words) / max(len(found), len(words)) for n, words in known if words}
