"""The page: what is on it, and that a browser shows it as it should."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import DEMO, random_dictionary

from rtnmf import STFT, Dictionary, learn, report
from rtnmf.audio import files
from rtnmf.cli.main import main
from rtnmf.dictionary import preset_folder
from rtnmf.measure.evaluation import load_case

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
    """The page opens without errors in the console or a request to anything."""
    assert opened.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert page.as_uri() in asked
    assert all(url == page.as_uri() or url.startswith("data:") for url in asked)


def test_every_player_has_its_sound(opened):
    """Every player has its sound: seven of the clip's length, five of components and sources alone."""
    durations = opened.execute_script("return [...document.querySelectorAll('audio')].map(a => a.duration)")
    assert len([d for d in durations if d == pytest.approx(1.5, abs=0.02)]) == 2 + 2 + 3
    assert len(durations) == 7 + 5
    assert all(np.isfinite(durations))


def test_names_from_strangers_stay_text(opened):
    """Names from strangers stay text."""
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
    middle = (report._LEFT + report._RIGHT) / 2 - 0.5  # of the axes, from the middle of the picture
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
    """The same description gives the same page."""
    described = hostile_description(speech)
    assert report.render(described) == report.render(described)


def test_filtered_sounds_sum_to_the_clip(speech):
    """The filtered sounds of the sources sum to the clip within 1e-6."""
    clip = np.stack([speech[:24000], -0.5 * speech[:24000]], axis=1)
    described = report.describe("x", random_dictionary(SMALL), clip)
    np.testing.assert_allclose(sum(row.filtered for row in described.sources), clip, atol=1e-6)
    assert sum(row.share for row in described.sources) == pytest.approx(1)
    assert len(described.components) == 8


def test_a_component_alone_peaks_where_its_spectrum_does(stft):
    """The sound of a component alone has its spectral peak in the component's peak bin."""
    piano = files.read(preset_folder() / "clips" / "inst_piano.flac", 16000)[0][:80000]
    dictionary = learn(piano, 16000, stft=stft, n_components=3)
    for row, column in zip(report.describe("x", dictionary).sources, dictionary.components.T, strict=True):
        spectrum = np.abs(stft.forward(row.alone)).sum(axis=1)
        assert spectrum.argmax() == column.argmax()
        assert row.filtered is None


def test_blind_decomposition_tells_drums_from_tone():
    """Blind decomposition of a drum kit and a guitar puts them into different components."""
    folder = Path(__file__).parent.parent / "recordings"
    (case,) = json.loads((folder / "cases.json").read_text())["cases"]
    mixture, truth, _ = load_case(folder, case)
    learned = learn(mixture, case["sample_rate"], n_components=3)
    stems = [row.filtered.ravel() for row in report.describe("x", learned, mixture).sources]
    likeness = [[np.corrcoef(stem, true.ravel())[0, 1] for stem in stems] for true in truth]
    assert np.argmax(likeness[0]) != np.argmax(likeness[1])
    assert np.max(likeness, axis=1).min() > 0.7


def test_the_strongest_components_have_rows(speech):
    """The strongest components have rows, with activations on the clip's time axis."""
    dictionary = random_dictionary(SMALL)
    described = report.describe("x", dictionary, speech[:24000, None], n_components=3)
    shares = [row.share for row in described.components]
    assert shares == sorted(shares, reverse=True)
    everything = report.describe("x", dictionary, speech[:24000, None], n_components=8).components
    assert min(shares) >= max(row.share for row in everything if row.name not in [r.name for r in described.components])
    assert len(described.components[0].activations) == (24000 + 1023) // 256


def test_pictures_of_one_page_share_one_scale(monkeypatch):
    """Pictures of one page share one scale: a quiet stem is dark."""
    drawn = []
    monkeypatch.setattr("matplotlib.axes.Axes.imshow", lambda _, image, **__: drawn.append(image))
    clip = np.sin(np.arange(16000))[:, None].astype(np.float32)
    for level in (1, 0.01):
        report._picture(report._draw_spectrogram, level * clip, clip, 16000, 1024)
    assert drawn[0].max() == pytest.approx(0, abs=0.1)
    assert drawn[1].max() == pytest.approx(-40, abs=0.1)


