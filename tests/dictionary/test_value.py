"""Dictionaries as values: valid from birth, frozen in every copy, selected, renamed and merged."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from conftest import random_dictionary
from small_dictionaries import SMALL, complete, small, trained

from rtnmf import STFT, Dictionary, separate
from rtnmf.frames.model import Model

COLUMNS = ("components", "update_components", "mask_components")
COPIES = {
    "itself": lambda made: made,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),  # noqa: S301  # made in this test
    "replace": dataclasses.replace,
}


@pytest.fixture(params=COPIES.values(), ids=COPIES.keys())
def copied(request):
    """Give each way to copy a dictionary."""
    return request.param


def test_columns_are_copied_and_divided_by_their_sums():
    """The columns of a dictionary sum to 1, and the array that it was made of is left as it was."""
    components = np.random.default_rng(0).random((33, 4)).astype(np.float32)
    kept = components.copy()
    made = small(components=components)
    components[0] = 5
    np.testing.assert_allclose(made.components, kept / kept.sum(axis=0), rtol=1e-6)


def test_a_dictionary_that_is_made_again_stays_the_same_to_the_bit():
    """Columns that sum to 1 already are not divided again, so that copies do not drift."""
    made = random_dictionary(STFT(4096, 1024))
    for _ in range(3):
        again = Dictionary(made.components, made.labels, made.stft, made.sample_rate)
        assert again.components.tobytes() == made.components.tobytes()


def test_sources_are_listed_in_the_order_of_their_first_components():
    """Each source is named once, where its first component is."""
    made = small(labels=("b", "a", "b", "a"))
    assert made.sources == ("b", "a")
    assert made.n_components == 4
    assert repr(made).startswith("<Dictionary of 2 b, 2 a; 8000 Hz, STFT(")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"components": np.ones((32, 4))}, ValueError, r"components have shape \(32, 4\), expected \(33, at least 1\)"),
        ({"components": np.ones((33, 0)), "labels": ()}, ValueError, r"shape \(33, 0\), expected \(33, at least 1\)"),
        ({"components": -np.ones((33, 4))}, ValueError, "components hold negative or non-finite values"),
        ({"components": np.full((33, 4), np.nan)}, ValueError, "components hold negative or non-finite values"),
        ({"components": np.full((33, 4), 1e300)}, ValueError, "components hold negative or non-finite values"),
        ({"components": np.ones((33, 4)) * 1j}, TypeError, "components are of type complex128, expected magnitudes"),
        ({"components": np.full((33, 4), "1")}, TypeError, "components are of type <U1, expected magnitudes"),
        ({"components": np.eye(33, 4) * [1, 1, 0, 1]}, ValueError, "column 2 of components is all zero: leave it out"),
        ({"labels": ("a", "b")}, ValueError, "there are 2 labels for 4 components, expected one each"),
        ({"labels": "aabb"}, TypeError, "labels is 'aabb', expected a sequence of strings"),
        ({"labels": ("a", "a", "b", 3)}, TypeError, "labels is .*, expected a sequence of strings"),
        ({"labels": ("a", "a", "b", "")}, ValueError, "source name '' is not usable"),
        ({"labels": ("a", "a", "b", "\x1b[2J")}, ValueError, "expected 1 to 64 printable characters"),
        ({"labels": ("a", "a", "b", "x" * 65)}, ValueError, "expected 1 to 64 printable characters"),
        ({"stft": None}, TypeError, "stft is NoneType, expected an STFT"),
        ({"model": 5}, TypeError, "model is int, expected a Model"),
        ({"sample_rate": 0}, ValueError, "sample_rate is 0, expected a whole number of Hz"),
        ({"sample_rate": 44100.5}, ValueError, "sample_rate is 44100.5, expected a whole number of Hz"),
        ({"sample_rate": "44100"}, TypeError, "sample_rate is '44100', expected a whole number of Hz"),
        ({"description": "a\x1b[31m"}, ValueError, r"description 'a\\x1b\[31m' is not usable"),
        ({"licence": None}, ValueError, "licence None is not usable"),
        ({"rtnmf_version": "1\n2"}, ValueError, "rtnmf_version .* is not usable"),
        ({"learned_from": ("x.wav", "y\u2028")}, ValueError, "learned_from .* is not usable"),
        ({"learned_from": "x.wav"}, TypeError, "learned_from is 'x.wav', expected a sequence of strings"),
        ({"divergences": [1]}, TypeError, r"divergences are \[1\], expected {source: \[\(iteration, divergence\)\]}"),
        ({"divergences": {"a": [(0.5, 1)]}}, TypeError, "divergences are .*, expected {source:"),
        ({"divergences": {"a": [(0, 1, 2)]}}, TypeError, "divergences are .*, expected {source:"),
        ({"divergences": {"c": [(0, 1)]}}, ValueError, "divergences are given for 'c', which is not a source"),
        ({"divergences": {"a": [(0, np.inf)]}}, ValueError, "divergences of 'a' are not finite"),
        (
            {"update_components": np.ones((33, 4))},
            ValueError,
            "only one of update_components and mask_components is given, expected both or neither",
        ),
        (
            {"update_components": np.ones((33, 4)), "mask_components": np.ones((33, 3))},
            ValueError,
            r"mask_components have shape \(33, 3\), expected that of components, \(33, 4\)",
        ),
        (
            {"update_components": np.ones((33, 4)), "mask_components": -np.ones((33, 4))},
            ValueError,
            "mask_components hold negative or non-finite values",
        ),
    ],
)
def test_an_invalid_part_is_refused_by_name(changes, error, message):
    """No dictionary is made of parts that do not fit, and the error names the part and what was expected."""
    with pytest.raises(error, match=message):
        small(**changes)


def test_no_copy_can_be_changed(copied):
    """Fields, arrays, windows and divergences are read-only in the dictionary and in every copy of it."""
    original = complete()
    assert original.stft.analysis_window.any()  # which caches it
    made = copied(original)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'sample_rate'"):
        made.sample_rate = 1
    for array in (*(getattr(made, name) for name in COLUMNS), made.stft.analysis_window, made.stft.synthesis_window):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(TypeError, match="does not support item assignment"):
        made.divergences["a"] = ()
    with pytest.raises(TypeError, match="does not support item deletion"):
        del made.divergences["a"]
    with pytest.raises(AttributeError, match="no attribute 'clear'"):
        made.divergences.clear()


def test_a_copy_is_equal_to_the_bit(copied):
    """Every copy equals the dictionary, has its hash, and the same bytes in its arrays."""
    made = complete()
    other = copied(made)
    assert other == made
    assert hash(other) == hash(made)
    for name in COLUMNS:
        assert getattr(other, name).tobytes() == getattr(made, name).tobytes()


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, COPIES["pickle"]])
def test_divergences_survive_copying_alone(way):
    """The read-only mapping of divergences can itself be copied and pickled, and stays read-only."""
    divergences = way(complete().divergences)
    assert divergences == {"a": ((0, 1.0),), "b": ((0, 0.5), (10, 0.25))}
    with pytest.raises(TypeError, match="does not support item assignment"):
        divergences["a"] = ()


def test_divergences_are_in_the_order_of_the_sources():
    """Whatever order they are given in, divergences are listed as the sources are, as pairs of int and float."""
    made = complete()
    assert list(made.divergences) == ["a", "b"]
    assert repr(made.divergences) == "Divergences({'a': ((0, 1.0),), 'b': ((0, 0.5), (10, 0.25))})"
    assert dataclasses.asdict(made)["divergences"] == made.divergences


def test_dictionaries_are_equal_by_content():
    """Dictionaries of equal parts, given in other types and with zeros of another sign, are equal and hash alike."""
    components = np.eye(33, 4)
    one = small(components=components, divergences={"a": [(0, 0.0)], "b": []}, model=Model(memory=0))
    two = small(
        components=np.asfortranarray(np.where(components > 0, components, -0.0), np.float32),
        labels=list("aabb"),
        sample_rate=8000.0,
        model=Model(memory=np.float32(0)),
        divergences={"b": (), "a": [[np.int64(0), -0.0]]},
    )
    assert one == two
    assert len({one, two}) == 1
    assert pickle.dumps(one) == pickle.dumps(two)


@pytest.mark.parametrize(
    "changes",
    [
        {"components": np.ones((33, 4))},
        {"update_components": np.ones((33, 4))},
        {"mask_components": np.ones((33, 4))},
        {"update_components": None, "mask_components": None},
        {"labels": ("a", "b", "a", "b")},
        {"stft": STFT(64, 8)},
        {"sample_rate": 16000},
        {"model": Model()},
        {"description": ""},
        {"licence": ""},
        {"learned_from": ()},
        {"rtnmf_version": ""},
        {"divergences": {}},
    ],
    ids=lambda changes: "+".join(changes),
)
def test_a_dictionary_with_another_part_is_another_one(changes):
    """Dictionaries that differ in any part are not equal."""
    assert dataclasses.replace(complete(), **changes) != complete()


def test_nothing_else_is_equal_to_a_dictionary():
    """A dictionary compares with values of other types without an error and is equal to none of them."""
    assert small() != "small"
    assert small() != small().components.tobytes()


def test_select_keeps_the_columns_of_the_named_sources_in_their_order():
    """Selecting returns the columns, labels and divergences of the named sources, grouped in the order of the names."""
    made = small(labels=("a", "b", "a", "c"), divergences={"a": [(0, 1.0)], "b": [(0, 2.0)]})
    chosen = made.select("c", "a")
    assert chosen.labels == ("c", "a", "a")
    assert chosen.divergences == {"a": ((0, 1.0),)}
    np.testing.assert_array_equal(chosen.components, made.components[:, [3, 0, 2]])


def test_select_keeps_the_divergences_of_blind_learning():
    """Divergences that stand for all sources together stay with every selection of them."""
    blind = small(divergences={"": [(0, 1.0)], "a": [(0, 2.0)]})
    assert blind.select("b").divergences == {"": ((0, 1.0),)}


@pytest.mark.parametrize(
    ("sources", "error", "message"),
    [
        (("x",), ValueError, "there is no source 'x': choose from a, b"),
        ((), ValueError, r"sources to select are \[\], expected one or more different names"),
        (("a", "a"), ValueError, r"sources to select are \['a', 'a'\], expected one or more different names"),
        ((["a", "b"],), TypeError, r"sources to select are .*, expected names, as in select\('voice', 'fan'\)"),
    ],
)
def test_select_refuses_unknown_missing_and_repeated_names(sources, error, message):
    """Only different names of sources, at least one, can be selected."""
    with pytest.raises(error, match=message):
        small().select(*sources)


def test_select_of_all_sources_keeps_the_training():
    """Trained columns are reordered with the components."""
    made = trained(model=Model(8))
    turned = made.select("b", "a")
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(turned, name), getattr(made, name)[:, [2, 3, 0, 1]])
    assert turned.model == made.model


def test_other_sources_make_the_training_void():
    """A dictionary of fewer or of more sources is untrained."""
    made = trained()
    for other in (made.select("a"), made.untrained(), made.merge(small(labels=("c", "c", "d", "d")))):
        assert not other.is_trained
        assert other.mask_components is None
    assert made.is_trained


def test_rename_changes_labels_and_divergences_and_nothing_else():
    """A renamed source keeps its columns, its training and its divergences."""
    made = complete()
    renamed = made.rename({"a": "voice"})
    assert renamed.labels == ("voice", "voice", "b", "b")
    assert renamed.divergences == {"voice": ((0, 1.0),), "b": ((0, 0.5), (10, 0.25))}
    assert renamed.rename({"voice": "a"}) == made
    assert made.rename({}) == made


def test_rename_swaps_names():
    """Two sources can take each other's name."""
    swapped = complete().rename({"a": "b", "b": "a"})
    assert swapped.labels == ("b", "b", "a", "a")
    assert swapped.divergences == {"b": ((0, 1.0),), "a": ((0, 0.5), (10, 0.25))}


