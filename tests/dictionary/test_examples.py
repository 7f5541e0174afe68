"""Frames that travel with a dictionary."""

import numpy as np
import pytest
from small_dictionaries import FRAMES, small, trained

from rtnmf import STFT, Dictionary
from rtnmf.dictionary.examples import coded, decoded, spread


def test_a_coded_magnitude_is_off_by_two_percent_at_most():
    """Over 100 dB, each magnitude comes back within half a step of 0.4 dB; what is lower is silence."""
    magnitudes = 10 ** np.random.default_rng(0).uniform(-5, 0, (33, 50)).astype(np.float32)
    magnitudes[0, 0], magnitudes[1, 0] = 1, 1e-6
    back = decoded(coded(magnitudes))
    back *= magnitudes[0, 0] / back[0, 0]
    assert back[1, 0] == 0
    kept = magnitudes > 1e-5
    np.testing.assert_allclose(back[kept], magnitudes[kept], rtol=0.024)


def test_coding_twice_changes_nothing():
    """Frames that are read and coded again are the same bytes."""
    codes = coded(np.random.default_rng(0).random((33, 20)).astype(np.float32) ** 6)
    np.testing.assert_array_equal(coded(decoded(codes)), codes)


def test_frames_come_back_at_a_mean_level_of_1():
    """Columns sum to 1 in the mean, whatever the level that was coded, and silence stays silence."""
    assert decoded(coded(np.full((33, 4), 1e-12, np.float32))).sum(axis=0).mean() == pytest.approx(1)
    assert not decoded(coded(np.zeros((33, 4), np.float32))).any()


def test_spread_takes_frames_evenly():
    """The first and the last are there, none twice, and all where there are few."""
    np.testing.assert_array_equal(spread(5, 9), range(5))
    np.testing.assert_array_equal(spread(9, 3), [0, 4, 8])


def with_frames(**changes):
    """Return a dictionary whose source b is the rest, with frames of both sources."""
    return trained(rest="b", frames={"b": FRAMES[:, ::-1], "a": FRAMES}, **changes)


def test_frames_cannot_be_changed():
    """They are copied, read-only and in the order of the sources."""
    given = FRAMES.copy()
    made = small(frames={"b": given, "a": FRAMES})
    given[:] = 0
    assert list(made.frames) == ["a", "b"]
    np.testing.assert_array_equal(made.frames["b"], FRAMES)
    with pytest.raises(ValueError, match="read-only"):
        made.frames["b"][0, 0] = 1


def test_a_saved_dictionary_has_its_rest_and_its_frames(tmp_path):
    """Both are read back as they were."""
    with_frames().save(tmp_path / "x.safetensors")
    assert Dictionary.load(tmp_path / "x.safetensors") == with_frames()
    assert with_frames() != trained(rest="b")


def test_rest_and_frames_follow_the_names():
    """select, rename, regroup and merge carry them along with their sources."""
    made = with_frames()
    assert (made.select("a").rest, list(made.select("a").frames)) == ("", ["a"])
    renamed = made.rename({"a": "b", "b": "noise"})
    assert (renamed.rest, list(renamed.frames)) == ("noise", ["b", "noise"])
    np.testing.assert_array_equal(renamed.frames["b"], FRAMES)
    regrouped = made.regroup({"all": ["b", "a"]})
    assert regrouped.rest == "all"
    assert regrouped.frames["all"].shape == (33, 4)
    merged = small(labels=tuple("ccdd"), frames={"c": FRAMES}).merge(made)
    assert (merged.rest, list(merged.frames)) == ("b", ["c", "a", "b"])


def test_two_rests_are_not_merged():
    """There is one rest of the world; the error says how to leave the second out."""
    with pytest.raises(ValueError, match=r"both dictionaries have a rest.*\.select of a$"):
        small(labels=tuple("ccdd"), rest="c").merge(with_frames())


def test_frames_move_to_another_rate():
    """They get as many bins as the columns, and the same sound in them; silence is left out."""
    high = np.zeros((33, 2), np.uint8)
    high[-1] = 255
    moved = small(frames={"a": FRAMES, "b": high}).at_rate(4000, STFT(64, 16))
    assert list(moved.frames) == ["a"]
    before, after = decoded(FRAMES)[4:12], decoded(moved.frames["a"])[8:24]
    np.testing.assert_allclose(
        (after[::2] + after[1::2]) / after.sum(), before / before.sum(), rtol=0.2
    )  # each bin has become two


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        ([FRAMES], TypeError, "expected {source: array}"),
        ({"c": FRAMES}, ValueError, "frames are given for 'c', which is not a source"),
        ({"a": FRAMES.astype(float)}, TypeError, "frames of 'a' are of type float64, expected uint8"),
        ({"a": FRAMES[1:]}, ValueError, r"frames of 'a' have shape \(32, 2\), expected \(33, at least 1\)"),
        ({"a": FRAMES * 0}, ValueError, "frames of 'a' are all silent: leave them out"),
    ],
)
def test_frames_that_are_none_are_refused(frames, error, message):
    """Another type, shape or source is an error that says what was expected."""
    with pytest.raises(error, match=message):
        small(frames=frames)
