"""The screens everybody meets first, looked at by axe; the journeys look at the rest."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import check_axe
from tests.browser.conftest import Open
from tests.browser.plant import Plant


def test_axe_is_looking(plant: Plant, windows: Open) -> None:
    """The check itself: a picture without words and a pale text are found."""
    page = windows("office").sign_in("planner", "/")
    expect(page.locator("main h1")).to_be_visible()
    bad = '<main id=bad><img src=x><p style="color:#ccc;background:#fff">pale</p></main>'
    page.evaluate("(bad) => document.body.insertAdjacentHTML('beforeend', bad)", bad)
    with pytest.raises(AssertionError) as caught:
        check_axe(page, "#bad")
    assert "image-alt" in str(caught.value) and "color-contrast" in str(caught.value)


@pytest.mark.parametrize("path", ["/", "/list/catalog/item"])
def test_nothing_serious(path: str, plant: Plant, windows: Open) -> None:
    page = windows("office").sign_in("planner", path)
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)
    check_axe(page, modes=("light", "dark"))