def test_rename_keeps_the_divergences_of_blind_learning():
    """Divergences that stand for all sources together are still there when the sources have names."""
    blind = small(labels=("component-1", "component-2", "component-3", "component-4"), divergences={"": [(0, 1.0)]})
    assert blind.rename({"component-2": "fan"}).divergences == blind.divergences


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ({"x": "y"}, ValueError, "there is no source 'x': choose from a, b"),
        ({"a": "b"}, ValueError, "sources a and b would both be named 'b': give each its own name"),
        ({"a": "c", "b": "c"}, ValueError, "sources a and b would both be named 'c': give each its own name"),
        ({"a": "\n"}, ValueError, r"source name '\\n' is not usable: expected 1 to 64 printable characters"),
        ({"a": 5}, TypeError, "labels is .*, expected a sequence of strings"),
        (["a", "c"], TypeError, r"names are \['a', 'c'\], expected {source: new name}"),
    ],
)
def test_rename_refuses_unknown_unusable_and_shared_names(names, error, message):
    """A source that is not there, a name that cannot be one, or one for two sources is refused."""
    with pytest.raises(error, match=message):
        small().rename(names)


def test_merge_joins_sources_and_texts():
    """A merged dictionary has the columns of all in their order, and each text once."""
    one = small(description="one", licence="MIT", learned_from=("x.wav",), model=Model(8), divergences={"a": [(0, 1)]})
    two = small(
        labels=("c", "c", "d", "d"),
        description="two",
        licence="MIT",
        learned_from=("y.wav",),
        model=Model(8),
        divergences={"d": [(0, 2)]},
    )
    merged = one.merge(two)
    assert merged.sources == ("a", "b", "c", "d")
    np.testing.assert_array_equal(merged.components, np.hstack([one.components, two.components]))
    assert (merged.description, merged.licence, merged.learned_from) == ("one; two", "MIT", ("x.wav", "y.wav"))
    assert merged.model == Model(8)
    assert merged.divergences == {"a": ((0, 1.0),), "d": ((0, 2.0),)}


