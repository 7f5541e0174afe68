"""The page, as text and in a browser."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from conftest import random_dictionary

from rtnmf import STFT, Dictionary, report
from rtnmf.report import pictures

HOSTILE = '<script>document.title="owned"</script>'
SMALL = STFT(1024, 256)


def hostile_description(speech):
    """Describe a clip with a dictionary in which every text is markup."""
    plain = random_dictionary(SMALL, ("'\"><img src=x onerror=alert(1)>", HOSTILE), n_each=2)
    dictionary = Dictionary(
        plain.components,
        plain.labels,
        plain.stft,
        16000,
        description=HOSTILE,
        licence="</style>" + HOSTILE,
        learned_from=("{{ 7 * 7 }}", "http://example.invalid/x.wav"),
        divergences={HOSTILE: ((0, 1.0), (10, 0.5))},
    )
    truth = {HOSTILE: 3.21}
    return report.describe("</title>" + HOSTILE, dictionary, speech[:24000, None], si_sdr_db=truth, n_components=3)


@pytest.fixture(scope="module")
def page(speech, tmp_path_factory):
    """Return the path of a page with hostile names."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(report.render(hostile_description(speech)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    """Return headless Chromium."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    if shutil.which("chromedriver") is None:
        pytest.fail("chromedriver is missing: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-sync"):
        options.add_argument(f"--{argument}")
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page):
    """Return the browser with the page open and its players loaded."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(page.as_uri())
    loaded = "return [...document.querySelectorAll('audio')].every(a => a.readyState > 0 || a.error)"
    WebDriverWait(browser, 20).until(lambda b: b.execute_script(loaded))
    return browser


def moments(browser):
    """Return where each player of the clip's time is, in seconds."""
    return browser.execute_script("return [...document.querySelectorAll('audio.track')].map(a => a.currentTime)")


def test_page_opens_without_errors_or_requests(opened, page):
    """The console of the browser is empty, and nothing but the page itself is requested."""
    assert opened.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert page.as_uri() in asked
    assert all(url == page.as_uri() or url.startswith("data:") for url in asked)


def test_every_player_has_its_sound(opened):
    """Every player loads: seven are as long as the clip, five play a source or a component alone."""
    durations = opened.execute_script("return [...document.querySelectorAll('audio')].map(a => a.duration)")
    assert len([d for d in durations if d == pytest.approx(1.5, abs=0.02)]) == 2 + 2 + 3
    assert len(durations) == 7 + 5
    assert all(np.isfinite(durations))


def test_names_from_strangers_stay_text(opened):
    """Markup, scripts and templates in names and facts are shown as they are written and do nothing."""
    assert opened.title == "</title>" + HOSTILE
    text = opened.find_element("tag name", "body").text
    for name in (HOSTILE, "'\"><img src=x onerror=alert(1)>", "{{ 7 * 7 }}"):
        assert name in text
    assert opened.execute_script("return document.querySelectorAll('script').length") == 1
    assert opened.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
    assert "SI-SDR 3.2 dB" in text


