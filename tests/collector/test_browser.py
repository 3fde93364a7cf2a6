"""The pages in a real browser: readable, still, safe with what strangers wrote, links working."""

import shutil
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, async_playwright

from app.tokens import Link
from schemas.facts import FactRow
from schemas.state import Lead
from tests.collector.pages import Site, Writer, newsletter, site
from tests.collector.running import Topic
from tests.collector.test_api import campaign, fresh, until
from tests.kafka.server import KafkaServer

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
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
        lead,
        FactRow(1, "entered", detail={"trigger": EVIL}, **told),
        FactRow(2, "step_taken", step="hello", **told),
        FactRow(3, "waiting", step="open", detail={"due": 5, "for": [EVIL]}, **told),
    )  # fmt: skip
    writer.state(lead, Lead(points=7, traits={"name": EVIL}, lists=[EVIL]), 1_000_000)
    return id, lead


def mail_of(pages: Site, body: str) -> str:
    """A mail's HTML with our three links for a lead "ana"."""
    tokens = pages.tokens
    about = ("c1", "j1", "hello", "hello", "ana", "email", 1)
    click = tokens.make(Link("click", *about, url=f"{pages.url}/api/clock"))
    leave = tokens.make(Link("unsubscribe", *about, address_key="ab" * 32))
    pixel = tokens.make(Link("open", *about))
    return (
        f'<html><head><title>x</title></head><body>{body}<a id="go" href="{pages.url}/c/{click}">go'
        f'</a> <a id="leave" href="{pages.url}/u/{leave}">leave</a>'
        f'<img src="{pages.url}/o/{pixel}.gif" alt=""></body></html>'
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
async def test_every_page_fits_and_runs_nothing_that_strangers_wrote(
    pages: Site, writer: Writer, browser: Browser, scheme: str, width: int
) -> None:
    id, lead = await filled(pages, writer)
    context = await browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 800},
    )
    watched = Watched(await context.new_page(), pages.url)
    page = watched.page
    await page.goto(pages.url)
    await page.wait_for_selector(f'a[href="/campaigns/{id}"]')

    for path in ("/", f"/campaigns/{id}", f"/leads/{quote(lead)}"):
        await page.goto(pages.url + path)
        assert EVIL in await page.locator("main").inner_text()
        assert await page.title() != "owned"
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(18, 21, 28)" if scheme == "dark" else "rgb(251, 251, 252)")

    assert (watched.complaints, watched.strangers) == ([], [])
    await context.close()


async def test_campaigns_graph_is_drawn(pages: Site, writer: Writer, browser: Browser) -> None:
    id, _ = await filled(pages, writer)
    await until(lambda: pages.get(f"/api/campaigns/{id}"), lambda told: told["entered"] == 1)
    watched = Watched(await browser.new_page(), pages.url)

    await watched.page.goto(f"{pages.url}/campaigns/{id}")
    drawn = await watched.page.locator(".graph img").evaluate("image => image.naturalWidth")
    _, picture = await pages.get(f"/campaigns/{id}/graph.svg")

    assert drawn > 100
    assert "send_email" in picture
    assert watched.complaints == []


async def test_mail_is_shown_locked_in_and_its_links_work(
    pages: Site, browser: Browser, topic: Callable[[str], Topic]
) -> None:
    """Looking at it is an open, a click leads on, the way out is one button."""
    events, blocked = topic("lead-events"), topic("suppressions")
    await pages.mail(newsletter(mail_of(pages, f"<h1>{EVIL}</h1>")))
    watched = Watched(await browser.new_page(), pages.url)
    page = watched.page

    async with page.expect_request_finished(lambda asked: "/o/" in asked.url):
        await page.goto(pages.url + "/mails/1")
    mail = page.frame_locator("iframe.mail")
    async with page.expect_popup() as clicked:
        await mail.locator("#go").click()
    landed = await clicked.value
    await landed.wait_for_url("**/api/clock")
    async with page.expect_popup() as leaving:
        await mail.locator("#leave").click()
    way_out = await leaving.value
    await way_out.get_by_role("button", name="Unsubscribe").click()
    await way_out.wait_for_selector("text=You are unsubscribed")

    assert await page.title() == "Hello <b>Bob</b> – Dripline"
    kinds = [record.value["event"] for record in events.records()]
    assert sorted(kinds) == ["Email Link Clicked", "Email Opened", "Unsubscribed"]
    assert [block.key for block in blocked.records()] == ["ab" * 32]
    assert watched.strangers == []


async def test_page_renews_itself_without_being_loaded_again(
    pages: Site, writer: Writer, browser: Browser
) -> None:
    page = await browser.new_page()
    await page.goto(pages.url)
    await page.evaluate("window.mark = 1")
    id, _ = await filled(pages, writer)

    await page.wait_for_selector(f'a[href="/campaigns/{id}"]', timeout=20_000)

    assert await page.evaluate("window.mark") == 1


async def test_page_needs_no_script(pages: Site, writer: Writer, browser: Browser) -> None:
    id, _ = await filled(pages, writer)
    await until(lambda: pages.get(f"/api/campaigns/{id}"), bool)
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()

    await page.goto(pages.url)

    assert await page.locator(f'a[href="/campaigns/{id}"]').count() > 0
    assert await page.locator('meta[http-equiv="refresh"]').count() == 1
    await context.close()


async def test_token_is_asked_for_once(broker: KafkaServer, browser: Browser) -> None:
    async with site(broker.bootstrap, DRIPLINE_ADMIN_TOKEN="sesame") as pages:
        page = await browser.new_page()
        await page.goto(pages.url)
        await page.get_by_label("Admin token").fill("wrong")
        await page.get_by_role("button").click()
        refused = await page.get_by_role("alert").inner_text()
        await page.get_by_label("Admin token").fill("sesame")
        await page.get_by_role("button").click()
        await page.wait_for_selector("h1:has-text('Campaigns')")
        await page.goto(pages.url + "/api/clock")
        told = await page.locator("body").inner_text()
        await page.close()

    assert refused == "That is not the token."
    assert "speed" in told
