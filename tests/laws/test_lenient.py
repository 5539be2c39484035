"""Laws of reading JSON: everything that can be meant is taken, every fault is told at once, no value is ever told."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from x12.documents.eligibility_request import EligibilityRequest
from x12.documents.lenient import decode

BODY = {
    "tradingPartnerServiceId": "SANDBOX",
    "provider": {"organizationName": "CLINIC", "npi": 1234567893, "extra": {"deep": [1, 2]}},
    "subscriber": {"memberId": "M1", "dateOfBirth": 19800101, "address": None, "ssn": None},
    "dependents": None,
    "encounter": {"serviceTypeCodes": ["30", None, 98]},
    "partnerId": True,
}


def test_nulls_unknown_keys_and_numbers_for_text_are_taken() -> None:
    document, findings = decode(EligibilityRequest, msgspec.json.encode(BODY))
    assert [] == findings
    assert document is not None
    assert document.provider is not None
    assert "1234567893" == document.provider.npi
    assert document.subscriber is not None
    assert "19800101" == document.subscriber.date_of_birth
    assert document.encounter is not None
    assert ["30", "98"] == document.encounter.service_type_codes


def test_every_fault_is_told_at_once_with_its_path() -> None:
    body = {
        "subscriber": {"memberId": ["SECRET"], "firstName": {"x": "SECRET"}, "address": "SECRET"},
        "dependents": [{"lastName": True}, "SECRET"],
        "encounter": {"serviceTypeCodes": "SECRET"},
    }
    document, findings = decode(EligibilityRequest, msgspec.json.encode(body))
    assert document is None
    expected = [
        "dependents[0].lastName",
        "dependents[1]",
        "encounter.serviceTypeCodes",
        "subscriber.address",
        "subscriber.firstName",
        "subscriber.memberId",
    ]
    assert expected == sorted(f.path or "" for f in findings)
    assert "SECRET" not in repr(findings)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"nul", b'{"a":}', b"\xff\xfe", b"[" * 100_000, b'{"subscriber":' * 5000]
)
def test_what_is_not_an_object_is_a_finding(body: bytes) -> None:
    document, findings = decode(EligibilityRequest, body)
    assert document is None
    assert 1 == len(findings)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 6000])
def test_a_number_beyond_all_others_is_told_by_its_field(number: str) -> None:
    body = '{"extra": [NUMBER], "subscriber": {"memberId": NUMBER, "address": 1}}'.replace("NUMBER", number).encode()
    document, findings = decode(EligibilityRequest, body)
    assert document is None
    assert ["subscriber.address must be an object.", "subscriber.memberId is too large a number."] == sorted(
        f.message for f in findings
    )
    ignored = f'{{"extra": [{number}], "subscriber" : {{"memberId": "M1"}}}}'.encode()
    assert [] == decode(EligibilityRequest, ignored)[1]
    assert [None] == [f.path for f in decode(EligibilityRequest, b'{"a": %s, "b": NaN}' % number.encode())[1]]


def test_a_byte_order_mark_is_passed_over_and_depth_is_called_depth() -> None:
    assert [] == decode(EligibilityRequest, b"\xef\xbb\xbf" + msgspec.json.encode(BODY))[1]
    deep = b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert ["the body is nested too deeply."] == [f.message for f in decode(EligibilityRequest, deep)[1]]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["subscriber", "provider", "encounter", "dependents", "memberId", "npi", "address"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_json_raises(value: object) -> None:
    document, findings = decode(EligibilityRequest, msgspec.json.encode(value))
    assert (document is None) == bool(findings)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b'{"subscriber":{"memberId":"SECRET","memberId":"SECRET"}}', ["subscriber.memberId"]),
        (b'{"subscriber" : {"memberId":"SECRET", "memberId" :"SECRET"}}', ["subscriber.memberId"]),
        (b'{"dependents":[{},{"lastName":"A","lastName":"B"}],"dependents":[]}', ["dependents"]),
        (b'{"dependents":[{},{"lastName":"A","lastName":null}]}', ["dependents[1].lastName"]),
        (
            b'{"subscriber":{},"subscriber":{}, "controlNumber":"1","controlNumber":"2"}',
            ["subscriber", "controlNumber"],
        ),
        (b'{"mystery":{"SECRET":1,"SECRET":2}}', [None]),
        (b'{"subscriber":{"ssn":"1"},"subscriber":7}', ["subscriber", "subscriber"]),
        (b'{"\\u0073ubscriber":{},"subscriber":{}}', ["subscriber"]),
    ],
)
def test_a_key_that_stands_twice_is_refused_by_its_path(body: bytes, paths: list[str | None]) -> None:
    document, findings = decode(EligibilityRequest, body)
    assert document is None
    assert paths == [f.path for f in findings]
    assert not any("SECRET" in f.message for f in findings)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_no_key_is_said_to_stand_twice_where_none_does(value: object) -> None:
    for body in (
        msgspec.json.encode({"z": value}),
        json.dumps({"z": value}, indent=1, separators=(" ,", " : ")).encode(),
    ):
        assert decode(EligibilityRequest, body)[1] == []
