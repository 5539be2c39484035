"""Is a value on a code list, on a day? SNIP level 5.

Rules, in this order; the first that says something decides:
1. A code that is listed is good on the days the list gives it; without a day to look at, always. Else it is `ended` or
   `not yet`.
2. A value that has not the form of the list's codes is of wrong `form`; one with a wrong check digit, of wrong `check digit`.
3. Where only the form is known, what has it passes. Where the list is known in part, or not for that day, a value that is not
   on it is `unlisted`: it may well exist. Codes that come later follow their series, so one far from it is `unknown` even then. Where the list is known for that day, it is `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

from x12.codes import packaged
from x12.codes.forms import FORMS, list_for, npi_is_valid
from x12.codes.listing import CodeList, Span, merge
from x12.finding import Severity

__all__ = ["Lists", "Reason", "is_loadable", "list_for", "npi_is_valid", "parts_of", "pattern_of", "shipped"]

Reason = Literal["form", "check digit", "unknown", "unlisted", "ended", "not yet"]
Check = Callable[[str, str], Reason | None]

_NOTHING = CodeList({})
_ABSENT: tuple[Span, ...] = ()
# In a remittance of today a retired reason is a fault; one that is announced and used early confuses nobody.
_WARNED: frozenset[tuple[str, Reason]] = frozenset({("production", "not yet"), ("production", "ended")})
_STRICT = frozenset({"claim_adjustment_reason", "remittance_advice_remark"})
_WORDS: Mapping[Reason, str] = {
    "form": "has not the form that its list has ({title})",
    "check digit": "ends in a wrong check digit ({title})",
    "unknown": "is not on its list ({title}, kept by {keeper})",
    "unlisted": "is not on its list as it is known here ({title}): load a newer or whole one",
    "ended": "had ended before the day of {dated} ({title})",
    "not yet": "begins after the day of {dated} ({title})",
}


def pattern_of(name: str) -> str | None:
    """The source of a regular expression for the form of a list's values, without groups and anchors; None when there is none."""
    form = FORMS.get(name)
    return form.pattern if form is not None else None


def _judge(name: str, codes: CodeList) -> Check:
    form = FORMS[name]
    match = re.compile(form.pattern).fullmatch if form.pattern else None
    spans: dict[str, tuple[Span, ...] | None] = dict.fromkeys(codes.words)
    if form.dated:
        spans.update(codes.spans)
    get, digit, partial = spans.get, form.digit, codes.partial
    covers, last = codes.covers, codes.covers[-1][1]
    later = re.compile(codes.later).fullmatch if codes.later else None

    def check(value: str, on: str) -> Reason | None:
        days = get(value, _ABSENT)
        if days is None:
            return None
        if days:
            if not on or any(since <= on and (not until or on <= until) for since, until in days):
                return None
            return "not yet" if on < days[-1][0] else "ended"
        if match is not None and match(value) is None:
            return "form"
        if digit is not None and not digit(value):
            return "check digit"
        if not spans:
            return None
        if partial:
            return "unlisted"
        if not on or any(since <= on and (not until or on <= until) for since, until in covers):
            return "unknown"
        return "unlisted" if not last or on <= last or later is None or later(value) else "unknown"

    def check_used(value: str, on: str) -> Reason | None:
        return check(value, on) or ("ended" if on > form.until else None)

    return check_used if form.until else check


def _bill_type(facility: Check, frequency: Check) -> Check:
    match = re.compile(FORMS["bill_type"].pattern or "").fullmatch

    def check(value: str, on: str) -> Reason | None:
        if match(value) is None:
            return "form"
        return facility(value[-3:-1], on) or frequency(value[-1], on)

    return check


def _facility_type(place: Check, facility: Check) -> Check:
    def check(value: str, on: str) -> Reason | None:
        return place(value, on) and facility(value, on)

    return check


def _hcpcs(cpt: Check, level_2: Check, cdt: Check) -> Check:
    """The first character tells whose code it is: the dental association's D codes are lent to HCPCS."""

    def check(value: str, on: str) -> Reason | None:
        if value[:1].isdigit():
            return cpt(value, on)
        return (cdt if value[:1] == "D" else level_2)(value, on)

    return check


