"""The X12 files that validation is measured on: those of `tests.synthetic`, with more of the segments that payers send."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from tests import synthetic

__all__ = ["FILES", "File"]

_LICENSED = 200_000_000
_LAST_IN_LINE = ("SVC", "CLP", "LX", "SE")


@dataclass(frozen=True)
class File:
    """A kind of file. `make` takes the number of claims and whether to put one error in each."""

    name: str
    claims: int
    make: Callable[[int, bool], str]


def _rendering(random: Random) -> str:
    last, first = random.choice(synthetic.LAST_NAMES), random.choice(synthetic.FIRST_NAMES)
    return f"NM1*82*1*{last}*{first}****XX*{synthetic.npi(_LICENSED + random.randint(0, 99_999_999))}"


def _richer_835(segments: Iterator[str], random: Random) -> Iterator[str]:
    """Receiver, payee's address, rendering providers, group numbers, end dates and remark codes."""
    claim, remark = -1, False
    for segment in segments:
        kind = segment.split("*", 1)[0]
        if remark and kind in _LAST_IN_LINE:
            yield "LQ*HE*N130"
            remark = False
        if kind == "CLP":
            claim += 1
        remark = remark or (kind == "REF" and claim % 7 == 0 and segment.endswith("L1"))
        yield segment
        if kind == "TRN":
            yield "REF*EV*SYNTHRECV"
        elif segment.startswith("N1*PE"):
            yield from ("N3*200 LINDEN AVE", "N4*TULSA*OK*741030000", "REF*TJ*930000000")
        elif segment.startswith("NM1*QC"):
            if claim % 3 == 0:
                yield _rendering(random)
            if claim % 5 == 0:
                yield f"REF*1L*GRP{claim % 50:04d}"
        elif segment.startswith("DTM*232"):
            yield "DTM*233*20251202"


def _richer_837p(segments: Iterator[str], _: Random) -> Iterator[str]:
    """The payer's address, and the onset of the illness for every sixth claim."""
    claim = -1
    for segment in segments:
        yield segment
        if segment.startswith("NM1*PR*"):
            yield from ("N3*1 MARKET SQ", "N4*MADISON*WI*537030000")
        elif segment.startswith("CLM*"):
            claim += 1
            if claim % 6 == 0:
                yield "DTP*431*D8*20251125"


def _as_made(segments: Iterator[str], _: Random) -> Iterator[str]:
    return segments


def _enriched(text: str, richer: Callable[[Iterator[str], Random], Iterator[str]]) -> str:
    """A file of one transaction set with more segments in it, its SE01 made right."""
    lines = list(richer(iter(text.rstrip("~").split("~")), Random(20260105)))
    trailer = lines[-3].split("*")
    # All but ISA, GS, GE and IEA.
    trailer[1] = str(len(lines) - 4)
    lines[-3] = "*".join(trailer)
    return "~".join(lines) + "~"


_RICHER: Mapping[str, Callable[[Iterator[str], Random], Iterator[str]]] = {"835": _richer_835, "837P": _richer_837p}
_MAKERS: Mapping[str, tuple[int, Callable[..., str]]] = {
    "835": (10_000, synthetic.remittance_835),
    "837P": (5_000, synthetic.claims_837p),
    "277CA": (10_000, synthetic.acknowledgement_277ca),
}


def _file(name: str) -> File:
    claims, make = _MAKERS[name]
    richer = _RICHER.get(name, _as_made)
    return File(name, claims, lambda count, wrong: _enriched(make(count, wrong=wrong), richer))


FILES: tuple[File, ...] = tuple(_file(name) for name in _MAKERS)


def main(folder: str, share: str, *wrong: str) -> None:
    """Write each file and print, by name, how many claims and segments it has."""
    made: dict[str, tuple[int, int]] = {}
    for file in FILES:
        claims = max(1, round(file.claims * float(share)))
        text = file.make(claims, bool(wrong))
        (Path(folder) / f"{file.name}.x12").write_text(text, "ascii")
        made[file.name] = claims, text.count("~")
    print(msgspec.json.encode(made).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
