"""`rtnmf separate`; what it writes is tested with `rtnmf.separate_file`."""

import resource

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, run, save_desk, sound
from conftest import random_dictionary

from rtnmf import STFT, Dictionary, separate
from rtnmf.audio import files


@pytest.fixture
def desk(tmp_path):
    """Return the path of a dictionary at 16 kHz with the sources voice and fan."""
    return save_desk(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "subtype", "n_channels"), [("wav", "PCM_24", 2), ("wav", "DOUBLE", 1), ("flac", "PCM_16", 6)]
)
def test_stems_have_the_format_of_the_recording(tmp_path, desk, suffix, subtype, n_channels):
    """Stems are those of `separate`, one file per source, in the format of the recording and as long."""
    mix = sound(tmp_path / f"mix.{suffix}", 40_001, n_channels, subtype=subtype)
    assert run("separate", mix, desk, "-o", tmp_path / "out") == 0
    expected = separate(files.read(mix)[0], Dictionary.load(desk))
    for name, stem in zip(("voice", "fan"), expected, strict=True):
        path = tmp_path / "out" / f"{name}.{suffix}"
        np.testing.assert_allclose(files.read(path)[0], stem, atol=0 if subtype == "DOUBLE" else 4e-5)
        given, written = soundfile.info(mix), soundfile.info(path)
        for fact in ("samplerate", "channels", "format", "subtype", "frames"):
            assert getattr(given, fact) == getattr(written, fact)


@pytest.mark.parametrize("n_samples", [1, 100, 15_999, 16_000, 16_001])
def test_short_recordings_come_out_as_long(tmp_path, desk, n_samples):
    """Stems of a recording shorter than a block, or about as long, sum to it."""
    mix = sound(tmp_path / "mix.wav", n_samples, subtype="FLOAT")
    assert run("separate", mix, desk, "-o", tmp_path / "out") == 0
    stems = [files.read(tmp_path / "out" / f"{name}.wav")[0] for name in ("voice", "fan")]
    np.testing.assert_allclose(sum(stems), files.read(mix)[0], atol=1e-6)


def test_files_are_listed_and_go_into_a_folder_beside_the_recording(tmp_path, desk, capsys):
    """Without -o, stems go into a folder named after the recording; stdout lists them and nothing else."""
    (tmp_path / "voice.wav").write_text("mine")
    assert run("separate", sound(tmp_path / "mix.wav"), desk) == 0
    folder = tmp_path / "mix-stems"
    assert capsys.readouterr() == (f"{folder}/voice.wav\n{folder}/fan.wav\n", "")
    assert {path.name for path in folder.iterdir()} == {"voice.wav", "fan.wav"}
    assert (tmp_path / "voice.wav").read_text() == "mine"


def test_gains_write_one_remix(tmp_path, desk, capsys):
    """With --gain one remix is written, with the gains in dB."""
    mix = sound(tmp_path / "mix.wav", subtype="FLOAT")
    assert run("separate", mix, desk, "-o", tmp_path / "out", "--gain", "voice=-inf", "fan=-20") == 0
    assert capsys.readouterr().out == f"{tmp_path}/out/mix-remix.wav\n"
    stems = separate(files.read(mix)[0], Dictionary.load(desk))
    np.testing.assert_allclose(files.read(tmp_path / "out" / "mix-remix.wav")[0], 0.1 * stems[1], atol=1e-6)


def test_updates_and_power_change_the_stems(tmp_path, desk):
    """Updates and power are those of `Separator`, and the dictionary's and 1 where they are not given."""
    mix = sound(tmp_path / "mix.wav", subtype="FLOAT")
    for options in ({}, {"n_iter": 9, "mask_power": 2.0}):
        flags = ("--updates", 9, "--power", 2) if options else ()
        assert run("separate", mix, desk, "-o", tmp_path / "out", "--overwrite", *flags) == 0
        expected = separate(files.read(mix)[0], Dictionary.load(desk), **options)
        np.testing.assert_allclose(files.read(tmp_path / "out" / "voice.wav")[0], expected[0], atol=1e-7)


@pytest.mark.usefixtures("hardly_joined")
def test_presets_combine_and_conversions_are_noted(tmp_path, capsys):
    """Presets combine with +; it is told that they are trained, and which are converted to the rate of the mix."""
    mix = sound(tmp_path / "mix.wav")
    assert run("separate", mix, "speech+keyboard", "-o", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"speech.wav", "keyboard.wav"}
    said = capsys.readouterr().err.replace("training speech+keyboard, once\n", "")  # unless another test had it trained
    assert said == "".join(
        f"note: {name} was learned at 44100 Hz and is converted to 16000 Hz\n" for name in ("speech", "keyboard")
    )


