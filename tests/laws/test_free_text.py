"""Laws of what people write for people: any writing is taken, nothing that hides or turns what stands beside it."""

from __future__ import annotations

import pytest

from gateway.free_text import unseen_character
from gateway.inboxes import reason


@pytest.mark.parametrize(
    "text", ["", "Zahnärztin Müller", "ד״ר כהן", "歯科医院", "two\r\nlines\tand a tab", "👩‍⚕️ it’s ~*:^"]
)
def test_any_writing_is_taken(text: str) -> None:
    assert unseen_character(text) is None


@pytest.mark.parametrize(
    "bad", ["\x00", "\x0b", "\x1c", "\x7f", "\x85", "\u200f", "\u2028", "\u202e", "\u2066", "\ufeff"]
)
def test_what_nobody_sees_is_named_and_refused_in_a_reason(bad: str) -> None:
    assert f"U+{ord(bad):04X}" == unseen_character(f"called{bad}twice")
    with pytest.raises(ValueError, match=rf"why contains U\+{ord(bad):04X}") as raised:
        reason(f"called{bad}twice")
    assert "called" not in str(raised.value)
    assert "called twice" == reason(" called twice ")
