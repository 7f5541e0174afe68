"""What an unfinished learning is kept in: what it is of, what is damaged in it, and how large it is."""

import numpy as np
import pytest
from safetensors.numpy import save

from rtnmf.learning import checkpoint


def kept(path, *recordings, n_components=2):
    """Return a checkpoint of recordings of x, given as names and identities, with three bins."""
    return checkpoint.Checkpoint(path, {"n_components": n_components, "seed": 0}, {"x": recordings}, 3)


WHOLE = '[["x", [[0, 0.1]], [[5, "gone"]]]]'


@pytest.mark.parametrize(
    ("reached", "W"),
    [
        ("{", np.ones((2, 3))),
        ("[[1]]", np.ones((2, 3))),
        (WHOLE.replace("0.1", '"?"'), np.ones((2, 3))),
        (WHOLE.replace("5", '"?"'), np.ones((2, 3))),
        (WHOLE.replace("0,", "7,"), np.ones((2, 3))),
        (WHOLE.replace("0,", "1e999,"), np.ones((2, 3))),
        ("[" * 100_000, np.ones((2, 3))),
        (WHOLE, np.full((2, 3), np.nan)),
        (WHOLE, np.ones((2, 4))),
        (WHOLE, np.ones((3, 3))),
        (WHOLE, np.ones(3)),
    ],
)
def test_a_checkpoint_that_was_damaged_is_refused(tmp_path, reached, W):
    """Facts that cannot be read, and components of other shapes or that are no numbers, are told from a checkpoint."""
    path = tmp_path / "c"
    about = kept(path, ("a", "1"))._packed
    path.write_bytes(save({"0": np.ones((2, 3), np.float32), "about": about}, {"reached": WHOLE}))
    assert kept(path, ("a", "1")).reached("x").lost == {5: "gone"}
    path.write_bytes(save({"0": W.astype(np.float32), "about": about}, {"reached": reached}))
    with pytest.raises(ValueError, match="c: damaged, or no unfinished learning"):
        kept(path, ("a", "1"))
    path.write_bytes(save({"about": about[:9]}, {"reached": reached}))
    with pytest.raises(ValueError, match="c: damaged, or no unfinished learning"):
        kept(path, ("a", "1"))


@pytest.mark.parametrize(
    ("now", "n_components", "message"),
    [
        (
            "b2 a1",
            2,
            r"recordings of x are in another order\): bring the same recordings back, or remove it to begin anew$",
        ),
        ("a1 b2 c3", 2, r"recordings of x that are new, 1: c\): bring the same"),
        ("a1 b3", 2, r"recordings of x that have changed, 1: b\): bring the same"),
        ("b2", 2, r"recordings of x that are gone, 1: a\): bring the same"),
        ("a1 b2", 4, r"n_components is 4 and was 2\): give the same settings, or remove it to begin anew$"),
        (
            "d4",
            1,
            r"n_components is 1 and was 2; recordings of x that are new, 1: d; .* that are gone, 2: a, b\): give the",
        ),
    ],
)
def test_another_learning_is_not_gone_on_from(tmp_path, now, n_components, message):
    """Which settings and recordings differ is said, with what helps."""
    path = tmp_path / "c"
    kept(path, ("a", "1"), ("b", "2")).keep("x", checkpoint.Reached(np.ones((2, 3), np.float32), ((0, 0.1),), {}))
    assert kept(path, ("a", "1"), ("b", "2")).reached("x").curve == ((0, 0.1),)
    with pytest.raises(ValueError, match=rf"c: is of another learning \({message}"):
        kept(path, *map(tuple, now.split()), n_components=n_components)


def test_a_checkpoint_of_many_recordings_is_small(tmp_path):
    """A hundred thousand recordings take few bytes each."""
    digests = np.random.default_rng(0).bytes(800_000).hex()
    names = [(f"/archive/2024/site-{i // 1000}/{i:08}.flac", digests[16 * i : 16 * i + 16]) for i in range(100_000)]
    kept(tmp_path / "c", *names).keep("x", checkpoint.Reached(np.ones((2, 3), np.float32), (), {}))
    assert (tmp_path / "c").stat().st_size < 2_000_000
