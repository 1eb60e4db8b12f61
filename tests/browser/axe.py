"""Whether a page can be used by everybody, as far as axe-core can tell: `check_axe(page)` in any browser test."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

from playwright.sync_api import Page

from project.config import ROOT

SCRIPT = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
#: WCAG 2.0 to 2.2, A and AA.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
SERIOUS = ("serious", "critical")
#: Panels and states move for up to 200 ms (tokens), and a colour in between is nobody's fault.
AT_REST_MS = 350

RUN = """async ([part, rules]) => {
  const options = { runOnly: { type: "tag", values: rules }, resultTypes: ["violations"] };
  const found = await axe.run(part || document, options);
  return found.violations.map((one) => ({
    rule: one.id, impact: one.impact, help: one.help,
    nodes: one.nodes.map((node) => ({ at: node.target.join(" "), html: node.html, why: node.failureSummary })),
  }));
}"""


@cache
def _script() -> str:
    return SCRIPT.read_text(encoding="utf-8")


def findings(page: Page, part: str = "") -> list[dict[str, Any]]:
    """What axe finds on a page as it stands, or in the part of it that a CSS selector names."""
    page.wait_for_timeout(AT_REST_MS)
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_script())  # by the debugger's door: the page's own security policy allows no foreign script
    return page.evaluate(RUN, [part, list(RULES)])


def check_axe(
    page: Page, part: str = "", *, modes: Sequence[Literal["light", "dark"]] = (), leave_out: Sequence[str] = ()
) -> None:
    """Assert that axe finds nothing serious. `modes`: in these themes, the page's own one comes back afterwards.

    `leave_out` names rules that do not hold here; say beside the call why.
    """
    own = page.evaluate("document.documentElement.dataset.theme")
    bad: list[str] = []
    for mode in modes or (own,):
        page.evaluate("(mode) => { document.documentElement.dataset.theme = mode }", mode)
        for one in findings(page, part):
            if one["impact"] in SERIOUS and one["rule"] not in leave_out:
                head = f"{mode}: {one['rule']} ({one['help']})"
                for node in one["nodes"][:5]:
                    bad.append(f"{head} at {node['at']}: {node['html'][:160]}\n    {node['why']}")
    page.evaluate("(mode) => { document.documentElement.dataset.theme = mode }", own)
    assert not bad, f"{len(bad)} serious findings on {page.url}:\n" + "\n".join(bad)