def test_large_pages_hold_opus(speech, monkeypatch):
    """A page whose sounds are large as WAV holds them as Opus."""
    monkeypatch.setattr(report, "_COMPACT_ABOVE", 1000)
    text = report.render(report.describe("x", random_dictionary(SMALL), speech[:16000, None]))
    assert "data:audio/ogg;base64," in text
    assert "audio/wav" not in text


def test_a_page_of_twenty_seconds_is_small(tmp_path):
    """A page of twenty seconds and three components is under 6 MB."""
    clip = preset_folder() / "clips" / "inst_piano.flac"
    line = ["report", clip, "--rate", 22050, "--window", 8192, "--hop", 512, "--iterations", 10, "--seconds", 20]
    assert run(*line, "-o", tmp_path / "page.html") == 0
    assert 500_000 < (tmp_path / "page.html").stat().st_size < 6_000_000


def test_silence_and_a_single_sample_have_a_page():
    """Silence and a single sample have a page."""
    for clip in (np.zeros((5000, 1)), np.ones((1, 2))):
        assert "<audio" in report.render(report.describe("x", random_dictionary(SMALL), clip))


def run(*arguments):
    """Run the command in this process."""
    return main([str(argument) for argument in arguments])


def test_command_writes_pages_of_clips_mixes_and_dictionaries(tmp_path, speech, capsys):
    """The command writes pages of clips, of mixes, and of dictionaries, and says where."""
    clip, desk, out = tmp_path / "clip.wav", tmp_path / "desk.safetensors", tmp_path / "out.html"
    files.write(clip, speech[:20000], 16000)
    random_dictionary(SMALL).save(desk)
    cases = {
        ("report", clip, "--components", 2, "--window", 2048, "--iterations", 5, "--seconds", 1): "component-2",
        ("report", clip, desk, "--truth", f"a={clip}"): "SI-SDR",
        ("report", desk): "b 4",
        ("report", "speech+keyboard"): "keyboard",
    }
    for arguments, shown in cases.items():
        assert run(*arguments, "-o", out) == 0
        assert capsys.readouterr().err.splitlines()[-1] == str(out)
        assert shown in out.read_text(encoding="utf-8")
    for arguments in (
        ("learn", clip, "-o", tmp_path / "c.safetensors", "--iterations", 5),
        ("separate", clip, desk, "-o", tmp_path / "o"),
        ("evaluate", DEMO, "--components", 4),
    ):
        out.unlink()
        assert run(*arguments, "--report", out) == 0
        assert "</html>" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.wav", "b", "c"), "3 inputs are too many"),
        (("none",), "'none' is neither a dictionary file nor a preset"),
        (("clip.wav", "speech+keyboard", "--truth", "kazoo=clip.wav"), "'kazoo=clip.wav' is no true stem"),
        (("clip.wav", "--truth", "a=clip.wav"), "--truth needs a mix"),
        (("clip.wav", "speech+keyboard", "--components", "3"), "--components: nothing is learned here"),
        (("clip.wav", "-o", "clip.wav"), "'clip.wav' is no name for a page"),
        (("clip.wav", "-o", "no/x.html"), "no/x.html: there is no such folder"),
        (("nope.wav",), "nope.wav: no such file"),
        (("clip.wav", "speech+keyboard", "--truth", "speech=short.wav"), "expected a stem of it"),
        (("clip.wav", "--window", "1001"), "n_fft is 1001"),
        (("clip.wav", "--hop", "100"), "--hop 100 needs a --window"),
    ],
)
def test_bad_requests_are_one_line(tmp_path, speech, capsys, monkeypatch, arguments, message):
    """Bad requests are one line, and leave no page."""
    monkeypatch.chdir(tmp_path)
    files.write("clip.wav", speech[:20000], 16000)
    files.write("short.wav", speech[:10000], 16000)
    assert run("report", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()
