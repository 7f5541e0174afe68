"""The studio on a real audio server: teaching, loading, regrouping and recording while it sounds."""

import contextlib
import os

import numpy as np
import pytest
import soundfile
from conftest import random_dictionary
from sounding import eventually, noise, speech_at, training_processes

from rtnmf import STFT, Dictionary, load_preset
from rtnmf.control import lesson
from rtnmf.control.shelf import Shelf, regrouped
from rtnmf.control.studio import Studio
from rtnmf.live import Live
from rtnmf.live.link.process import SoundProcess

pytestmark = pytest.mark.timeout(200)


def make(dictionary):
    """Return a separation between the peer's microphone and its loudspeakers."""
    return Live(dictionary, input="peer", output="peer", tap=True, experts=())


@pytest.fixture
def studio(peer, tmp_path, monkeypatch, hardly_joined):
    """Return a studio that listens for nothing but the rest, and sounds."""
    monkeypatch.setattr(lesson, "_COUNTDOWN_S", 0.3)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    studio = Studio(make, load_preset("rest"), "nothing yet", tmp_path / "studio")
    studio.open()
    with contextlib.closing(studio):
        yield studio
    eventually(lambda: not training_processes())


def test_a_sound_is_taught_while_all_goes_on(studio, peer, tmp_path):
    """It is recorded, heard back, learned beside what there is and sounds; what was set at the desk stays as it is."""
    peer.play(speech_at(48000, 60))
    studio.desk.set_gain("rest", -6)
    studio.record(True)
    with pytest.raises(ValueError, match="there is a source 'rest' already"):
        studio.teach("rest", 2)
    with pytest.raises(ValueError, match="there is no take"):
        studio.keep()
    studio.teach("voice", 2)
    with pytest.raises(ValueError, match="is being taught"):
        studio.teach("fan", 2)
    eventually(lambda: studio.lesson.stage == "heard")
    assert "mean level" in studio.lesson.text
    (tmp_path / "heard.wav").write_bytes(studio.lesson.wav())
    samples, sample_rate = soundfile.read(tmp_path / "heard.wav")
    assert sample_rate == 48000
    assert 0.5 < len(samples) / sample_rate <= 2
    assert np.abs(samples).max() > 0.05
    studio.keep()
    eventually(lambda: studio.live.sources == ("voice", "rest") or studio.lesson.stage == "failed", 60)
    assert studio.live.stats.state == "sounding"
    assert studio.live.mixer.gains["rest"] == pytest.approx(10 ** (-6 / 20))
    eventually(lambda: studio.live.stats.levels_db["voice"] > -60)
    assert (tmp_path / "studio" / "takes" / "voice.wav").exists()
    eventually(lambda: studio.live.stats.training != "")
    studio.record(False)
    folders = sorted((tmp_path / "studio" / "recordings").iterdir())
    assert [len(list(folder.glob("*.wav"))) for folder in folders] == [2, 3]
    assert {path.name for path in studio.recordings.values()} == {"input.wav", "voice.wav", "rest.wav"}
    studio.save("mine")
    assert studio.shelf.names == ["mine"]
    with pytest.raises(ValueError, match="there is a dictionary 'mine' already"):
        studio.save("mine")
    assert Dictionary.load(tmp_path / "studio" / "mine.safetensors").sources == ("voice", "rest")


def test_what_sounds_may_become_something_else(studio, peer):
    """Presets are loaded and added, sources renamed, regrouped and removed, with their gains; what fails says why."""
    peer.play(noise(60))
    studio.load("keyboard", "preset")
    assert studio.live.sources == ("keyboard", "rest")
    studio.desk.set_gain("keyboard", -3)
    studio.desk.mute("keyboard", True)
    studio.rename("keyboard", "typing")
    assert studio.live.mixer.gains["typing"] == pytest.approx(10 ** (-3 / 20))
    assert studio.live.muted == ("typing",)
    studio.group([0, 1], "odd")
    assert set(studio.live.sources) == {"typing", "odd", "rest"}
    studio.remove("odd")
    assert set(studio.live.sources) == {"typing", "rest"}
    assert studio.live.stats.state == "sounding"
    for wrong in (
        lambda: studio.load("../mine", "dictionary"),
        lambda: studio.load("/etc/passwd", "preset"),
        lambda: studio.remove("odd"),
        lambda: studio.group([4000], "odd"),
        lambda: studio.add("rest"),
    ):
        before = studio.live
        with pytest.raises(ValueError, match=r"there is|cannot be removed|components are"):
            wrong()
        assert studio.live is before


