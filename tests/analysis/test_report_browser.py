"""The page in a real browser: opened from disk, used with mouse, keyboard, phone and printer."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from report_sets import build_report, rich
from result_sets import Bench, run, runs

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium (the dev extra)")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (packages chromium-driver)"
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
#: Contrast that WCAG 2.2 (success criterion 1.4.3) asks of small text.
CONTRAST = 4.5
EVIL = "<img src=x onerror='window.hacked = 1'><script>window.hacked = 1</script>"

FOCUSABLE = """
return [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
  .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest('dialog')).length"""
RECORD_FOCUS = """
const every = [...document.querySelectorAll('*')]; window.seen = [];
document.addEventListener('focusin', ({target}) => window.seen.push({place: every.indexOf(target),
  text: target.textContent, outline: getComputedStyle(target).outlineStyle}));"""
TEXT_CONTRAST = """
const parts = c => c.match(/[0-9.]+/g).map(Number);
const light = c => { const [r, g, b] = parts(c).slice(0, 3).map(v => v / 255)
  .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b };
const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  if ((parts(c)[3] ?? 1) === 1) return c } return 'rgb(255, 255, 255)' };
const found = {};
for (const e of document.querySelectorAll('main *, header *')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
  const a = light(getComputedStyle(e).color), b = light(ground(e));
  found[e.tagName + '.' + e.className] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) }
return found"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    # A blank page at the start: the browser's own takes seconds.
    blank = {"session.restore_on_startup": 4, "session.startup_urls": ["about:blank"]}
    options.add_experimental_option("prefs", blank)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    found.set_window_size(1280, 900)
    yield found
    found.quit()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(rich(Bench(tmp_path_factory.mktemp("report"))))


VISITS = itertools.count()


@pytest.fixture
def page(driver: Any, path: Path) -> Iterator[Any]:
    """The page as a newcomer opens it; after the test the browser must have had nothing to say."""
    # An address of its own makes the browser load the page anew, whatever was done to it before.
    address = f"{path.as_uri()}?{next(VISITS)}"
    driver.get(address)
    # On a loaded machine `get` was seen to return while the page was still read.
    state = "return document.readyState + ' ' + document.location"
    soon(driver, lambda page: page.execute_script(state) == f"complete {address}")
    yield driver
    assert driver.get_log("browser") == []


def one(page: Any, selector: str) -> Any:
    return page.find_element(By.CSS_SELECTOR, selector)


def soon(page: Any, condition: Callable[[Any], bool]) -> None:
    """Wait for what a loaded machine may show late; TimeoutException after ten seconds."""
    WebDriverWait(page, 10.0, poll_frequency=0.05).until(condition)


def shown(page: Any, selector: str = ".ledger > tbody > tr") -> list[str]:
    """First words of the elements that can be seen."""
    script = "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
    return [
        text.split()[0]
        for text in page.execute_script(f"{script}.map(e => e.textContent)", selector)
    ]


def test_opens_from_disk_and_asks_for_nothing_else(page: Any, path: Path) -> None:
    assert page.title == "Hindcast: results of tier quick"
    assert one(page, "h1").is_displayed()
    log = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [e["params"] for e in log if e["method"] == "Network.requestWillBeSent"]
    own = [e["request"]["url"] for e in sent if e["documentURL"].startswith(path.as_uri())]
    assert page.current_url in own
    assert {url for url in own if not url.startswith("data:")} == {page.current_url}
    broken = "return [...document.images].filter(image => !image.naturalWidth).length"
    assert page.execute_script(broken) == 0


def test_claims_that_are_not_judged_can_be_unfolded(page: Any) -> None:
    assert shown(page) == ["R21"]
    button = one(page, ".unfold button")
    assert (button.text, button.get_attribute("aria-expanded")) == (
        "74 claims that this tier does not judge or did not run", "false",
    )  # fmt: skip
    button.click()
    assert len(shown(page)) == 75
    assert button.get_attribute("aria-expanded") == "true"


def test_sorting_by_keyboard(page: Any) -> None:
    one(page, ".unfold button").click()
    head = one(page, 'th[data-key="name"]')
    names = [f"R{number:02d}" for number in range(1, 76)]
    names.remove("R21")
    for order, expected in (("ascending", names), ("descending", names[::-1])):
        head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
        assert head.get_attribute("aria-sort") == order
        assert shown(page) == ["R21", *expected]
    one(page, 'th[data-key="p"] button').send_keys(Keys.SPACE)
    assert head.get_attribute("aria-sort") is None
    assert one(page, 'th[data-key="p"]').get_attribute("aria-sort") == "ascending"


def test_search_and_filters_leave_what_fits(page: Any) -> None:
    one(page, "#query").send_keys("antmaze-umaze-diverse cvae")
    found = shown(page)
    assert found and set(found) < {f"R{number:02d}" for number in range(1, 76)}
    assert one(page, "#status").text.startswith(f"{len(found)} of 75 claims.")
    assert not one(page, ".exhibits").is_displayed() and not one(page, "#runs").is_displayed()
    one(page, "#clear").click()
    assert shown(page) == ["R21"] and one(page, ".exhibits").is_displayed()
    assert page.switch_to.active_element.get_attribute("id") == "query"
    one(page, '.chip[data-verdict="not judged"]').click()
    assert len(shown(page)) == 74 and "R21" not in shown(page)


def test_a_count_of_the_overview_leads_to_its_claims(page: Any) -> None:
    one(page, 'a.count[data-verdict="direction only"]').click()
    assert shown(page) == ["R21"]
    assert one(page, '.chip[data-verdict="direction only"]').get_attribute("aria-pressed") == "true"


