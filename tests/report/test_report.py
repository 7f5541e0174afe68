"""The page as text, and what a browser makes of it; how it is played with is tested in test_playing."""

import dataclasses
import json
import re

import numpy as np
import pytest
from chromium import set_window, started, until
from conftest import random_dictionary

from rtnmf import STFT, Dictionary, report
from rtnmf.report.figures import Figure

HOSTILE = '<script>document.title="owned"</script>'
SMALL = STFT(1024, 256)
MINUS = "\N{MINUS SIGN}"


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
    origin = report.Origin(recording='"><b>.wav', dictionary="'x'.safetensors")
    title = "</title>" + HOSTILE
    return report.describe(title, dictionary, speech[:24000], si_sdr_db=truth, n_components=3, origin=origin)


@pytest.fixture(scope="module")
def page(speech, tmp_path_factory):
    """Return the path of a page with hostile names."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(report.render(hostile_description(speech)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    """Return headless Chromium."""
    with started() as driver:
        yield driver


@pytest.fixture
def opened(browser, page):
    """Return the browser with the page open, in a large dark window."""
    set_window(browser, 1280)
    browser.get(page.as_uri())
    return browser


def test_page_opens_without_errors_or_requests(opened, page):
    """The console is empty, nothing violates the policy, and nothing but the page itself is requested."""
    assert opened.get_log("browser") == []
    assert opened.execute_script("return violations") == []
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert page.as_uri() in asked
    assert all(url == page.as_uri() or url.startswith("data:") for url in asked)


def test_every_sound_can_be_decoded(opened):
    """Seven sounds are as long as the clip, to the sample; five are those of a source or a component alone."""
    opened.find_element("class name", "play").click()
    lengths = opened.execute_async_script(
        "const audios = [...document.querySelectorAll('audio[data-sound]')];"
        "Promise.all(audios.map((a) => decodedOnce(a))).then((all) => arguments[0](all.map((b) => b.length)))"
    )
    assert sorted(lengths)[-7:] == [24000] * (1 + 2 + 3 + 1)
    assert len(lengths) == 7 + 2 + 3


def test_names_from_strangers_stay_text(opened):
    """Markup, scripts and templates in names and facts are shown as they are written and do nothing."""
    assert opened.title == "</title>" + HOSTILE
    opened.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    text = opened.find_element("tag name", "body").text
    for name in (HOSTILE, "'\"><img src=x onerror=alert(1)>", "{{ 7 * 7 }}"):
        assert name in text
    assert opened.execute_script("return document.querySelectorAll('script').length") == 1
    assert opened.execute_script("return document.querySelectorAll('img[src=x], b').length") == 0
    assert "SI-SDR 3.2 dB" in text


def test_players_are_there_without_a_script(page):
    """Plain players are in the page itself, and its policy allows nothing from outside."""
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r'<audio controls preload="none" src="data:audio/wav;base64,', text)) == 12
    assert "default-src 'none'; img-src data:; media-src data:;" in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)


def test_page_is_a_pure_function(speech):
    """The same description gives the same page, byte for byte."""
    described = hostile_description(speech)
    assert report.render(described) == report.render(described)


def many_components():
    """Return what a page shows of two sources of 48 components each, a preset pair, without the work for it."""
    spectrum, alone = np.linspace(1, 0, 513, dtype=np.float32), np.zeros(800, np.float32)
    names = [f"{source} {k + 1}" for source in ("speech", "keyboard") for k in range(48)]
    rows = [report.Row(name, spectrum, alone, source=name.split()[0]) for name in names]
    sources = [report.Row(name, spectrum, alone, source=name) for name in ("speech", "keyboard")]
    return report.Description("speech+keyboard", 16000, SMALL, {"Components": "96"}, sources, rows, {})


def test_a_preset_pair_is_not_endless(browser, tmp_path):
    """The page of two sources of 48 components is less than 8000 pixels high on a desktop, and shows every tile."""
    (tmp_path / "page.html").write_text(report.render(many_components()), encoding="utf-8")
    browser.get((tmp_path / "page.html").as_uri())
    assert len(browser.find_elements("class name", "tile")) == 2 + 96
    assert browser.execute_script("return document.documentElement.scrollHeight") < 8000


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_is_cut_off_on_a_phone(opened, scheme):
    """At 380 pixels nothing scrolls sideways, every label lies within the window, and what is touched is 44 pixels."""
    set_window(opened, 380, scheme)
    assert opened.execute_script("return document.documentElement.scrollWidth") == 380
    boxes = opened.execute_script(
        "return [...document.querySelectorAll('svg text')].map(t => [t, t.getBoundingClientRect()])"
        ".filter(([, b]) => b.width)"
        ".map(([t, b]) => [t.textContent, b.left, b.right, parseFloat(getComputedStyle(t).fontSize)])"
    )
    assert len(boxes) > 20
    assert not [box for box in boxes if box[1] < 0 or box[2] > 380 or box[3] < 11]
    heights = opened.execute_script(
        "return [...document.querySelectorAll('button, input[type=text], input[type=number], label:has(.pick)')]"
        ".map(b => [b.className, b.getBoundingClientRect().height]).filter(([, h]) => h)"
    )
    assert len(heights) > 20
    assert not [height for height in heights if height[1] < 44]


def test_text_can_be_read(opened):
    """Text and muted text have a contrast of at least 4.5 to the ground of the page, in the dark and in the light."""
    for scheme in ("dark", "light"):
        set_window(opened, 1280, scheme)
        names = ("--text", "--muted", "--surface", "--panel")
        style = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"
        colours = {name: opened.execute_script(style, name).strip() for name in names}
        for text in ("--text", "--muted"):
            assert min(contrast(colours[text], colours[ground]) for ground in ("--surface", "--panel")) >= 4.5


def contrast(one, other):
    """Return the contrast of two colours such as #1b1f27 as WCAG 2 defines it."""
    levels = []
    for colour in (one, other):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        levels.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(levels) / min(levels)


