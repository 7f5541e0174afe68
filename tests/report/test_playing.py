"""Hands on the page in a browser: what sounds, what it is told, and the commands and files that it gives."""

import json
import shlex

import numpy as np
import pytest
from chromium import started, until
from conftest import random_dictionary

from rtnmf import STFT, report
from rtnmf.audio import files
from rtnmf.cli.main import main

SMALL = STFT(1024, 256)
RATE = 16000
SECONDS = 4
TONES = (500, 2000, 4000)
PART_HZ = 6000  # of the one component that has a tile
MARK = 12345  # a sample that can be found again


def sine(hz, level=0.2):
    """Return a tone that lasts as long as the clip."""
    return (level * np.sin(2 * np.pi * hz / RATE * np.arange(SECONDS * RATE)))[:, None].astype(np.float32)


def tones():
    """Return what a page shows of three sources that are a tone each, and of a component of the first."""
    spectrum, alone, h = np.ones(513, np.float32), sine(1000)[: RATE // 2, 0], np.ones(250, np.float32)
    rows = {
        name: report.Row(name, spectrum, alone, 0.3, h, sine(hz), source=name)
        for name, hz in zip("abc", TONES, strict=True)
    }
    part = report.Row("a 1", spectrum, alone, 0.1, h, sine(PART_HZ), source="a")
    clip = sum(row.filtered for row in rows.values())
    origin = report.Origin("my mix.wav", 10.0, "desk.safetensors")
    facts = {"Components": "4"}
    model = sine(3000)[:, 0]
    return report.Description("tones", RATE, SMALL, facts, [*rows.values()], [part], {}, clip, model, origin=origin)


@pytest.fixture(scope="module")
def browser():
    """Return headless Chromium."""
    with started() as driver:
        yield driver


def show(browser, tmp_path, description):
    """Open the page of a description."""
    (tmp_path / "page.html").write_text(report.render(description), encoding="utf-8")
    browser.get((tmp_path / "page.html").as_uri())
    return browser


@pytest.fixture
def opened(browser, tmp_path):
    """Return the browser with the page of three tones, which are repeated: a slow machine has time to listen."""
    show(browser, tmp_path, tones())
    click(browser, ".repeat")
    return browser


def click(browser, selector, i=0):
    """Click on the i-th of some elements, as a hand does."""
    element = browser.find_elements("css selector", selector)[i]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def assert_heard(browser, *expected):
    """Wait until just these of the tones sound, of the sources a, b and c, the component and the model."""
    wanted = [name in expected for name in ("a", "b", "c", "part", "model")]
    script = "return ear && heard(...arguments[0]).join() === arguments[1]"
    until(browser, script, [*TONES, PART_HZ, 3000], ",".join(str(is_heard).lower() for is_heard in wanted))


def test_mute_and_solo_work_together(opened):
    """Several sources are muted or soloed at once, solo comes first, and all is one mix on one clock."""
    click(opened, ".play")
    assert_heard(opened, "a", "b", "c")
    click(opened, ".mute", 1)
    assert_heard(opened, "a", "c")
    until(opened, "return [...document.querySelectorAll('.strip')].map(s => +s.matches('.lit')).join('') === '101'")
    click(opened, ".solo", 1)
    assert_heard(opened, "b")
    click(opened, ".solo", 2)
    assert_heard(opened, "b", "c")
    click(opened, ".solo", 1)
    click(opened, ".solo", 2)
    assert_heard(opened, "a", "c")
    assert len({tuple(begin) for begin in opened.execute_script("return starts")}) == 1


def test_recording_model_and_component_join_at_the_same_sample(opened):
    """The recording, the model and a component are started while others sound, at the very sample they are at."""
    click(opened, ".play")
    assert_heard(opened, "a", "b", "c")
    click(opened, "[data-hear=model]")
    assert_heard(opened, "model")
    click(opened, "[data-hear=whole]")
    assert_heard(opened, "a", "b", "c")
    click(opened, ".heard", 1)
    assert_heard(opened, "part")
    begins = np.array(opened.execute_script("return starts"))
    assert len(begins) == 3 + 3
    ahead = ((begins[:, 1] - begins[:, 0]) - (begins[0, 1] - begins[0, 0])) / SECONDS  # in rounds of the loop
    np.testing.assert_allclose(ahead, np.round(ahead), atol=1e-3 / (SECONDS * RATE))
    assert set(begins[:, 2]) == {SECONDS * RATE}


def test_a_component_alone_silences_all_else(opened):
    """A component alone stops the sources, and ends by itself."""
    click(opened, ".play")
    assert_heard(opened, "a", "b", "c")
    click(opened, ".alone")
    until(opened, "return starts.at(-1)[2] === arguments[0]", RATE // 2)
    assert_heard(opened)
    until(opened, "return !document.querySelector('.alone[aria-pressed=true]')")
    assert not opened.find_elements("css selector", ".playing")


def drag(browser, selector, begin, end):
    """Drag over a part of an element, from 0 to 1 of its width."""
    from selenium.webdriver import ActionChains

    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    left, width = -element.size["width"] / 2, element.size["width"]
    chain = ActionChains(browser, duration=20).move_to_element_with_offset(element, int(left + begin * width), 0)
    chain.click_and_hold().move_by_offset(int((end - begin) * width), 0).release().perform()


def test_a_dragged_stretch_is_repeated_and_learned_from(opened):
    """A drag over a picture makes a loop of it, and the command that learns from that stretch of the recording."""
    drag(opened, ".strip .timeline", 0.25, 0.5)
    begin, end = opened.execute_script("return [...document.querySelectorAll('.from, .to')].map(f => f.valueAsNumber)")
    assert (begin, end) == pytest.approx((1, 2), abs=0.02)
    opened.find_element("css selector", ".stretch .name").send_keys("it's")
    words = shlex.split(opened.find_element("css selector", ".stretch code").text)
    assert words[:2] == ["rtnmf", "learn"]
    assert words[2] == f"it's=my mix.wav@{10 + begin:.10g}-{10 + end:.10g}"
    assert words[3:] == ["-o", "it's.safetensors"]
    click(opened, ".play")
    position = "const at = document.querySelector('.position').valueAsNumber;"
    until(opened, f"{position} return at > {begin + 0.6}")
    (later,) = until(opened, f"{position} return at < {begin + 0.4} && [at]")
    assert begin - 0.01 <= later
    click(opened, ".clear")
    assert not opened.find_element("css selector", ".stretch code").is_displayed()


def test_keys_do_it_all(opened):
    """Space plays, arrows and Home move, digits choose, S and M solo and mute, O swaps, brackets make a stretch."""
    from selenium.webdriver import ActionChains, Keys

    def press(*keys):
        ActionChains(opened).send_keys(*keys).perform()

    press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, "[", Keys.ARROW_RIGHT, "]")
    fields = "return [...document.querySelectorAll('.from, .to')].map(f => f.valueAsNumber)"
    assert opened.execute_script(fields) == [2, 3]
    press(Keys.ESCAPE, Keys.HOME, "l", "2", "s", "3", "s", " ")
    assert_heard(opened, "b", "c")
    press("s", "m", "2", "s")
    assert_heard(opened, "a", "b")
    press("o")
    assert_heard(opened, "a", "b", "c")
    press(" ")
    assert not opened.find_elements("css selector", ".playing")
    press("?")
    assert opened.find_element("css selector", ".keys dl").is_displayed()


def test_space_presses_a_button_that_was_reached_by_tab(opened):
    """On a button that has the focus of the keyboard, Space presses it; after a click it plays."""
    from selenium.webdriver import ActionChains, Keys

    click(opened, ".solo", 1)
    ActionChains(opened).send_keys(" ").perform()
    assert_heard(opened, "b")
    ActionChains(opened).send_keys(Keys.TAB, " ").perform()
    assert opened.execute_script("return document.activeElement.matches('.mute[aria-pressed=true]')")
    assert opened.find_elements("css selector", ".playing")


def test_a_stem_is_downloaded(opened, tmp_path):
    """A stem comes as WAV under its name, each sample as it is in the page."""
    from selenium.webdriver.support.ui import WebDriverWait

    opened.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    click(opened, ".download", 1)
    path = tmp_path / "b.wav"
    WebDriverWait(opened, 10, poll_frequency=0.05).until(lambda _: path.exists())
    x, rate = files.read(path)
    assert rate == RATE
    np.testing.assert_allclose(x, sine(TONES[1]), atol=1e-4)


def test_named_groups_are_a_command_that_works(browser, tmp_path, monkeypatch, capsys):
    """What is ticked and named becomes a command of `rtnmf name`, which does what the page says."""
    monkeypatch.chdir(tmp_path)
    dictionary = random_dictionary(SMALL, ("component-1", "component-2", "component-3", "hum"), n_each=1)
    dictionary.save("clip.safetensors")
    show(browser, tmp_path, report.describe("x", dictionary, origin=report.Origin(dictionary="clip.safetensors")))
    for i in (0, 2):
        click(browser, ".pick", i)
    browser.find_element("css selector", ".naming .name").send_keys("the voice")
    click(browser, ".add")
    click(browser, ".pick", 3)
    browser.find_element("css selector", ".naming .name").send_keys("fan\n")
    command = browser.find_element("css selector", ".naming code").text
    assert command == "rtnmf name clip.safetensors 'the voice=1,3' fan=hum -o named.safetensors"
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == "named.safetensors: the voice (2), fan (1), component-2 (1)\n"
    click(browser, ".named button")
    assert browser.find_element("css selector", ".naming code").text.split()[3:5] == ["fan=hum", "-o"]


def test_a_blind_page_says_how_to_learn_its_dictionary_first(browser, tmp_path):
    """Where no dictionary was kept, the command that makes it comes before the one that names what is in it."""
    dictionary = random_dictionary(SMALL, ("component-1", "component-2"), n_each=1)
    learn = ("rtnmf", "learn", "a b.wav", "-o", "a b.safetensors")
    origin = report.Origin("a b.wav", 0.0, "a b.safetensors", learn, is_blind=True)
    show(browser, tmp_path, report.describe("x", dictionary, sine(500)[:8000], origin=origin))
    click(browser, ".pick")
    browser.find_element("css selector", ".naming .name").send_keys("voice\n")
    lines = browser.find_element("css selector", ".naming code").text.splitlines()
    assert lines[0] == "rtnmf learn 'a b.wav' -o 'a b.safetensors'"
    assert lines[1] == "rtnmf name 'a b.safetensors' voice=1 -o named.safetensors"
    assert "taken apart into 2 components that nobody taught" in browser.find_element("class name", "done").text


@pytest.mark.parametrize("n_before", [0, 1105])
def test_compact_sounds_are_aligned(browser, tmp_path, monkeypatch, n_before):
    """As MP3, every sound begins at its first sample, even where a browser leaves in what the encoder put before it."""
    monkeypatch.setattr("rtnmf.report.sounds._COMPACT_ABOVE", 1000)
    marked = np.zeros((SECONDS * RATE, 1), np.float32)
    marked[MARK] = 0.9
    described = tones()
    stems = (marked, -marked / 2, sine(500))
    sources = [row._replace(filtered=x) for row, x in zip(described.sources, stems, strict=True)]
    show(browser, tmp_path, described._replace(sources=sources, clip=marked / 2 + sine(500)))
    assert "data:audio/mpeg" in browser.find_element("css selector", ".strip audio").get_attribute("src")
    click(browser, ".play")
    until(browser, "return document.querySelector('.playing')")
    found = browser.execute_async_script(_LATE, n_before)
    assert found["lengths"] == [SECONDS * RATE] * 4
    assert found["peaks"] == [MARK, MARK]
    assert found["error_db"] < -20


# Decodes the sounds anew, by a decoder that leaves so many samples in before each.
_LATE = """
const [nBefore, done] = arguments;
const { decodeAudioData } = BaseAudioContext.prototype;
BaseAudioContext.prototype.decodeAudioData = async function (bytes) {
  const buffer = await decodeAudioData.call(this, bytes);
  const longer = this.createBuffer(1, buffer.length + nBefore, buffer.sampleRate);
  longer.copyToChannel(buffer.getChannelData(0), 0, nBefore);
  return longer;
};
late = null;
const audios = [...document.querySelectorAll("[data-kind=source]"), document.querySelector("[data-kind=whole]")];
Promise.all(audios.map((audio) => decoded(audio, 4))).then((buffers) => {
  const [one, two, three, whole] = buffers.map((buffer) => buffer.getChannelData(0));
  const peak = (x) => x.reduce((best, value, i) => (Math.abs(value) > Math.abs(x[best]) ? i : best), 0);
  const energy = (x) => x.reduce((sum, value) => sum + value * value, 0);
  const error = energy(whole.map((value, i) => value - one[i] - two[i] - three[i])) / energy(whole);
  BaseAudioContext.prototype.decodeAudioData = decodeAudioData;
  done({ lengths: buffers.map((b) => b.length), peaks: [peak(one), peak(two)], error_db: 10 * Math.log10(error) });
});
"""


def test_measured_cases_can_be_heard(browser, tmp_path):
    """The page of an evaluation lists all cases, the worst first, and plays the worst of them with solo and mute."""
    from rtnmf.measure.evaluation import CaseResult

    fields = dict.fromkeys(CaseResult._fields)
    one = np.array([1.0, 2.0])
    case = CaseResult(
        **fields
        | {"id": "worst", "sources": ("a", "b"), "sample_rate": RATE, "experts": ("voices",)}
        | {"before": one, "after": one, "bound": one + 9, "mixture": sine(500) + sine(2000)}
        | {"estimates": np.stack([sine(500), sine(2000)])}
    )
    page = report.render_evaluation("Evaluation of x", [case], {"Cases": "1"})
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    browser.get((tmp_path / "page.html").as_uri())
    assert "The expert voices was asked about the voice." in page
    click(browser, ".repeat")
    click(browser, ".solo", 1)
    click(browser, ".play")
    assert_heard(browser, "b")
    assert browser.execute_script("return violations") == []
    assert json.dumps(browser.get_log("browser")) == "[]"