def _procedure_modifier(cpt: Check, hcpcs: Check) -> Check:
    own = re.compile(FORMS["cpt_modifier"].pattern or "").fullmatch

    def check(value: str, on: str) -> Reason | None:
        return (cpt if own(value) else hcpcs)(value, on)

    return check


# Lists that are made of others, in the order that the function takes their checks.
_COMPOSED: Mapping[str, tuple[Callable[..., Check], tuple[str, ...]]] = {
    "bill_type": (_bill_type, ("facility_code", "claim_frequency")),
    "facility_type": (_facility_type, ("place_of_service", "facility_code")),
    "hcpcs": (_hcpcs, ("cpt", "hcpcs_level_2", "cdt")),
    "procedure_modifier": (_procedure_modifier, ("cpt_modifier", "hcpcs_modifier")),
}


def parts_of(name: str) -> tuple[str, ...]:
    """The lists that a list is made of, such as CPT and HCPCS level II; () for one that is a list by itself."""
    return _COMPOSED[name][1] if name in _COMPOSED else ()


def is_loadable(name: str) -> bool:
    """Whether a name is a list by itself, whose codes may be loaded."""
    return name in FORMS and name not in _COMPOSED


class Lists:
    """The code lists in force: those that come with Claimwire and those that were loaded. Immutable; each is read when first asked.

    `check` is a dictionary look-up and, for codes with days, a comparison.
    """

    def __init__(self, loaded: Mapping[str, Callable[[], CodeList]] | None = None) -> None:
        self._loaded: dict[str, Callable[[], CodeList]] = dict(loaded or {})
        self._codes: dict[str, CodeList] = {}
        self._checks: dict[str, Check] = {}

    def check(self, name: str, value: str, on: str = "") -> Reason | None:
        """What is wrong with a value of a list on a day (CCYYMMDD, "" for no certain day); None when nothing is.

        KeyError for a name that is no list: `list_for` gives names.
        """
        check = self._checks.get(name)
        return (check or self.checker(name))(value, on)

    def checker(self, name: str) -> Check:
        """`check` of one list, to be called many times: `(value, on) -> reason or None`."""
        check = self._checks.get(name)
        if check is None:
            if name in _COMPOSED:
                compose, parts = _COMPOSED[name]
                check = compose(*map(self.checker, parts))
            else:
                check = _judge(name, self.codes(name))
            self._checks[name] = check
        return check

    def severity(self, name: str, reason: Reason, usage: str = "P") -> Severity:
        """How bad it is: what may be right after all is a warning, so is a code out of time where the guide does not forbid it.

        `usage` is ISA15: in test (T) the numbers of providers are often made up, and only warned of.
        """
        if reason == "unlisted" or (usage == "T" and name == "npi"):
            return "warning"
        if reason == "ended" and name in _STRICT:
            return "error"
        return "warning" if (FORMS[name].dated, reason) in _WARNED else "error"

    def dated(self, name: str) -> str:
        """Which day decides for a list: "service", "production" of the file, or "" for none."""
        return FORMS[name].dated

    def message(self, name: str, reason: Reason) -> str:
        """What to say behind the name of an element, without the value."""
        form = FORMS[name]
        return _WORDS[reason].format(title=form.title, keeper=form.keeper, dated=form.dated)

    def codes(self, name: str) -> CodeList:
        """The codes of a list, empty where only its form is known; KeyError for a name that is no list."""
        codes = self._codes.get(name)
        if codes is None:
            table = FORMS[name].table
            codes = packaged(table) if table else _NOTHING
            if name in self._loaded:
                codes = merge(codes, self._loaded[name]())
            self._codes[name] = codes
        return codes

    def loaded(self) -> frozenset[str]:
        """The names of the lists that were loaded beside those that come along."""
        return frozenset(self._loaded)

    def with_loaded(self, loaded: Mapping[str, CodeList | Callable[[], CodeList]]) -> Lists:
        """These lists with others on top, by name, given as they are or to be read when first asked.

        KeyError for a name that is no list, or one made of others (`parts_of`).
        """
        found = dict(self._loaded)
        for name, codes in loaded.items():
            if not is_loadable(name):
                raise KeyError(name)
            found[name] = codes if callable(codes) else lambda codes=codes: codes
        return Lists(found)


@cache
def shipped() -> Lists:
    """The lists that come with Claimwire."""
    return Lists()
