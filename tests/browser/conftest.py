"""Fixtures of the browser's tests: fresh screens, the product on a plant of its own, windows, pictures of failures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from lianzao.foundation import clock
from project.config import ROOT
from tests.browser.plant import PASSWORD, Plant
from tests.browser.product import Product
from tests.conftest import close_connections, use_database
from tests.databases import TestGround

CHROMIUM = os.environ.get("LIANZAO_CHROMIUM", shutil.which("chromium") or shutil.which("chromium-browser") or "")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = ROOT / ".test" / "pictures"
WEB = ROOT / "web"
SIZES = {
    "office": (1440, 900),
    "terminal": (1280, 800),
    "phone": (390, 844),
    "portal": (1280, 800),
    "screen": (1920, 1080),
}
#: An error the browser itself reports when a page asks who we are before signing in: it is an answer, not a fault.
EXPECTED = re.compile(r"status of (401|404|409|422|423)")

expect.set_options(timeout=8_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def screens() -> None:
    """The built screens, built anew when a source is newer than they are."""
    page = WEB / "dist" / "office.html"
    sources = [*WEB.glob("src/**/*"), *WEB.glob("*.html"), WEB / "package.json", WEB / "vite.config.ts"]
    newest = max(path.stat().st_mtime for path in sources if path.is_file())
    if page.is_file() and page.stat().st_mtime >= newest:
        return
    done = subprocess.run(["npm", "run", "build"], cwd=WEB, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"the screens could not be built:\n{(done.stdout + done.stderr)[-3000:]}", pytrace=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium. Its driver runs an event loop in this thread, which Django takes for asynchronous code."""
    if not CHROMIUM:
        pytest.fail("no Chromium: install it, or say where it is in LIANZAO_CHROMIUM", pytrace=False)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def standing(test_ground: TestGround, django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[[str], str]]:
    """The plant, empty, at work or busy, built once each in a database nobody is let into: every test gets a copy."""
    built: dict[str, str] = {}
    before = str(connections.databases["default"]["NAME"])
    grown: dict[str, tuple[str, Callable[[Plant], None]]] = {
        "at work": ("empty", Plant.go_to_work),
        "busy": ("at work", Plant.sell_more),
    }

    def build(kind: str) -> str:
        if kind not in built:
            older, grow = grown.get(kind, ("", None))
            name = test_ground.clone(build(older) if older else "")
            built[kind] = name
            try:
                use_database(test_ground, name)
                with django_db_blocker.unblock():
                    made = Plant(stands=bool(older))
                    if grow:
                        grow(made)
                    close_connections()
            finally:
                clock.freeze(None)
                use_database(test_ground, before)
            test_ground.shut(name)
        return built[kind]

    yield build
    for name in built.values():
        test_ground.drop(name)


@contextmanager
def copy_of(name: str, ground: TestGround, blocker: Any) -> Iterator[Plant]:
    """A plant of a test's own; processes started meanwhile stand on it too."""
    before = str(connections.databases["default"]["NAME"])
    copy = ground.clone(name)
    try:
        use_database(ground, copy)
        with blocker.unblock():
            yield Plant(stands=True)
            close_connections()
    finally:
        clock.freeze(None)
        use_database(ground, before)
        ground.drop(copy)


@pytest.fixture
def plant(
    request: pytest.FixtureRequest, standing: Callable[[str], str], test_ground: TestGround, django_db_blocker: Any
) -> Iterator[Plant]:
    """The plant in a database of its own; call `open_the_doors` when it is as the story wants it."""
    kinds = {"empty_plant": "empty", "busy_plant": "busy"}
    kind = next((kinds[name] for name in request.fixturenames if name in kinds), "at work")
    with copy_of(standing(kind), test_ground, django_db_blocker) as made:
        yield made


@pytest.fixture
def empty_plant(plant: Plant) -> Plant:
    """The plant with its people and machines, and nothing in it yet: no stock, no orders, no work."""
    return plant


@pytest.fixture
def busy_plant(plant: Plant) -> Plant:
    """The plant with goods on order that no supplier has confirmed, and goods that are to leave."""
    return plant


@pytest.fixture
def product(plant: Plant, screens: None) -> Iterator[Product]:
    """The running product on that plant."""
    plant.open_the_doors()
    with Product(os.environ["LIANZAO_DATABASE_URL"], os.environ["LIANZAO_OWNER_URL"]) as running:
        yield running


class Window:
    """A person's window: one browser profile, signed in to one app."""

    def __init__(self, context: BrowserContext, base: str, app: str) -> None:
        self.context = context
        self.base = base + ("" if app == "office" else f"/{app}")
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "console", lambda said: self._hear(said.type, f"{said.text} {said.location.get('url', '')}".strip())
        )

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and not EXPECTED.search(text):
            self.faults.append(text)

    def sign_in(self, login: str, path: str = "/") -> Page:
        """Through the login page, as people do."""
        self.page.goto(f"{self.base}/login?to={path}")
        self.page.locator("input").first.fill(login)
        self.page.locator("input[type=password]").fill(PASSWORD)
        self.page.locator("button[type=submit]").click()
        expect(self.page.locator("form input[type=password]")).to_have_count(0)
        return self.page


Open = Callable[..., Window]


@pytest.fixture
def windows(product: Product, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """`windows(app, language)` opens a window. No page may fault; what failed is pictured in .test/pictures."""
    opened: list[Window] = []

    def window(app: str = "office", language: str = "zh-CN") -> Window:
        width, height = SIZES[app]
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale=language, timezone_id="Asia/Shanghai"
        )
        context.set_default_timeout(8_000)
        context.add_init_script(
            "if (!localStorage.getItem('lianzao.preferences'))"
            f" localStorage.setItem('lianzao.preferences', JSON.stringify({{language: '{language}', theme: 'light'}}))"
        )
        made = Window(context, product.url, app)
        opened.append(made)
        return made

    yield window
    failed = getattr(request.node, "failed", False)
    faults = [fault for one in opened for fault in one.faults]
    for index, one in enumerate(opened):
        if failed or faults:
            PICTURES.mkdir(parents=True, exist_ok=True)
            one.page.screenshot(path=PICTURES / f"{request.node.name}-{index}.png")
        one.context.close()
    if failed or faults:
        (PICTURES / f"{request.node.name}.log").write_text(product.log.read_text("utf-8", "replace"), encoding="utf-8")
    assert not faults, faults


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Remember on the test that it failed, so that its windows are pictured."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[union-attr]
    if report.when == "call" and report.failed:
        item.failed = True  # type: ignore[attr-defined]
