"""The page of the studio in a browser, on a studio that sounds: what hands do on it is heard by a peer."""

import contextlib
import shutil
from importlib import resources
from urllib.parse import urlsplit

import numpy as np
import pytest
from bands import mixture, voice_and_rest
from jack_server import ENVIRONMENT, Peer

from rtnmf.control import faders
from rtnmf.control.studio import Studio
from rtnmf.control.web.server import Server
from rtnmf.live import Live

pytestmark = pytest.mark.timeout(200)
RATE, PATIENCE_S = 48000, 60
PIECE, N_PIECES = 2048, 7
BANDS_HZ = {"voice": (300, 1200), "rest": (2000, 2600)}
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def studio(audio_server, tmp_path_factory):
    """Run a studio that hears a voice and a rest from a peer; one for all tests of a module."""
    audio_server.ensure()
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch, Peer.lent(folder) as peer:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        peer.play(np.tile(mixture(10), 15))

        def make(dictionary):
            return Live(dictionary, input="peer", output="peer", allow_feedback=True, tap=True)

        studio = Studio(make, voice_and_rest(), "a voice", folder / "kept")
        studio.open()
        with contextlib.closing(studio):
            studio.peer = peer
            yield studio


@pytest.fixture(scope="module")
def url(studio):
    """Serve the page, and return its link."""
    with Server(studio, port=0) as server:
        yield server.url


@pytest.fixture(scope="module")
def chromium():
    """Start headless Chromium, one for all tests of a module."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    if shutil.which("chromedriver") is None:
        pytest.fail("chromedriver is missing: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-sync"):
        options.add_argument(f"--{argument}")
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_window_size(1280, 900)
    yield driver
    driver.quit()


class Hands:
    """A person in front of the page."""

    def __init__(self, driver, url):
        self.driver, self.url = driver, url
        self.reload()

    def reload(self):
        """Open the page anew."""
        self.driver.get(self.url)
        self.until(lambda: self.driver.execute_script("return document.body.classList.contains('ready')"))

    def see(self, selector):
        """Return the first element that is shown, after waiting for it."""
        return self.until(lambda: next((node for node in self.all(selector) if node.is_displayed()), None))

    def all(self, selector):
        """Return all elements."""
        return self.driver.find_elements("css selector", selector)

    def strip(self, source, within=""):
        """Return the strip of a source, or what is in it."""
        return self.see(f'.strip[aria-label="{source}"] {within}')

    def press(self, *keys):
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def is_pressed(self, button):
        """Return whether a button is held."""
        return button.get_attribute("aria-pressed") == "true"

    @staticmethod
    def until(holds):
        """Wait until something holds, and return it."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(None, PATIENCE_S, 0.05, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _: holds())


@pytest.fixture
def page(chromium, url, studio):
    """Open the page of a studio where nothing is set; the console of the browser must stay empty."""
    studio.desk.listen("output")
    for source in studio.live.sources:
        studio.desk.set_gain(source, 0.0)
        studio.desk.solo(source, False)
        studio.desk.mute(source, False)
    studio.desk.set_wet(1.0)
    yield Hands(chromium, url)
    assert chromium.get_log("browser") == []


def heard_db(peer, source):
    """Return the level in dB of what the peer has heard last in the band of a source, whatever clicks there are."""
    x = peer.so_far()[0]
    end = np.flatnonzero(x)[-1] + 1
    pieces = x[end - N_PIECES * PIECE : end].reshape(N_PIECES, PIECE)
    low, high = BANDS_HZ[source]
    hz = np.fft.rfftfreq(PIECE, 1 / RATE)
    power = np.abs(np.fft.rfft(pieces * np.hanning(PIECE))[:, (hz > low) & (hz < high)]) ** 2
    return 10 * np.log10(np.median(power.mean(axis=1)) + 1e-12)


def test_the_page_is_light_and_complete():
    """All files together have less than 200 kB, and name no other server."""
    files = [file for file in (resources.files("rtnmf.control.web") / "page").iterdir() if file.is_file()]
    texts = {file.name: file.read_text("utf-8") for file in files}
    assert sum(map(len, texts.values())) < 200_000
    for name, text in texts.items():
        assert "//" not in text.replace("http://www.w3.org/", "").replace(" // ", "") or name.endswith(".js"), name
        assert "https:" not in text.replace('https:"', "")