def test_merge_keeps_the_divergences_of_two_blind_recordings():
    """Where each dictionary was learned blind, its divergences stand under each of its sources, and none are lost."""
    one = small(labels=("a", "a", "a", "a"), divergences={"": [(0, 1)]})
    two = small(labels=("b", "b", "c", "c"), divergences={"": [(0, 2)]})
    assert one.merge(two).divergences == {"a": ((0, 1.0),), "b": ((0, 2.0),), "c": ((0, 2.0),)}


def test_merging_with_none_changes_nothing():
    """A dictionary that is merged with no other one keeps its training."""
    assert trained().merge() == trained()


def test_adding_dictionaries_merges_them():
    """`a + b` is `a.merge(b)`."""
    one, two = trained(), small(labels=("c", "c", "d", "d"))
    assert one + two == one.merge(two)


@pytest.mark.parametrize("other", [5, None, {"a": 1}])
def test_only_dictionaries_can_be_added(other):
    """Adding something else is a TypeError, in either order."""
    with pytest.raises(TypeError, match="unsupported operand"):
        small() + other
    with pytest.raises(TypeError, match="unsupported operand"):
        other + small()


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        (small(), ValueError, "source 'a' is in more than one .*: leave one out, or rename it"),
        (small(labels=("c",) * 4, sample_rate=16000), ValueError, r"rates 8000 and 16000 differ: use .at_rate\(8000\)"),
        (small(labels=("c",) * 4, stft=STFT(64, 8)), ValueError, "settings .* differ: learn both with the same stft"),
        (
            small(labels=("c",) * 4, model=Model(8)),
            ValueError,
            r"models Model\(n_iter=5.*n_iter=8.* differ: .* dataclasses.replace\(second, model=first.model\)",
        ),
        ("small", TypeError, "one of the dictionaries to merge is str, expected a Dictionary"),
    ],
)
def test_merge_refuses_what_does_not_fit(other, error, message):
    """Dictionaries of another rate, STFT or model, or with a source of the same name, are refused with the remedy."""
    with pytest.raises(error, match=message):
        small().merge(other)


