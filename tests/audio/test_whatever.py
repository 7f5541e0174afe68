"""Files of every kind that the reader knows, cut, joined, damaged and given other names."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import CODED, LOSSLESS, LOSSY, made

from rtnmf.audio import files

KINDS = [*LOSSLESS, *LOSSY, *CODED]
GOES_ON = ("mp3", "mp2", "ac3", "aac", "ogg", "opus")  # a second file behind the first is played
ENDINGS = ["wav", "mp3", "flac", "ogg", "m4a", "aiff", "bin", ""]
VARIED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read(path, data, **options):
    """Write a file, and return its samples, its rate and the notes on it."""
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        return *files.read(path, **options), [str(note.message) for note in notes]


def attempt(path, data):
    """Return what `read` gives, or no samples and what the error says."""
    try:
        return read(path, data)
    except ValueError as error:
        return None, None, str(error)


@VARIED
@given(kind=st.sampled_from(KINDS), part=st.floats(0.3, 0.999), ending=st.sampled_from(ENDINGS))
def test_a_cut_file_gives_the_beginning_of_the_whole(tmp_path, kind, part, ending):
    """Cut anywhere and named anything, a file gives the first samples of the whole one, and no more, or a reason."""
    data = made(kind).read_bytes()
    whole, rate = files.read(made(kind))
    x, _, notes = attempt(tmp_path / f"x.{ending}", data[: int(part * len(data))])
    if x is None:
        assert kind in ("alac.m4a", "ogg", "opus", "webm", "mka", "wv", "tta"), notes  # index or first block cut off
        return
    assert len(x) <= len(whole) + 4096
    same = max(0, len(x) - (0 if kind in LOSSLESS else 4096))
    np.testing.assert_allclose(x[:same], whole[:same], atol=1e-3)
    assert notes or kind in ("mp2", "ac3", "aac", "wma", "mp3.wav", "wv", "tta") or len(x) >= len(whole) - 0.3 * rate


@VARIED
@given(kind=st.sampled_from(KINDS), ending=st.sampled_from(ENDINGS))
def test_joined_files_give_the_first_and_where_they_can_the_second(tmp_path, kind, ending):
    """A file behind another never hides or changes the first; streams go on with the second."""
    one, _ = files.read(made(kind))
    both, _, _ = read(tmp_path / f"x.{ending}", made(kind).read_bytes() * 2)
    n = len(one) - 4096
    np.testing.assert_allclose(both[:n], one[:n], atol=1e-3)
    if kind in GOES_ON:
        assert abs(len(both) - 2 * len(one)) < 6000
    elif kind in LOSSLESS and kind != "w64":  # whose length libsndfile takes from the file
        assert len(both) in (len(one), 2 * len(one))


@VARIED
@given(
    kind=st.sampled_from(KINDS), part=st.floats(0.0, 0.99), length=st.integers(1, 5000), byte=st.sampled_from([0, 0xFF])
)
def test_damage_anywhere_ends_in_sound_or_in_a_reason(tmp_path, kind, part, length, byte):
    """Overwritten bytes give finite samples, not many more than there were, or one line that names the file."""
    data = bytearray(made(kind).read_bytes())
    at = int(part * len(data))
    data[at : at + length] = bytes([byte]) * len(data[at : at + length])
    whole, _ = files.read(made(kind))
    x, _, notes = attempt(tmp_path / "x.wav", data)
    if x is None:
        assert notes.startswith(f"{tmp_path}/x.wav: ")
        assert "\n" not in notes
        return
    assert np.isfinite(x).all()
    assert x.size <= max(16 * whole.size, 2 * len(data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_whole_file_of_any_name_is_itself(tmp_path, kind, ending):
    """A name that lies changes no sample, and a whole file is never called damaged."""
    x, rate, notes = read(tmp_path / f"x.{ending}", made(kind).read_bytes(), strict=True)
    expected, expected_rate = files.read(made(kind))
    np.testing.assert_array_equal(x, expected)
    assert (rate, notes) == (expected_rate, [])


@VARIED
@given(data=st.binary(max_size=5000), head=st.sampled_from([b"", b"RIFF\0\0\0\0WAVEfmt ", b"OggS", b"fLaC", b"ID3"]))
def test_what_is_no_audio_is_refused_in_one_line(tmp_path, data, head):
    """Random bytes, also behind the first bytes of an audio file, give sound or one line, and nothing else."""
    x, _, notes = attempt(tmp_path / "x.wav", head + data)
    assert np.isfinite(x).all() if x is not None else "\n" not in notes