def test_faders_and_meters_have_the_same_law_as_elsewhere(page):
    """Positions, levels and words of the page are those of `faders`."""
    levels = [-200, -130, -60, -59, -45.5, -30, -20, -6, -0.04, 0, 0.04, 3.3, 6, 20]
    places = [0, 0.01, 0.1, 0.333, 0.5, 0.8667, 1]
    asked = """
        const [levels, places, done] = arguments;
        import(new URL("page/scale.js", document.baseURI)).then((scale) => done([
            levels.map(scale.position), places.map(scale.level), levels.map(scale.dbText), scale.MARKS_DB]));
    """
    found, found_levels, words, marks = page.driver.execute_async_script(asked, levels, places)
    np.testing.assert_allclose(found, [faders.position(level) for level in levels], atol=1e-9)
    np.testing.assert_allclose(found_levels[1:], [faders.level(place) for place in places[1:]], atol=1e-9)
    assert found_levels[0] == -200
    assert [word.replace("\u00a0", " ") for word in words] == [faders.db_text(level) for level in levels]
    assert tuple(marks) == faders.MARKS_DB


def test_a_fader_turns_what_the_peer_hears(page, studio):
    """A fader that is dragged down takes its source out of what is heard, and a double click brings it back to 0 dB."""
    from selenium.webdriver import ActionChains

    page.until(lambda: heard_db(studio.peer, "rest") > -10)
    fader = page.strip("rest", ".fader")
    down = fader.rect["height"]
    hand = ActionChains(page.driver).click_and_hold(page.strip("rest", ".thumb"))
    hand.move_by_offset(0, round(down / 2)).move_by_offset(0, round(down / 2)).release().perform()
    page.until(lambda: studio.live.gains["rest"] == 0)
    assert fader.get_attribute("aria-valuetext") == "off"
    page.until(lambda: heard_db(studio.peer, "rest") < -30)
    ActionChains(page.driver).double_click(fader).perform()
    page.until(lambda: studio.live.gains["rest"] == 1)
    page.until(lambda: heard_db(studio.peer, "rest") > -10)


def test_a_fader_can_be_typed_and_stepped(page, studio):
    """A number that is typed is the gain in dB, arrows turn by half a dB, and what is no number changes nothing."""
    from selenium.webdriver.common.keys import Keys

    field = page.strip("voice", ".value")
    for typed, db in (("-12,5", -12.5), ("loud", -12.5), ("3", 3.0)):
        field.click()
        field.send_keys(typed, Keys.ENTER)
        page.until(lambda db=db: studio.live.gains["voice"] == pytest.approx(10 ** (db / 20)))
        page.until(lambda db=db: field.get_attribute("value") == f"{db:+.1f}\u00a0dB")
    page.strip("voice", ".fader").send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    page.until(lambda: studio.live.gains["voice"] == pytest.approx(10 ** (2 / 20)))


def test_solo_mute_and_bypass_are_heard(page, studio):
    """Solo leaves one source, mute takes one away, bypass lets the input out, by buttons and by keys."""
    solo = page.strip("voice", '[aria-label^="Solo"]')
    solo.click()
    page.until(lambda: studio.live.soloed == ("voice",) and page.is_pressed(solo))
    page.until(lambda: heard_db(studio.peer, "rest") < -30)
    page.press("s", "2", "m")  # no longer alone; the rest is chosen, and muted
    page.until(lambda: studio.live.soloed == () and studio.live.muted == ("rest",))
    page.press(" ")  # compare with the input
    page.until(lambda: studio.live.bypass and page.is_pressed(page.see("#bypass")))
    page.until(lambda: heard_db(studio.peer, "rest") > -10)
    page.press(" ")
    page.until(lambda: not studio.live.bypass)


def test_no_key_acts_while_one_types(page, studio):
    """Letters of a name that is typed are no commands."""
    from selenium.webdriver.common.keys import Keys

    page.press("t")
    page.see("#teach-name").send_keys("mrs smith 1")
    assert page.see("#teach-name").get_attribute("value") == "mrs smith 1"
    page.press(Keys.ESCAPE)
    page.until(
        lambda: (
            not page.see(
                "#teach",
            )
            if page.all("dialog[open]")
            else True
        )
    )
    assert (studio.live.soloed, studio.live.muted, studio.live.recording.is_on) == ((), (), False)


