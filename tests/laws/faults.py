"""Faults out of a seed: one thing made wrong in a good transaction set, as senders make it wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

__all__ = ["FAULTS", "Fault", "faulted"]

Lines = list[str]
Fault = Callable[[Random, Lines], None]
# ISA and GS stand before the set, GE and IEA behind it.
_HEAD, _TAIL = 2, 2


def _inside(random: Random, lines: Sequence[str]) -> int:
    """A segment between ST and SE."""
    return random.randrange(_HEAD + 1, len(lines) - _TAIL - 1)


def _element(random: Random, lines: Lines, wanted: Callable[[str], bool], value: Callable[[str], str]) -> None:
    """Another value for one element, or for one component, that is as wanted."""
    places = [
        (index, element)
        for index in range(_HEAD + 1, len(lines) - _TAIL - 1)
        for element, text in enumerate(lines[index].split("*"))
        if element and text and not (lines[index][:3] == "HL*" and element < 3) and any(map(wanted, text.split(":")))
    ]
    if not places:
        return
    index, element = random.choice(places)
    parts = lines[index].split("*")
    inner = parts[element].split(":")
    at = random.choice([k for k, text in enumerate(inner) if wanted(text)])
    inner[at] = value(inner[at])
    parts[element] = ":".join(inner)
    lines[index] = "*".join(parts)


def _date(text: str) -> bool:
    return len(text) == 8 and text.isdigit() and text[:2] in ("19", "20") and text[4] in "01"


def _code(text: str) -> bool:
    return 1 <= len(text) <= 3 and text.isalnum()


def _amount(text: str) -> bool:
    return "." in text and text.replace(".", "").isdigit()


def drop(random: Random, lines: Lines) -> None:
    del lines[_inside(random, lines)]


def twice(random: Random, lines: Lines) -> None:
    index = _inside(random, lines)
    lines.insert(index, lines[index])


def swapped(random: Random, lines: Lines) -> None:
    index = random.randrange(_HEAD + 1, len(lines) - _TAIL - 2)
    lines[index], lines[index + 1] = lines[index + 1], lines[index]


def unknown(random: Random, lines: Lines) -> None:
    lines.insert(_inside(random, lines), "ZZZ*1")


def foreign(random: Random, lines: Lines) -> None:
    lines.insert(_inside(random, lines), "EQ*30")


def blank(random: Random, lines: Lines) -> None:
    _element(random, lines, bool, lambda _: "")


def too_long(random: Random, lines: Lines) -> None:
    _element(random, lines, bool, lambda text: text + "A" * 90)


def bad_code(random: Random, lines: Lines) -> None:
    _element(random, lines, _code, lambda text: "!" * len(text))


def bad_date(random: Random, lines: Lines) -> None:
    _element(random, lines, _date, lambda text: text[:4] + "1340")


def no_number(random: Random, lines: Lines) -> None:
    _element(random, lines, _amount, lambda text: text.replace(".", "X"))


def more_elements(random: Random, lines: Lines) -> None:
    index = _inside(random, lines)
    lines[index] += "*" * 40 + "A"


def trailing(random: Random, lines: Lines) -> None:
    lines[_inside(random, lines)] += "*"


def wrong_count(random: Random, lines: Lines) -> None:
    parts = lines[-3].split("*")
    lines[-3] = f"SE*{int(parts[1]) + random.choice((-1, 1, 7))}*{parts[2]}"


def wrong_trailer(random: Random, lines: Lines) -> None:
    lines[-3] = f"{lines[-3].rsplit('*', 1)[0]}*9{random.randrange(100, 999)}"


def no_trailer(random: Random, lines: Lines) -> None:
    del lines[-3]


def wrong_group_count(random: Random, lines: Lines) -> None:
    lines[-2] = f"GE*{random.choice((0, 2, 9))}*{lines[-2].rsplit('*', 1)[1]}"


def wrong_group_trailer(random: Random, lines: Lines) -> None:
    lines[-2] = f"{lines[-2].rsplit('*', 1)[0]}*{random.randrange(5000, 9999)}"


def set_number(random: Random, lines: Lines) -> None:
    """ST02 and SE02 too short or too long."""
    number = random.choice(("1", "12", "1234567890123"))
    for index in (_HEAD, -3):
        parts = lines[index].split("*")
        parts[2] = number
        lines[index] = "*".join(parts)


FAULTS: dict[str, Fault] = {
    f.__name__: f
    for f in (
        drop, twice, swapped, unknown, foreign, blank, too_long, bad_code, bad_date, no_number, more_elements, trailing,
        wrong_count, wrong_trailer, no_trailer, wrong_group_count, wrong_group_trailer, set_number,
    )
}  # fmt: skip


def faulted(name: str, random: Random, lines: Sequence[str]) -> list[str]:
    """The segments of a file with one fault in it; SE01 is made right again, unless the fault is there."""
    made = list(lines)
    FAULTS[name](random, made)
    if made[-3].startswith("SE*") and name != "wrong_count":
        parts = made[-3].split("*")
        made[-3] = f"SE*{len(made) - _HEAD - _TAIL}*{parts[2]}"
    return made
