"""What is printed on a label is read back from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzao.values.gs1 import SEPARATOR, element_string, elements, shown

FREE = st.text("ABCXYZabc0123456789-_./+%", min_size=1, max_size=20)


@given(st.integers(0, 10**18 - 1).map("{:018}".format), FREE, st.integers(1, 10**8 - 1).map(str))
def test_a_label_says_what_was_put_on_it(sscc: str, lot: str, count: str) -> None:
    parts = {"00": sscc, "10": lot, "37": count}
    assert elements("]C1" + element_string(parts)) == parts
    assert elements(element_string(parts)) == parts
    assert elements(shown(parts)) == parts


@pytest.mark.parametrize(
    "plain", ["", "PT-2611-00001", "L2411-0088", "6901234567892", "(9999)x", "]C1", "]C1zz", "(10"]
)
def test_a_plain_number_is_no_element_string(plain: str) -> None:
    assert elements(plain) == {}


def test_an_sscc_is_known_without_a_mark() -> None:
    assert elements("00369012345678901237") == {"00": "369012345678901237"}
    assert element_string({"10": "A", "37": "5"}) == f"10A{SEPARATOR}375"
    with pytest.raises(ValueError, match="18 signs"):
        element_string({"00": "1"})
