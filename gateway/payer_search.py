"""Finds payers by name, id or alias, however a caller writes them: parts of words, other cases, a slip of the finger. Pure.

Every word of the query must be found in a payer: as a whole word, its beginning, a part of an id, or with a slip. Two letters
swapped, one more, one less or another one is a slip (optimal string alignment distance); words of eight letters may have two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from gateway.payers import Payer

__all__ = ["Found", "PayerIndex"]

_WORD = re.compile(r"[^\W_]+")
_QUERY_WORDS_MAX = 12
# What a word of the query is worth, by how it was found, and where.
_WHOLE, _BEGINNING, _PART, _SLIP = 4.0, 3.0, 2.0, 1.5
_IDS, _NAME, _NAMES = 2.0, 1.5, 1.0
_EXACT = 100.0


@dataclass(frozen=True)
class Found:
    """A payer that matches, how well, and its texts that do, with the matching parts between <b> and </b>."""

    payer: Payer
    score: float
    display_name: str | None = None
    primary_payer_id: str | None = None
    aliases: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class _Text(msgspec.Struct, frozen=True):
    field: str
    weight: float
    text: str
    words: tuple[tuple[str, int, int], ...]


def folded(text: str) -> str:
    """A text without accents and in lower case, as long as it was."""
    plain = (unicodedata.normalize("NFD", c)[0] for c in text)
    return "".join(c.lower()[:1] or c for c in plain)


def _words(text: str) -> tuple[tuple[str, int, int], ...]:
    return tuple((m[0], m.start(), m.end()) for m in _WORD.finditer(folded(text)))


class PayerIndex:
    """The payers of a directory, ready to be searched."""

    def __init__(self, payers: Iterable[Payer]) -> None:
        self.payers = sorted(payers, key=lambda p: (folded(p.name), p.id))
        self._texts = [list(_texts(p)) for p in self.payers]
        self._vocabulary = sorted({w for texts in self._texts for t in texts for w, _, _ in t.words})

    def search(self, query: str) -> list[Found]:
        """Payers that match, best first; all of them, by name, where nothing is asked for."""
        asked = [word for word, _, _ in _words(query)][:_QUERY_WORDS_MAX]
        if not asked:
            return [Found(p, 0.0) for p in self.payers]
        near = {word: self._near(word) for word in asked}
        whole = "".join(asked)
        found = [_found(p, texts, near, whole) for p, texts in zip(self.payers, self._texts, strict=True)]
        return sorted((f for f in found if f is not None), key=lambda f: -f.score)

    def _near(self, asked: str) -> dict[str, tuple[float, int]]:
        """Words of the directory that may be meant by a word: what each is worth, and where in it the match begins."""
        found: dict[str, tuple[float, int]] = {}
        slips = 0 if len(asked) < 4 or asked.isdigit() else 1 if len(asked) < 8 else 2
        for word in self._vocabulary:
            at = word.find(asked)
            if at >= 0:
                found[word] = (_WHOLE if word == asked else _BEGINNING if at == 0 else _PART, at)
            elif slips and _begins_alike(asked, word) and _apart(asked, word, slips):
                found[word] = (_SLIP, 0)
        return found


def _texts(payer: Payer) -> Iterable[_Text]:
    yield _Text("display_name", _NAME, payer.name, _words(payer.name))
    yield _Text("primary_payer_id", _IDS, payer.id, _words(payer.id))
    for alias in payer.aliases:
        yield _Text("aliases", _IDS, alias, _words(alias))
    for name in payer.names:
        yield _Text("names", _NAMES, name, _words(name))


def _found(payer: Payer, texts: list[_Text], near: dict[str, dict[str, tuple[float, int]]], whole: str) -> Found | None:
    score = 0.0
    spans: dict[int, list[tuple[int, int]]] = {}
    for asked, words in near.items():
        best = 0.0
        for index, text in enumerate(texts):
            for word, begin, end in text.words:
                hit = words.get(word)
                if hit is None:
                    continue
                worth, at = hit
                # A part in the middle of a word says something in an id, and nothing in a name.
                if worth == _PART and text.weight != _IDS and len(asked) < 3:
                    continue
                best = max(best, worth * text.weight)
                last = end if worth == _SLIP else begin + at + len(asked)
                spans.setdefault(index, []).append((begin + at, last))
        if not best:
            return None
        score += best
    if any(whole == "".join(w for w, _, _ in t.words) for t in texts):
        score += _EXACT
    marked: dict[str, list[str]] = {}
    for index, text in enumerate(texts):
        if index in spans:
            marked.setdefault(text.field, []).append(_marked(text.text, spans[index]))
    one = {name: said[0] for name, said in marked.items() if name in ("display_name", "primary_payer_id")}
    aliases, names = tuple(marked.get("aliases", ())), tuple(marked.get("names", ()))
    return Found(payer, round(score, 2), one.get("display_name"), one.get("primary_payer_id"), aliases, names)


def _marked(text: str, spans: list[tuple[int, int]]) -> str:
    """A text with its spans between <b> and </b>; spans that touch are one."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    made, last = "", 0
    for begin, end in joined:
        made += f"{text[last:begin]}<b>{text[begin:end]}</b>"
        last = end
    return made + text[last:]


def _begins_alike(one: str, other: str) -> bool:
    """Whether the first letter is right, or swapped with the second: hardly anybody gets it wrong, and short words are many."""
    return one[:1] == other[:1] or one[:2] == other[1::-1]


def _apart(one: str, other: str, most: int) -> bool:
    """Whether two words are at most so many slips apart."""
    if abs(len(one) - len(other)) > most:
        return False
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return False
    return row[-1] <= most