def test_click_on_a_spectrogram_moves_every_player(opened):
    """A click on a spectrogram moves every player, and the cursors, to that moment."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    timeline = opened.find_elements("class name", "timeline")[2]
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", timeline)
    middle = (pictures.LEFT + pictures.RIGHT) / 2 - 0.5  # of the axes, from the middle of the picture
    ActionChains(opened).move_to_element_with_offset(
        timeline, int(middle * timeline.size["width"]), 0
    ).click().perform()
    seeking = "return [...document.querySelectorAll('audio.track')].some(a => a.seeking)"
    WebDriverWait(opened, 5).until(lambda b: not b.execute_script(seeking))
    np.testing.assert_allclose(moments(opened), 0.75, atol=0.02)
    styles = opened.execute_script(
        "return [...document.querySelectorAll('.cursor')].map(c => parseFloat(c.style.left))"
    )
    np.testing.assert_allclose(styles, 100 * (middle + 0.5), atol=1)


def test_a_b_switches_at_the_same_moment(opened):
    """A/B switches between the clip and a stem at the same moment, and back."""
    heard = "return document.querySelector('.heard').textContent"
    opened.execute_script("document.querySelectorAll('audio.track').forEach(a => { a.currentTime = 0.4; })")
    swap = opened.find_elements("class name", "swap")[1]
    before = opened.execute_script(heard)
    opened.execute_script("arguments[0].click()", swap)
    stem = opened.execute_script(heard)
    assert (before, stem) == ("the clip", "'\"><img src=x onerror=alert(1)>")
    np.testing.assert_allclose(moments(opened), 0.4, atol=0.02)
    opened.execute_script("arguments[0].click()", swap)
    assert opened.execute_script(heard) == "the clip"
    np.testing.assert_allclose(moments(opened), 0.4, atol=0.02)


def test_play_and_solo_let_one_player_sound(opened):
    """Play lets the clip sound; solo lets a stem go on from there alone."""
    from selenium.webdriver.support.ui import WebDriverWait

    playing = "return [...document.querySelectorAll('audio.track')].map(a => !a.paused)"
    opened.find_element("class name", "play").click()
    WebDriverWait(opened, 5).until(lambda b: moments(b)[0] > 0.1)
    assert opened.execute_script(playing)[:3] == [True, False, False]
    opened.execute_script("document.querySelectorAll('.solo')[2].click()")
    WebDriverWait(opened, 5).until(lambda b: b.execute_script(playing)[2])
    assert opened.execute_script(playing)[:3] == [False, False, True]
    assert moments(opened)[2] >= 0.1
    opened.find_element("class name", "play").click()
    assert not any(opened.execute_script(playing))


def test_arrow_keys_move_by_a_second_and_the_cursor_follows_the_sound(opened):
    """Arrow keys on the toolbar move by a second, and while it plays the cursor follows."""
    from selenium.webdriver import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    left = "return parseFloat(document.querySelector('.cursor').style.left)"
    play = opened.find_element("class name", "play")
    start = opened.execute_script(left)
    play.send_keys(Keys.ARROW_RIGHT)
    np.testing.assert_allclose(moments(opened), 1, atol=0.02)
    play.send_keys(Keys.ARROW_LEFT)
    WebDriverWait(opened, 5).until(lambda b: max(moments(b)) < 0.02)
    play.click()
    WebDriverWait(opened, 5).until(lambda b: b.execute_script(left) > start + 10)
    opened.execute_script("document.querySelectorAll('audio.track')[3].play()")
    WebDriverWait(opened, 5).until(
        lambda b: b.execute_script("return document.querySelectorAll('audio.track')[0].paused")
    )
    assert opened.execute_script("return document.querySelector('.heard').textContent") == HOSTILE


def test_players_are_there_without_a_script(page):
    """Plain players are in the page itself, and its policy allows nothing from outside."""
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r'<audio [^>]*controls[^>]*src="data:audio/wav;base64,', text)) == 12
    assert "default-src 'none'; img-src data:; media-src data:;" in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)


def test_page_is_a_pure_function(speech):
    """The same description gives the same page, byte for byte."""
    described = hostile_description(speech)
    assert report.render(described) == report.render(described)


@pytest.mark.parametrize("axis", ["mel", "note"])
def test_pictures_of_a_page_have_the_axis_asked_for(speech, axis):
    """Another frequency axis changes every spectrogram and spectrum, and nothing else."""
    described = report.describe("x", random_dictionary(SMALL, n_each=1), speech[:8000])
    plain, other = (
        re.sub(r"(data:image/png;base64,)([^\"]*)", lambda m: f"{m[1]}{hash(m[2])}", report.render(described, axis=a))
        for a in ("hz", axis)
    )
    pictures_of = re.compile(r'src="data:image/png;base64,(\S+)" alt="(\w+)')
    changed = [a[1] for a, b in zip(pictures_of.findall(plain), pictures_of.findall(other), strict=True) if a != b]
    assert sorted(changed) == ["spectrogram"] * 4 + ["spectrum"] * 2
    assert pictures_of.sub("", plain) == pictures_of.sub("", other)


def test_an_unknown_axis_is_refused(speech):
    """Both kinds of page refuse a frequency axis that they do not know, before anything is drawn."""
    described = report.describe("x", random_dictionary(SMALL))
    with pytest.raises(ValueError, match="axis is 'bark', expected 'hz', 'mel' or 'note'"):
        report.render(described, axis="bark")
    with pytest.raises(ValueError, match="axis is 'bark'"):
        report.render_evaluation("x", [], {}, axis="bark")


def test_large_pages_hold_opus(speech, monkeypatch):
    """Sounds that are large as WAV are all Opus."""
    monkeypatch.setattr("rtnmf.report.sounds._COMPACT_ABOVE", 1000)
    text = report.render(report.describe("x", random_dictionary(SMALL), speech[:16000, None], n_components=1))
    assert "data:audio/ogg;base64," in text
    assert "audio/wav" not in text


def test_silence_and_a_single_sample_have_a_page():
    """Clips of silence and of a single sample give a page with players."""
    for clip in (np.zeros((5000, 1)), np.ones((1, 2))):
        assert "<audio" in report.render(report.describe("x", random_dictionary(SMALL), clip, n_components=1))


def test_curves_of_divergence_are_named_in_their_colours():
    """Beside the picture of the divergence stands the name of each curve; a single curve needs none."""
    dictionary = random_dictionary(SMALL, ("a", "b"), n_each=2)
    curves = {"a": ((0, 1.0), (10, 0.5)), "b": ((0, 2.0), (10, 0.1))}

    def names(divergences):
        described = report.describe("x", dataclasses.replace(dictionary, divergences=divergences))
        return re.findall(r'<span class="curve curve-(\d)">(\w+)</span>', report.render(described))

    assert names(curves) == [("0", "a"), ("1", "b")]
    assert names({"a": curves["a"]}) == []