def test_a_search_without_a_hit_hides_the_paper_and_says_so(page: Any) -> None:
    one(page, "#query").send_keys("no such word")
    assert one(page, "#status").text.startswith("0 of 75 claims.")
    assert not one(page, "section.paper").is_displayed()


@pytest.mark.parametrize("leave", ["escape", "button", "back"])
def test_a_number_leads_to_its_runs_and_back(page: Any, leave: str) -> None:
    link = one(page, "table.numbers a.runs-link")
    link.send_keys(Keys.ENTER)
    dialog = one(page, "dialog")
    assert dialog.is_displayed()
    assert dialog.find_element(By.TAG_NAME, "h4").text == "ROMI-BCQ on maze2d-umaze-v1"
    assert page.current_url.endswith(link.get_attribute("href").partition("#")[2])
    if leave == "escape":
        page.switch_to.active_element.send_keys(Keys.ESCAPE)
    elif leave == "button":
        one(page, "#panel-close").click()
    else:
        page.back()
    soon(page, lambda _: not dialog.is_displayed())
    assert "#" not in page.current_url
    assert page.switch_to.active_element == link


def test_a_difference_opens_both_of_its_arms(page: Any) -> None:
    one(page, "tr.compared a.runs-link").click()
    titles = [h.text for h in page.find_elements(By.CSS_SELECTOR, "dialog h4")]
    assert titles == ["ROMI-BCQ on maze2d-umaze-v1", "BCQ on maze2d-umaze-v1"]
    assert len(page.find_elements(By.CSS_SELECTOR, "dialog svg polyline.mean")) == 2


def test_an_address_with_a_panel_opens_its_place(page: Any, path: Path) -> None:
    anchor = one(page, "#runs article").get_attribute("id")
    page.get("about:blank")
    page.get(f"{path.as_uri()}#{anchor}")
    assert one(page, f"#{anchor}").is_displayed()


def test_tab_reaches_everything_in_order(page: Any) -> None:
    expected = page.execute_script(FOCUSABLE)
    page.execute_script(RECORD_FOCUS)
    one(page, "body").send_keys(Keys.TAB * expected)
    soon(page, lambda _: page.execute_script("return window.seen.length") >= expected)
    seen = page.execute_script("return window.seen")
    assert seen[0]["text"] == "Skip to the results"
    assert len(seen) == len({entry["place"] for entry in seen}) == expected > 30
    assert [entry["place"] for entry in seen] == sorted(entry["place"] for entry in seen)
    assert {entry["outline"] for entry in seen} <= {"solid", "auto"}


def test_the_skip_link_moves_the_focus(page: Any) -> None:
    one(page, "body").send_keys(Keys.TAB)
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "main"


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_chosen(page: Any, system: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": system}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    colour = "return getComputedStyle(document.body).backgroundColor"
    grounds = {"light": "rgb(251, 250, 248)", "dark": "rgb(20, 23, 26)"}
    other = "light" if system == "dark" else "dark"
    try:
        assert page.execute_script(colour) == grounds[system]
        assert one(page, "#theme").get_attribute("aria-pressed") == str(system == "dark").lower()
        one(page, "#theme").click()
        assert page.execute_script(colour) == grounds[other]
        page.refresh()
        assert page.execute_script(colour) == grounds[other]
        assert one(page, "#theme").get_attribute("aria-pressed") == str(other == "dark").lower()
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        page.execute_script("localStorage.clear()")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read(page: Any, theme: str) -> None:
    page.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    one(page, ".unfold button").click()
    found = page.execute_script(TEXT_CONTRAST)
    assert len(found) > 40
    assert {name: value for name, value in found.items() if value < CONTRAST} == {}


@pytest.mark.parametrize("width", [375, 768, 1152])
def test_the_page_never_scrolls_sideways(page: Any, width: int) -> None:
    screen = {"width": width, "height": 812, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        _check_width(page, width)
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _check_width(page: Any, width: int) -> None:
    measure = (
        "return arguments[0] ? arguments[0].scrollWidth : document.documentElement.scrollWidth"
    )
    assert page.execute_script(measure, None) == width
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    page.execute_script("document.querySelector('.unfold button').click()")
    assert page.execute_script(measure, None) == width
    page.execute_script("document.querySelector('table.numbers a.runs-link').click()")
    assert page.execute_script(measure, one(page, "dialog")) <= width
    assert page.execute_script(measure, None) == width


def test_without_script_everything_can_be_read(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.refresh()
        rows = page.find_elements(By.CSS_SELECTOR, ".ledger > tbody > tr")
        assert len(rows) == 75 and rows[0].is_displayed() and rows[-1].is_displayed()
        for selector in ("#filter", "#theme", ".unfold", "dialog"):
            assert not one(page, selector).is_displayed(), selector
        assert one(page, ".exhibits img").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_print_shows_the_claims_without_buttons(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert len(shown(page)) == 75
        assert (
            shown(page, ".bar button, .unfold button, .chip") == []
            and not one(page, "#filter").is_displayed()
        )
        assert len(page.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 20_000
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_hostile_names_stay_text_and_the_policy_guards_the_rest(driver: Any, bench: Bench) -> None:
    broken = {**run(2, 1.0), "status": "failed", "failure": {"reason": EVIL}}
    bench.arm("bcq", [*runs([1.0, 2.0]), broken], hardware={"cpu": EVIL}, versions={EVIL: EVIL})
    driver.get(build_report(bench).as_uri())
    assert EVIL in one(driver, "#problems").text
    assert driver.get_log("browser") == []
    driver.execute_script(f"document.body.insertAdjacentHTML('beforeend', {json.dumps(EVIL)})")
    driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert driver.execute_script("return window.hacked") is None
    assert any("Content Security Policy" in entry["message"] for entry in driver.get_log("browser"))
