"""Whether all of an interchange has come: the only thing that a transport asks of X12."""

from __future__ import annotations

from x12.syntax import runs

__all__ = ["is_whole"]


def is_whole(body: bytes) -> bool:
    """Whether each interchange in the body ends with its IEA, terminated or at least naming the ISA's number."""
    if _is_one(body):
        return True
    last, number = "", ""
    for run in runs(body):
        if not run.segments:
            continue
        element = run.delimiters.element
        if run.isa:
            if number and not last.startswith("IEA"):
                return False
            number = run.segments[0].split(element)[13]
        last = run.segments[-1]
        if run.cut and last.split(element)[2:3] != [number]:
            return False
    return bool(number) and last.startswith("IEA")


def _is_one(body: bytes) -> bool:
    """Whether the body is plainly one whole interchange, as nearly all are: found without cutting or copying it."""
    element, terminator = body[3:4], body[105:106]
    if not body.startswith(b"ISA") or not terminator or body.count(b"ISA" + element) != 1:
        return False
    end = len(body)
    while body[end - 1 : end].isspace():
        end -= 1
    if body[end - 1 : end] != terminator:
        return False
    last = body[body.rfind(terminator, 0, end - 1) + 1 : end - 1]
    return last.lstrip().startswith(b"IEA" + element)
