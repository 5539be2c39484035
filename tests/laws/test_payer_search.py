"""Payers are found however they are written: by name, id, alias, in part, with a slip; and by nothing else."""

from __future__ import annotations

import csv
import io
import time

import pytest

from adapters.protocol import Capabilities
from gateway.payer_records import FILTERS, csv_of, record_of, search_page, together
from gateway.payer_search import PayerIndex
from gateway.payers import Payer, Transactions

ALL = Capabilities(frozenset(("270", "276")), frozenset(("837",)), collects=True)
PAYERS = [
    Payer(id="BIRCH", name="Birch Health Plan", routes=["r"], aliases=["BHP01", "60054"], names=["Birch HMO"]),
    Payer(id="61473", name="Blue Hill of North Carolina", routes=["r"], aliases=["NCBH"], coverage_types=["dental"]),
    Payer(
        id="ALDER", name="Alder Mutual", routes=["r"], operating_states=["OR", "WA"], coverage_types=["medical", "dental"],
        transactions=Transactions(claim_status="not_supported", claim_payment="enrollment_required"),
    ),
    Payer(id="ELANCA", name="Compañía Élan", routes=["r"]),
]  # fmt: skip
INDEX = PayerIndex(PAYERS)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("birch", ["BIRCH"]),
        ("BIRCH HEALTH", ["BIRCH"]),
        ("health birch", ["BIRCH"]),
        ("bich", ["BIRCH"]),
        ("brich heatlh", ["BIRCH"]),
        ("birhc hmo", ["BIRCH"]),
        ("60054", ["BIRCH"]),
        ("6005", ["BIRCH"]),
        ("bhp", ["BIRCH"]),
        ("61473", ["61473"]),
        ("61474", []),
        ("carolina", ["61473"]),
        ("carolnia", ["61473"]),
        ("compania", ["ELANCA"]),
        ("élan", ["ELANCA"]),
        ("alder zebra", []),
        ("xy", []),
    ],
)
def test_a_payer_is_found_by_what_callers_write(query: str, expected: list[str]) -> None:
    assert expected == [f.payer.id for f in INDEX.search(query)]


def test_without_a_query_every_payer_is_found_by_name() -> None:
    assert ["ALDER", "BIRCH", "61473", "ELANCA"] == [f.payer.id for f in INDEX.search("  ")]


def test_an_id_that_is_written_whole_comes_first() -> None:
    payers = [Payer(id=f"X{n}", name=f"Plan 600{n}", routes=["r"]) for n in range(20)]
    payers.append(Payer(id="6001", name="Another", routes=["r"]))
    assert "6001" == PayerIndex(payers).search("6001")[0].payer.id


def test_what_matched_is_told_between_marks() -> None:
    (found,) = INDEX.search("birc 60054")
    assert ("<b>Birc</b>h Health Plan", ("<b>60054</b>",)) == (found.display_name, found.aliases)
    assert ("<b>BIRC</b>H", ("<b>Birc</b>h HMO",)) == (found.primary_payer_id, found.names)


def test_thousands_of_payers_are_searched_in_a_moment() -> None:
    payers = [
        Payer(id=f"P{n:05d}", name=f"{chr(65 + n % 26)}{n * 7919 % 9973:04d} health of county {n % 991}", routes=["r"])
        for n in range(5_000)
    ]
    index = PayerIndex(payers)
    started = time.process_time()
    assert index.search("conty helth")
    print(f"5,000 payers searched in {time.process_time() - started:.3f} s")


def test_filters_hold_together_and_counts_are_of_all_that_was_found() -> None:
    found = [(f, record_of(f.payer, ALL)) for f in INDEX.search("")]

    def page(wanted: dict[str, str], *, coverage: tuple[str, ...] = (), states: tuple[str, ...] = ()) -> list[str]:
        return [i.payer.stedi_id for i in search_page(found, wanted, coverage, states, 0, 10).items]

    assert ["BIRCH", "61473", "ELANCA"] == page({"claimStatus": "SUPPORTED"})
    assert ["ALDER"] == page({"claimStatus": "NOT_SUPPORTED", "claimPayment": "ENROLLMENT_REQUIRED"})
    assert 4 == len(page({"claimPayment": "EITHER"}))
    assert ["ALDER"] == page({}, coverage=("dental",), states=("WA", "OR"))
    assert ["ALDER", "61473"] == page({}, coverage=("dental",))
    whole = search_page(found, {}, (), (), 0, 2)
    assert ("2", 2, 4) == (whole.next_page_token, len(whole.items), whole.stats.total)
    counted = whole.stats.transaction_support_counts["claimPayment"]
    assert (4, 1, 3, 0) == (
        counted.supported.total,
        counted.supported.enrollment_required,
        counted.supported.enrollment_not_required,
        counted.not_supported.total,
    )
    assert None is search_page(found, {}, (), (), 2, 2).next_page_token


def test_what_only_one_of_its_ways_can_a_payer_can() -> None:
    ways = [Capabilities(batch=frozenset(("837",)), collects=True), Capabilities(frozenset(("270", "276")))]
    assert Capabilities(frozenset(("270", "276")), frozenset(("837",)), collects=True) == together(ways)
    said = record_of(PAYERS[0], together(ways)).transaction_support
    assert ("SUPPORTED", "SUPPORTED", "SUPPORTED") == (
        said.eligibility_check,
        said.claim_status,
        said.professional_claim_submission,
    )


def test_what_the_data_leave_open_is_as_the_adapter_can() -> None:
    said = record_of(PAYERS[0], Capabilities(frozenset(("270",)))).transaction_support
    assert ("SUPPORTED", "NOT_SUPPORTED", "NOT_SUPPORTED") == (
        said.eligibility_check,
        said.claim_status,
        said.professional_claim_submission,
    )


def test_the_table_has_a_row_for_each_payer_and_no_formula() -> None:
    odd = Payer(id="ODD", name='=HYPERLINK("x")', routes=["r"], aliases=["-1"])
    rows = list(csv.DictReader(io.StringIO(csv_of([record_of(p, ALL) for p in (*PAYERS, odd)]))))
    assert ["BIRCH", "61473", "ALDER", "ELANCA", "ODD"] == [r["StediId"] for r in rows]
    assert ("60054|BHP01|BIRCH", "NOT_SUPPORTED") == (rows[0]["Aliases"], rows[2]["ClaimStatus"])
    assert rows[4]["DisplayName"].startswith("'=")
    assert {f[0].upper() + f[1:] for f in FILTERS} <= set(rows[0])
