"""The presets that ship: what they hold, what they were learned from, and whose that is."""

import csv
import re

import pytest

from rtnmf import STFT, load, load_preset, pool, presets
from rtnmf.dictionary import preset_folder

FOLDER = preset_folder()
README = (FOLDER / "README.md").read_text(encoding="utf-8")
GPL_2 = {"GPL-2.0-only", "GPL-2.0-or-later"}
SHARED_ALIKE = {"CC0-1.0", "LicenseRef-public-domain", "MIT", "CC-BY-3.0", "CC-BY-SA-3.0"}


def table(path):
    """Return the lines of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


VOICES = table(FOLDER / "clips" / "voices" / "manifest.csv")


@pytest.mark.parametrize("name", presets())
def test_presets_combine_and_can_be_trained(name):
    """Each preset is one source of its own name, at one rate and STFT for all, with frames of at most 2 MB."""
    preset = load_preset(name)
    assert preset.sources == (name,)
    assert (preset.sample_rate, preset.stft) == (44100, STFT(2048, 512))
    assert preset.rest == (name if name == "rest" else "")
    assert preset.frames[name].shape[1] >= 250
    assert preset.frames[name].nbytes <= 2e6
    assert not preset.is_trained


@pytest.mark.parametrize("name", presets())
def test_the_readme_tells_the_licence_of_each_preset(name):
    """Each licence that a preset names stands in a line of the README that begins with its name."""
    lines = [line for line in README.splitlines() if line.startswith(f"| {name} |")]
    assert load_preset(name).licence
    for licence in load_preset(name).licence.split(", "):
        assert any(licence in line.rsplit("|", 2)[1] for line in lines), licence


def test_speech_is_learned_from_many_voices_that_the_gpl_suits():
    """Speech is learned from all voices in the list, each of which may become part of a work under GPL-2.0."""
    preset = load_preset("speech")
    assert set(preset.learned_from) == {voice["file"] for voice in VOICES}
    assert len(VOICES) > 30
    assert {voice["licence"] for voice in VOICES} == GPL_2
    assert preset.licence == "GPL-2.0-only"
    assert all(voice["author"] and voice["origin"] and voice["licence_stated_in"] for voice in VOICES)
    languages = {re.sub(r" speaker.*", "", voice["sound"]) for voice in VOICES}
    assert f"{len(VOICES)} sets of voices in {len(languages)} languages" in preset.description
    assert f"{len(VOICES)} sets of voices in {len(languages)} languages" in README


def test_the_rest_is_learned_from_backgrounds_that_may_become_one_work():
    """The rest is learned from every background of the pool whose licence goes with CC-BY-SA-3.0, and no other."""
    preset = load_preset("rest")
    fitting = {background.path.name for background in pool() if background.licence in SHARED_ALIKE}
    assert set(preset.learned_from) == fitting
    assert len({background.kind for background in pool() if background.path.name in fitting}) > 20
    assert preset.licence == "CC-BY-SA-3.0"
    assert f"the {len(fitting)} backgrounds of `pool/`" in README


def test_each_clip_has_a_line_that_says_whose_it_is():
    """Whatever sound lies in the folder of clips is in a table with its author, origin and licence, and vice versa."""
    clips = table(FOLDER / "clips" / "clips.csv")
    assert all(clip["author"] and clip["origin"] and clip["licence"] for clip in clips)
    named = {clip["file"] for clip in clips}
    of_demo = set(re.findall(r"`clips/(\w+\.flac)`", README))
    assert {path.name for path in (FOLDER / "clips").glob("*.flac")} == named | of_demo
    assert {path.name for path in (FOLDER / "clips" / "voices").glob("*.ogg")} == {voice["file"] for voice in VOICES}
    for clip in clips:
        assert re.search(rf"^\| {clip['preset']} \| `{clip['file']}` \|.*{clip['licence']} \|$", README, re.MULTILINE)


@pytest.mark.usefixtures("hardly_joined")
def test_speech_and_rest_are_a_dictionary_with_a_rest():
    """`speech+rest` knows which of its sources stands for all that was not taught."""
    both = load("speech+rest")
    assert both.sources == ("speech", "rest")
    assert both.rest == "rest"
    assert set(both.frames) == {"speech", "rest"}