def test_what_cannot_be_done_is_said(page):
    """A source is renamed with F2; a name that another one has is refused in words, and nothing has changed."""
    from selenium.webdriver.common.keys import Keys

    page.strip("voice", ".title").send_keys(Keys.F2)
    page.see(".rename").send_keys("rest", Keys.ENTER)
    page.until(lambda: any("would both be named 'rest'" in node.text for node in page.all("#notices p")))
    assert page.strip("voice", ".title").text == "voice"


def test_another_page_and_a_new_one_see_the_same(page, studio):
    """What was set is seen after a reload, and on a second page, which follows the first."""
    page.strip("rest", '[aria-label^="Mute"]').click()
    page.until(lambda: studio.live.muted == ("rest",))
    page.reload()
    page.until(lambda: page.is_pressed(page.strip("rest", '[aria-label^="Mute"]')))
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        page.reload()
        page.until(lambda: page.is_pressed(page.strip("rest", '[aria-label^="Mute"]')))
        page.strip("voice", '[aria-label^="Solo"]').click()
    finally:
        page.driver.close()
        page.driver.switch_to.window(first)
    page.until(lambda: page.is_pressed(page.strip("voice", '[aria-label^="Solo"]')))


def test_a_sound_is_taught(page, studio):
    """A take of a second is recorded after a countdown, heard back, learned, and has a strip; its name stays text."""
    from selenium.webdriver.common.keys import Keys

    page.press("t")
    page.see("#teach-name").send_keys(HOSTILE)
    page.see("#teach-seconds").clear()
    page.see("#teach-seconds").send_keys("1", Keys.ENTER)
    page.until(lambda: studio.lesson.stage == "recording")
    take = page.see("#teach audio")
    page.until(lambda: page.driver.execute_script("return arguments[0].duration", take))
    assert page.driver.execute_script("return arguments[0].duration", take) == pytest.approx(1, abs=0.2)
    page.see("#teach-keep").click()
    assert page.strip(HOSTILE, ".title").text == HOSTILE
    assert HOSTILE in studio.live.sources
    page.until(lambda: not page.all("dialog[open]"))
    page.until(lambda: any(HOSTILE in node.text for node in page.all("#notices p")))
    page.see("#open-parts").click()
    page.until(lambda: len(page.all("#parts .tile")) == studio.live.dictionary.n_components)
    page.press(Keys.ESCAPE)
    assert page.driver.execute_script("return document.images.length") == 0


def test_a_recording_can_be_downloaded(page, studio):
    """What is recorded is shown by a red sign with its time, and each file can be had from the page then."""
    page.press("r")
    record = page.until(lambda: studio.live.recording.is_on) and page.see("#record")
    page.until(lambda: page.is_pressed(record) and page.see("#record-time").text != "00:00")
    record.click()
    links = page.until(lambda: page.all("#downloads a"))
    assert [link.get_attribute("download") for link in links] == list(studio.recordings)
    assert [link.text for link in links] == [path.name for path in studio.recordings.values()]
    fetched = (
        "const done = arguments[1]; fetch(arguments[0]).then((r) => r.arrayBuffer()).then((b) => done(b.byteLength))"
    )
    sizes = [page.driver.execute_async_script(fetched, link.get_attribute("href")) for link in links]
    assert sizes == [path.stat().st_size for path in studio.recordings.values()]
    assert min(sizes) > 2 * RATE


def test_a_telephone_has_room_for_all(page):
    """At the width of a telephone nothing is wider than the screen, and what is pressed is big enough for a thumb."""
    emulated = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", emulated)
    try:
        page.reload()
        assert page.driver.execute_script("return document.documentElement.scrollWidth") == 390
        shown = [
            node for node in page.all("button:not(.clip), .fader") if node.is_displayed()
        ]  # a mark has room around
        assert [node.get_attribute("outerHTML") for node in shown if node.rect["height"] < 44] == []
        bar = page.see(".transport").rect
        assert bar["y"] + bar["height"] == pytest.approx(844, abs=1)
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_lost_connection_is_said_and_comes_back(page, studio, chromium):
    """When the server goes the page says so, and when it is there again it goes on by itself, with what is set now."""
    with Server(studio, port=0) as server:
        hands = Hands(chromium, server.url)
    assert "lost" in hands.see("#offline").text
    studio.desk.mute("rest", True)
    with Server(studio, port=urlsplit(server.url).port):
        hands.until(lambda: not hands.all("#offline:not([hidden])"))
        hands.until(lambda: hands.is_pressed(hands.strip("rest", '[aria-label^="Mute"]')))
        page.reload()
    chromium.get_log("browser")  # the browser itself notes each attempt that fails
