"""Transaction sets that hold everything: every loop, segment and element of a guide with values that the guide allows there.

A guide has more than fits into one set (an NM108 is one code of many, a person or an organization): the variants of a set take the
codes of a place in turn. They are right element by element; what several segments need together, and how often a segment may come,
is not looked at, since reading looks at neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tests.dialect.sweep import LISTS
from x12 import codes
from x12.documents.writing import Written
from x12.guides import Component, Element, Guide, Loop, Segment
from x12.syntax import CANONICAL

__all__ = ["whole"]

_PERIODS = {
    "D8": "20251231",
    "RD8": "20251201-20251231",
    "DT": "202512311530",
    "TM": "1530",
    "DTS": "20251231153000",
    "RTS": "20251201153000-20251231153000",
    "D6": "251231",
    "RD6": "251201-251231",
    "CM": "202512",
    "CY": "2025",
}


def whole(guide: Guide, variant: int, without: Collection[str] = (), *, loose: bool = False) -> Written:
    """A variant of everything a guide has, but for these loops.

    `loose`: each REF and DTP also with the codes that the guide has for others of them, as payers send them.
    """
    return Written(list(_Whole(guide, variant, without, loose).lines()), [])


class _Whole:
    def __init__(self, guide: Guide, variant: int, without: Collection[str], loose: bool) -> None:
        self.guide = guide
        self.variant = variant
        self.without = without
        self.anywhere: dict[str, set[str]] = {}
        for segment in guide.segments if loose else ():
            if segment.id in ("DTP", "REF") and segment.qualifier is not None:
                self.anywhere.setdefault(segment.id, set()).update(segment.qualifier.codes or ())
        self.levels = 0
        self.made = 0

    def lines(self) -> Iterator[str]:
        yield from self.loop(self.guide.root, 0)

    def loop(self, loop: Loop, parent: int) -> Iterator[str]:
        own = parent
        for child in loop.children:
            if isinstance(child, Loop):
                if child.id not in self.without and child.usage != "N":
                    yield from self.loop(child, own)
            elif child.id == "HL":
                self.levels += 1
                inner = any(
                    isinstance(c, Loop) and c.first.id == "HL" and c.id not in self.without for c in loop.children
                )
                level = next(iter(child.elements[2].codes or ("20",)))
                yield CANONICAL.element.join(("HL", str(self.levels), str(parent or ""), level, str(int(inner))))
                own = self.levels
            elif child.usage != "N":
                yield from self.segments(child)

    def segments(self, segment: Segment) -> Iterator[str]:
        """The segment, or one for each code of its qualifier where it only says what follows."""
        mark = segment.qualifier
        several = mark is not None and not segment.opens and segment.id not in ("NM1", "N1", "SVC", "SBR", "LQ")
        codes_here = {*(mark.codes or ()), *self.anywhere.get(segment.id, ())} if mark is not None and several else ()
        times = 2 if segment.id == "DTP" and segment.repeat > 1 and self.variant % 8 in (4, 5) else 1
        for code in [c for c in sorted(codes_here) for _ in range(times)] or [""]:
            self.made += 1
            row = [segment.id]
            values: dict[int, str] = {}
            for element in segment.elements:
                value = self.element(element, values, code if element.position == 1 else "")
                values[element.position] = value
                row.append(value)
            yield CANONICAL.element.join(row).rstrip(CANONICAL.element)

    def element(self, element: Element, before: dict[int, str], chosen: str) -> str:
        if element.usage == "N":
            return ""
        if not element.components:
            return chosen or self.value(element, before.get(element.position - 1, ""))
        parts: list[str] = []
        for component in element.components:
            wanted = chosen if component.position == 1 else ""
            value = "" if component.usage == "N" else wanted or self.value(component, parts[-1] if parts else "")
            parts.append(value)
        return CANONICAL.component.join(parts).rstrip(CANONICAL.component)

    def value(self, part: Component, before: str) -> str:
        turn = self.variant + part.position // 2
        if part.codes and len(part.codes) == 1 and part.usage == "S" and self.variant % 4 > 1:
            return ""
        if part.codes:
            listed = sorted(part.codes)
            return listed[turn % len(listed)]
        name = LISTS.get(part.external or "")
        if name is not None:
            known = [c for c in codes.table(name) if len(c) >= part.min]
            return known[(self.variant + self.made) % len(known)]
        if part.data.number == "1251":
            return _PERIODS.get(before, "20251231")
        match part.data.type:
            case "DT":
                return "20251231"[: part.max] if part.max >= 8 else "251231"
            case "TM":
                return "1530"
            case "R":
                return "1"
            case kind if kind.startswith("N"):
                return "1".rjust(part.min, "1")
            case _ if (part.data.number, before) == ("1271", "ZZ"):
                return "11"
            case _:
                self.made += 1
                return f"V{self.made}".ljust(part.min, "X")[: part.max]
