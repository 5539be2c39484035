"""The reader of documents gives what its bindings say, whatever it has prepared, and its documents are none of the collector's."""

from __future__ import annotations

import gc
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings

import x12.documents
from tests import synthetic
from tests.laws import (
    review_values,
    test_claim_acknowledgement,
    test_claim_status,
    test_dental_claim,
    test_eligibility,
    test_institutional_claim,
    test_professional_claim,
    test_remittance,
)
from tests.laws.cases import cases
from tests.laws.plain_reading import plainly_read
from tests.laws.status_values import ENVELOPE, Draw, corpus_sets, mutated, seeds, set_of, translated
from x12.documents import compiled
from x12.documents.binding import Document, plan_of
from x12.documents.lenient import OneOf
from x12.documents.reading import Reader
from x12.documents.remittance import read_remittance
from x12.envelope import TransactionSet
from x12.envelope import read as read_file
from x12.transactions import KINDS, documents_of, kind_of, write
from x12.tree import Instance

# How documents of each kind are made out of chance: seed and richness.
Make = Callable[[int, float], Document]
MADE: dict[str, Make] = {
    "270": test_eligibility.request,
    "275": review_values.attachment,
    "276": lambda seed, _: test_claim_status.request(Draw(seed)),
    "277": lambda seed, _: test_claim_status.response(Draw(seed)),
    "277CA": lambda seed, _: test_claim_acknowledgement.report(Draw(seed)),
    "278-request": review_values.request,
    "278-response": review_values.response,
    "835": test_remittance.remittance,
    "837P": test_professional_claim.filled,
    "837I": test_institutional_claim.filled,
    "837D": test_dental_claim.filled,
}
FILES = (synthetic.responses_271, synthetic.remittance_835, synthetic.claims_837p, synthetic.acknowledgement_277ca)


def types(cls: type[Document] = Document) -> Iterator[type[Document]]:
    for module in pkgutil.iter_modules(x12.documents.__path__):
        importlib.import_module(f"x12.documents.{module.name}")
    for inner in cls.__subclasses__():
        if inner.__module__.startswith(f"{x12.documents.__name__}."):
            yield inner
        yield from types(inner)


@pytest.fixture(autouse=True, scope="module")
def prepared() -> Iterator[None]:
    """Readers that have met nothing yet, and that make a function of a whole loop when it is met a third time, a twelfth, ..."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_WHOLE_FROM", 3)
        for cls in set(types()) - {OneOf}:
            patch.setattr(plan_of(cls), "reader", Reader(plan_of(cls)))
        yield


def plainly(received: TransactionSet) -> list[Document]:
    """The documents of a set, read by following the bindings."""

    def read(reader: Reader, instance: Instance) -> Document | None:
        return plainly_read(reader.cls, instance)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reader, "read", read)
        return documents_of(received)


def spoiled(received: TransactionSet, random: Random) -> TransactionSet:
    """A set with a few faults in its segments, and now and then more elements than any guide knows."""
    segments = mutated(Draw(random.getrandbits(40)), translated(received.segments, received.delimiters))
    for _ in range(random.randint(0, 2)):
        at = random.randrange(1, len(segments) - 1)
        segments[at] += random.choice(
            ("*", "*X", "**:", "*1*2*3*4*5*6*7*8*9*10*11*12*13*14*15*16*17*18*19*20*21*22*23")
        )
    assert received.group is not None
    return set_of(segments, received.group.functional_id, received.group.version)


def sets(text: str) -> list[TransactionSet]:
    return [s for i in read_file(text.encode("latin-1"), levels=(1, 2)) for s in i.sets]


@pytest.mark.parametrize("kind", MADE)
@settings(max_examples=cases(12), deadline=None)
@given(seed=seeds)
def test_what_is_read_is_what_the_bindings_say(kind: str, seed: int) -> None:
    random = Random(seed)
    made = [MADE[kind](random.getrandbits(40), random.random()) for _ in range(3)]
    for received in sets(write(made, ENVELOPE).text):
        assert plainly(received) == documents_of(received)
        for _ in range(3):
            faulty = spoiled(received, random)
            assert plainly(faulty) == documents_of(faulty)


@given(seed=seeds)
@settings(max_examples=cases(25), deadline=None)
def test_what_is_read_of_whole_files_is_what_the_bindings_say(seed: int) -> None:
    random = Random(seed)
    for received in sets(random.choice(FILES)(random.randint(1, 9), random.randint(1, 99))):
        faulty = spoiled(received, random)
        assert plainly(received) == documents_of(received)
        assert plainly(faulty) == documents_of(faulty)


def test_files_of_others_are_read_as_the_bindings_say() -> None:
    for name, received in corpus_sets(*(kind.split("-")[0] for kind in KINDS), "invalid", "other"):
        assert (name, plainly(received)) == (name, documents_of(received))


def test_every_kind_is_made_or_in_a_file() -> None:
    read = {kind.name for make in FILES for s in sets(make(1)) if (kind := kind_of(s))}
    # Acknowledgements are in the corpus, and written by the laws that are about them.
    assert KINDS.keys() - {"999", "997"} == {*MADE, *read}


def held(cls: type[Document], around: Sequence[type[Document]] = ()) -> Iterator[type[Document]]:
    """The types of documents that one holds at any depth."""
    for field in plan_of(cls).fields:
        if field.plan is not None:
            assert field.plan.cls not in (cls, *around)
            yield field.plan.cls
            yield from held(field.plan.cls, (cls, *around))


def one_of(cls: type[Document]) -> Document:
    """A document that says nothing, or as little as its type lets it."""
    return cls(**{cls.__struct_fields__[0]: ""}) if issubclass(cls, OneOf) else cls()


def test_no_document_can_hold_itself_and_so_none_is_the_collectors() -> None:
    for kind in KINDS.values():
        assert all(not gc.is_tracked(inner()) for inner in (kind.type, *held(kind.type)))
    for cls in set(types()) - {OneOf}:
        assert not gc.is_tracked(one_of(cls))
        assert set(cls.__struct_fields__) >= {f.name for f in plan_of(cls).fields}


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_rests_while_a_document_is_read_and_is_then_as_before(collecting: bool) -> None:
    """A remittance has a list for each of many things: counting them, it would look at everything else again and again."""
    root = next(s.tree() for i in read_file(synthetic.remittance_835(500).encode()) for s in i.sets)
    looked: list[int] = []

    def look(phase: str, info: dict[str, int]) -> None:
        looked.append(info["generation"])

    threshold, before = gc.get_threshold(), gc.isenabled()
    gc.set_threshold(10)
    gc.callbacks.append(look)
    try:
        gc.enable() if collecting else gc.disable()
        looked.clear()
        read_remittance(root)
        # What is made after that may be looked at, as before.
        assert len(looked) <= 2
        assert gc.isenabled() is collecting
    finally:
        gc.callbacks.remove(look)
        gc.set_threshold(*threshold)
        gc.enable() if before else gc.disable()


def test_a_field_that_is_absent_is_none() -> None:
    """What the functions of the reader ask to see whether a field has a value yet."""
    assert [] == [
        (cls.__name__, name)
        for cls in set(types()) - {OneOf}
        for name in cls.__struct_fields__[issubclass(cls, OneOf) :]
        if getattr(one_of(cls), name) is not None
    ]