def test_the_remedies_of_merge_work():
    """What the errors of `merge` advise makes the dictionaries fit."""
    first, second = small(), small(sample_rate=16000, components=np.ones((65, 4)), stft=STFT(128, 16), model=Model(8))
    mended = second.rename({"a": "c", "b": "d"}).at_rate(8000, first.stft)
    merged = first + dataclasses.replace(mended, model=first.model)
    assert merged.sources == ("a", "b", "c", "d")


def test_stems_can_be_reached_by_the_names_of_their_sources():
    """Stems of a mono or stereo mixture are given the names of their sources, without a copy."""
    made = small()
    for shape in ((500,), (500, 2)):
        stems = separate(np.random.default_rng(0).standard_normal(shape).astype(np.float32), made)
        named = made.by_source(stems)
        assert list(named) == ["a", "b"]
        for stem, expected in zip(named.values(), stems, strict=True):
            assert np.shares_memory(stem, expected)
            np.testing.assert_array_equal(stem, expected)


@pytest.mark.parametrize("shape", [(1, 500), (3, 500), (2,), (2, 500, 2, 1), ()])
def test_outputs_that_are_not_one_for_each_source_have_no_names(shape):
    """Arrays of another shape than stems, such as a remix, are refused with the shape that was expected."""
    with pytest.raises(ValueError, match=r"expected \(2, n_samples\[, n_channels\]\), one for each of a, b"):
        small().by_source(np.zeros(shape))


def test_a_dictionary_without_a_model_gets_the_default_one():
    """The model is a keyword with a default, and is part of what `replace` changes."""
    assert small().model == Model()
    assert dataclasses.replace(small(), model=Model(9)).model.n_iter == 9
    with pytest.raises(TypeError, match="takes 5 positional arguments but 6 were given"):
        Dictionary(np.ones((33, 1)), ("a",), SMALL, 8000, Model())