def test_what_is_done_while_a_lesson_goes_on_stays(studio, peer):
    """A sound that is learned joins what sounds by then, with what was set meanwhile; a closed studio stays closed."""
    peer.play(speech_at(48000, 60))
    studio.load("keyboard", "preset")
    studio.teach("voice", 1.5)
    with pytest.raises(ValueError, match="voice is being recorded"):
        studio.load("hiss", "preset")
    eventually(lambda: studio.lesson.stage == "heard")
    studio.keep()
    studio.desk.listen("keyboard")
    studio.desk.mute("rest", True)
    studio.rename("keyboard", "typing")
    assert (studio.live.soloed, studio.desk.listening) == ((), "output")
    eventually(lambda: studio.lesson.stage in ("", "failed"), 60)
    assert studio.live.sources == ("typing", "voice", "rest")
    assert studio.name == "typing+voice"
    studio.close()
    with pytest.raises(ValueError, match="is closed"):
        studio.load("hiss", "preset")
    with pytest.raises(ValueError, match="nothing sounds"):
        studio.record(True)
    with pytest.raises(ValueError, match="there is no sound yet"):
        studio.teach("fan", 2)
    assert studio.live.stats.state == "closed"


def test_the_old_one_sounds_again_where_another_cannot(studio, peer, monkeypatch):
    """Where another separation cannot be opened, the one before sounds and is recorded on, and the reason is said."""
    peer.play(noise(60))
    studio.record(True)
    release = SoundProcess.release

    def kill(process):
        process._process.kill()
        release(process)

    monkeypatch.setattr(SoundProcess, "release", kill)
    with pytest.raises(ValueError, match="process"):
        studio.load("keyboard", "preset")
    assert (studio.live.sources, studio.live.stats.state) == (("rest",), "sounding")
    assert studio.live.recording.is_on
    assert "the recording goes on" in studio.notice
    assert studio.desk.trouble(studio.live.stats) == ""


def test_names_that_are_no_text_are_left_out(tmp_path):
    """A file in the folder whose name is no text, or none that could be asked for, is not listed."""
    for name in (b"\xff", b"a" * 80, b"good", b"\x1b[2J"):
        (tmp_path / os.fsdecode(name + b".safetensors")).touch()
    assert Shelf(tmp_path).names == ["good"]


def test_a_lesson_in_silence_fails_and_may_be_given_up(studio):
    """Silence is refused, in words, and another lesson may begin and be dropped at any stage."""
    studio.teach("voice", 1)
    eventually(lambda: studio.lesson.stage == "failed")
    assert "silence" in studio.lesson.text
    studio.teach("voice", 30)
    eventually(lambda: studio.lesson.stage == "recording")
    studio.drop()
    assert studio.lesson.stage == ""
    assert not studio.live.freeze or not studio.live.adapts


def test_regrouping_components_keeps_what_is_whole():
    """Whole sources that become one keep their frames; those that lose a part lose them, with all that goes with it."""
    dictionary = random_dictionary(STFT(512, 128), ("a", "b", "c"), 2)
    whole = regrouped(dictionary, (0, 1, 2, 3), "ab")
    assert set(whole.sources) == {"ab", "c"}
    part = regrouped(dictionary, (0,), "c")
    assert sorted(part.labels) == ["a", "b", "b", "c", "c", "c"]
    np.testing.assert_array_equal(np.sort(part.components, axis=1), np.sort(dictionary.components, axis=1))