@pytest.mark.parametrize(("axis", "ticks"), [("hz", ["50", "2k"]), ("mel", ["500", "5k"]), ("note", ["C2", "C7"])])
def test_pictures_of_a_page_have_the_axis_asked_for(speech, axis, ticks):
    """The axis that is asked for stands beside every spectrogram and below every spectrum."""
    page = report.render(report.describe("x", random_dictionary(SMALL, n_each=1), speech[:8000]), axis=axis)
    axes = re.findall(r'<svg class="hz".*?</svg>', page, re.DOTALL)
    assert len(axes) == 3
    assert all(re.search(f">{tick}( Hz)?<", shown) for shown in axes for tick in ticks)


def test_an_unknown_axis_is_refused(speech):
    """Both kinds of page refuse a frequency axis that they do not know, before anything is drawn."""
    described = report.describe("x", random_dictionary(SMALL))
    with pytest.raises(ValueError, match="axis is 'bark', expected 'hz', 'mel' or 'note'"):
        report.render(described, axis="bark")
    with pytest.raises(ValueError, match="axis is 'bark'"):
        report.render_evaluation("x", [], {}, axis="bark")


def test_what_is_no_description_is_refused():
    """A page is made of a `Description` only, and the error says where that comes from."""
    with pytest.raises(TypeError, match="description is 1, expected a Description, as describe returns it"):
        report.render(1)


def test_divergences_are_told_of_each_source_and_of_the_clip(speech):
    """Facts and figures tell how the divergence of each source fell, and that of the clip."""
    dictionary = dataclasses.replace(random_dictionary(SMALL), divergences={"a": [(0, 0.874), (40, 0.25)]})
    described = report.describe("x", dictionary, speech[:4000], n_components=0)
    assert described.facts["Divergence of a"] == (
        "87.4 % of its spectrogram's sum at the start, 25.0 % after 40 iterations"
    )
    divergence = float(described.facts["Divergence of the clip from its model"].split()[0])
    texts = {figure.name: figure.text for figure in described.figures}
    assert texts["Explained"] == f"The model explains {max(0, 100 - divergence):.0f} % of the clip."
    assert texts["a"] == "Its components explain 75 % of the recordings they were learned from."