def test_dictionaries_of_other_windows_combine(tmp_path, desk, capsys):
    """Dictionaries of other windows and latencies combine at those of the first, with a note."""
    low = tmp_path / "low.safetensors"
    random_dictionary(STFT(2048, 32, latency=128), ("hum",), sample_rate=16000).save(low)
    assert run("separate", sound(tmp_path / "mix.wav"), f"{desk}+{low}", "-o", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert f"note: {low} is converted to the window and latency of {desk}\n" in capsys.readouterr().err


def test_clipped_stems_are_noted(tmp_path, desk, capsys):
    """Samples above full scale, which a file of whole numbers cuts off, are counted in a note."""
    mix = sound(tmp_path / "mix.wav")
    assert run("separate", mix, desk, "-o", tmp_path, "--gain", "voice=20", "fan=20") == 0
    assert "): --subtype float keeps them\n" in capsys.readouterr().err


def test_hostile_source_names_stay_in_the_folder(tmp_path):
    """Source names that are paths, markup or alike but for case become different files in the folder."""
    names = ("../../evil", "a_b-2", "a/b", "A_B", "[red]x[/red]", "...")
    random_dictionary(STFT(256, 64), names, n_each=1).save(tmp_path / "d")
    assert run("separate", sound(tmp_path / "mix.wav"), tmp_path / "d", "-o", tmp_path / "out") == 0
    written = list((tmp_path / "out").iterdir())
    assert len(written) == 6
    assert len({path.name.lower() for path in written}) == 6


def test_the_recording_is_never_overwritten(tmp_path, desk, capsys):
    """A stem that would replace the recording is refused even with --overwrite, and the recording stays."""
    mix = sound(tmp_path / "voice.wav")
    before = mix.read_bytes()
    assert_refused(["separate", mix, desk, "-o", tmp_path, "--overwrite"], "choose another folder", capsys)
    assert mix.read_bytes() == before


def test_a_failure_half_way_leaves_no_half_files(tmp_path, desk, capsys):
    """A disk that is full in the middle leaves what was in the folder before, and nothing else."""
    mix = sound(tmp_path / "mix.wav")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "fan.wav").write_text("old")
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (mix.stat().st_size // 2, most[1]))
    try:
        line = ["separate", mix, desk, "-o", tmp_path / "out", "--overwrite"]
        assert_refused(line, "voice.wav: cannot be written (", capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fan.wav"]
    assert (tmp_path / "out" / "fan.wav").read_text() == "old"


def test_what_is_no_number_is_noted(tmp_path, desk, capsys):
    """Samples that are NaN are silence in the stems, and a note counts them."""
    mix = tmp_path / "mix.wav"
    x = np.full((20_000, 1), 0.1, np.float32)
    x[16_000] = np.nan
    soundfile.write(mix, x, 16000, "FLOAT")
    assert run("separate", mix, desk, "-o", tmp_path / "out") == 0
    assert f"note: {mix}: 1 sample is not a number (first at 0:01.0), read as silence\n" in capsys.readouterr().err
    total = sum(files.read(path)[0] for path in (tmp_path / "out").iterdir())
    np.testing.assert_allclose(total, np.nan_to_num(x), atol=1e-5)


def test_ctrl_c_ends_quietly(desk, tmp_path, monkeypatch, capsys):
    """Ctrl-C while a file is written gives code 130, one word, and no file."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rtnmf.audio.files.AudioReader.blocks", interrupted)
    assert run("separate", sound(tmp_path / "mix.wav"), desk, "-o", tmp_path / "out") == 130
    assert capsys.readouterr().err == "rtnmf: stopped\n"
    assert not (tmp_path / "out").exists()


def test_report_shows_what_was_found(tmp_path, desk, capsys):
    """`--report` writes a page of the recording and its stems, after the stems."""
    mix, page = sound(tmp_path / "mix.wav"), tmp_path / "mix.html"
    assert run("separate", mix, desk, "-o", tmp_path / "out", "--report", page, "--updates", 2) == 0
    assert capsys.readouterr().err == f"{page}\n"
    text = page.read_text(encoding="utf-8")
    assert "the clip" in text
    assert "2, learned for 5" in text


def test_the_source_rest_is_not_taken_for_the_flag(tmp_path, desk, capsys):
    """A message names it as it is."""
    Dictionary.load(desk).rename({"fan": "rest"}).save(desk)
    mix = sound(tmp_path / "mix.wav")
    assert_refused(["separate", mix, desk, "--gain", "kazoo=3"], "with one of voice, rest", capsys)


def test_bad_requests_are_one_line(tmp_path, desk, capsys, monkeypatch):
    """What cannot be separated is one line that names a file, a dictionary, a source or a flag."""
    monkeypatch.chdir(tmp_path)
    mix = sound(tmp_path / "mix.wav")
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "text.safetensors").write_text("no dictionary")
    preset = "is neither a dictionary file nor a preset: the presets are bass"
    requests = {
        ("no.wav", desk): "no.wav: no such file",
        ("text.wav", desk): "text.wav: not an audio file",
        (mix, "no.safetensors"): f"'no.safetensors' {preset}",
        (mix, "text.safetensors"): "text.safetensors: not a dictionary",
        (mix, "speech+kazoo"): f"'kazoo' {preset}",
        (mix, "speech+"): f"'' {preset}",
        (mix, "speech"): "speech has one source only: add what it is to be separated from",
        (mix, "speech+speech"): "source 'speech' is in more than one",
        (mix, desk, "--gain", "kazoo=3"): "'kazoo=3' names no source",
        (mix, desk, "--power", 0): "--power is 0",
        (mix, desk, "--power", "nan"): "--power is nan",
        (mix, desk, "-o", mix): "mix.wav: cannot make this folder",
        (mix, desk, "--report", "no/x.html"): "no/x.html: there is no such folder",
    }
    for arguments, message in requests.items():
        assert_refused(["separate", *arguments], message, capsys)
    assert not list(tmp_path.rglob("*.part"))
