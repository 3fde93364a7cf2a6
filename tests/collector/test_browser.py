"""The pages in a real browser: readable, still, safe with what strangers wrote, links working."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from app.tokens import Link
from schemas.facts import FactRow
from schemas.state import Lead
from tests.collector.pages import Site, Writer, newsletter
from tests.collector.running import Topic
from tests.collector.test_api import campaign, fresh

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


class Watched:
    """A page, and what it complained of or asked of others."""

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        page.on("console", lambda said: self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(home) else self.strangers.append(asked.url),
        )


async def filled(pages: Site, writer: Writer) -> tuple[str, str]:
    """A campaign and a lead, named and described by somebody who means harm."""
    id, lead = fresh("browser"), fresh("ana<script>")
    writer.publish(campaign(id) | {"name": EVIL})
    told = {"campaign": id, "version": 1, "run": 1, "journey": lead}
    writer.facts(
        lead, 1_000_000,
        FactRow(1, "entered", detail={"trigger": EVIL}, **told),
        FactRow(2, "step_taken", step="hello", **told),
        FactRow(3, "waiting", step="open", detail={"due": 5, "for": [EVIL]}, **told),
    )  # fmt: skip
    writer.state(lead, Lead(points=7, traits={"name": EVIL}, lists=[EVIL]), 1_000_000)
    return id, lead


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
async def test_every_page_fits_and_runs_nothing_that_strangers_wrote(
    pages: Site, writer: Writer, browser: Browser, scheme: str, width: int
) -> None:
    id, lead = await filled(pages, writer)
    await pages.mail(newsletter(f"<h1>{EVIL}</h1>" + "x" * 3_000))
    context = await browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
    )
    watched = Watched(await context.new_page(), pages.url)
    page = watched.page
    await page.goto(pages.url)
    await page.wait_for_selector(f'a[href="/campaigns/{id}"]')
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")

    for link in (
        f'a[href="/campaigns/{id}"]',
        f'a[href="/leads/{lead.replace("<", "%3C").replace(">", "%3E")}"]',
    ):
        await page.goto(pages.url)
        await page.locator(link).first.click()
        await page.wait_for_load_state()
        assert EVIL in await page.locator("main").inner_text()
        assert "owned" not in await page.title()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.goto(pages.url + "/mails/1")
    await page.wait_for_load_state()

    assert "owned" not in await page.title()
    frame = page.frame_locator("iframe.mail")
    assert await frame.locator("h1").count() == 1
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert (dark == "rgb(18, 21, 28)") is (scheme == "dark")
    assert watched.strangers == []
    # All that is said: the mail's script was not run.
    assert all("sandboxed" in said or "x" in said for said in watched.complaints)
    await context.close()