def test_silence_and_a_single_sample_have_a_page():
    """Clips of silence and of a single sample give a page with players, and silence is called so."""
    for clip, is_silent in ((np.zeros((5000, 1)), True), (np.ones((1, 2)), False)):
        page = report.render(report.describe("x", random_dictionary(SMALL), clip, n_components=1))
        assert "<audio" in page
        assert ("The clip is silent." in page) == is_silent


def test_curves_of_divergence_have_the_colours_of_their_sources():
    """Beside the divergences stands the name of each curve in the colour of its source."""
    curves = {"a": ((0, 1.0), (10, 0.5)), "b": ((0, 2.0), (10, 0.1))}
    dictionary = dataclasses.replace(random_dictionary(SMALL, ("a", "b"), n_each=2), divergences=curves)
    page = report.render(report.describe("x", dictionary))
    assert re.findall(r'<path class="line (\S+)" d="(\S+)"', page) == [
        ("source-1", "M0,50.0L1000,75.0"),
        ("source-2", "M0,0.0L1000,95.0"),
    ]


def test_the_page_says_what_was_done_and_who_was_asked(speech):
    """The first sentence tells length, channels, sources and dictionary, and which experts were asked about a voice."""
    dictionary = random_dictionary(SMALL, ("speech", "fan"))
    origin = report.Origin("a.wav", 0.0, "desk.safetensors")
    described = report.describe("x", dictionary, speech[:8000], n_components=0, experts=["voices"], origin=origin)
    page = report.render(described)
    assert "0.5\u00a0s of mono sound, separated into speech and fan with the dictionary desk.safetensors" in page
    assert "; the expert voices was asked about speech." in page
    experts = [figure.text for figure in described.figures if figure.name == "Experts"]
    assert experts == ["Asked about speech: voices."]
    plain = report.describe("x", dictionary, speech[:8000], n_components=0, experts=[])
    assert [figure.text for figure in plain.figures if figure.name == "Experts"] == ["None was asked."]


def test_figures_tell_how_firmly_sources_are_told_apart():
    """Stems that share every bin evenly are certain nowhere, stems in bands of their own everywhere."""
    t = np.arange(16000)[:, None] / 16000
    low, high = (0.3 * np.sin(2 * np.pi * hz * t).astype(np.float32) for hz in (300, 5000))

    def certain(*stems):
        (figure,) = [f for f in report.figures.of_clip(sum(stems), stems, 0.5, 3, SMALL) if f.name == "Certain"]
        return figure.text

    assert certain(low, high).startswith("In 100 % of the sound")
    assert certain(low / 2, low / 2).startswith("In 0 % of the sound")


def test_a_notebook_shows_the_page(browser, page, tmp_path):
    """A page as the last value of a cell is a frame that holds all of the page, and plays."""
    shown = report.Page(page.read_text(encoding="utf-8"))
    (tmp_path / "cell.html").write_text(f"<!doctype html>{shown._repr_html_()}", encoding="utf-8")
    browser.get((tmp_path / "cell.html").as_uri())
    browser.switch_to.frame(browser.find_element("tag name", "iframe"))
    for name in ("repeat", "play"):
        browser.find_element("class name", name).click()
    until(browser, "return document.querySelector('.player.playing')")
    browser.switch_to.default_content()
    assert browser.get_log("browser") == []


def test_figures_are_named_and_say_what_is_usual(speech):
    """Every figure has a name, a sentence, and a sentence on what is usual."""
    described = report.describe("x", random_dictionary(SMALL), speech[:8000], n_components=0)
    assert [figure.name for figure in described.figures] == ["Explained", "Certain", "Complete", "Experts"]
    assert all(isinstance(f, Figure) and f.text.endswith(".") and f.usual.endswith(".") for f in described.figures)
    assert f"{MINUS}1" in described.figures[2].text
