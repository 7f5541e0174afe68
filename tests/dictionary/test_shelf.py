"""Dictionaries by name: presets, files, several merged, and names that nothing else may take."""

import contextlib
import importlib.resources
import importlib.util
import shutil

import pytest
from small_dictionaries import small, trained

import rtnmf
import rtnmf.dictionary
from rtnmf import STFT, Dictionary, load_preset, presets
from rtnmf.dictionary import merged as load
from rtnmf.dictionary import shelf
from rtnmf.frames.model import Model


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with a dictionary of c and d in `desk.safetensors`."""
    monkeypatch.chdir(tmp_path)
    small(labels=("c", "c", "d", "d")).save("desk.safetensors")
    return tmp_path


def test_presets_share_their_settings_and_state_their_licences():
    """Every preset is one source of its own name, with its recordings and their licence; all of them merge."""
    wanted = ["speech", "keyboard", "drums", "bass", "piano", "guitar", "strings", "flute", "trumpet", "tabla"]
    assert {*wanted, "hiss", "birds"} <= set(presets())
    loaded = [load_preset(name) for name in presets()]
    assert loaded[0].merge(*loaded[1:]).sources == presets()
    for name, preset in zip(presets(), loaded, strict=True):
        assert preset.sources == (name,)
        assert preset.licence
        assert preset.learned_from


@pytest.mark.parametrize("name", ["kazoo", "", "../presets/speech", "desk.safetensors"])
def test_a_preset_that_is_not_there_is_refused(name):
    """`load_preset` knows presets only, and lists them."""
    with pytest.raises(ValueError, match=r"there is no preset .*: choose from bass, birds"):
        load_preset(name)


def test_a_name_is_that_of_a_preset_or_a_file(folder):
    """A preset is loaded by its name, a file by its path, given as text or as a path, without a warning."""
    assert load("speech") == load_preset("speech")
    for path in ("desk.safetensors", folder / "desk.safetensors"):
        assert load(path) == Dictionary.load("desk.safetensors")


def test_a_file_is_preferred_to_the_preset_of_its_name(folder):
    """A file in the current folder takes the place of a preset, a folder does not."""
    small().save("speech")
    assert load("speech") == small()
    (folder / "drums").mkdir()
    assert load("drums") == load_preset("drums")


def test_names_with_a_plus_are_merged():
    """Dictionaries joined with + are merged in their order."""
    small().save("a.safetensors")
    merged = load("desk.safetensors+a.safetensors")
    assert merged == Dictionary.load("desk.safetensors") + small()


@pytest.mark.parametrize("name", ["a+b.safetensors", "speech+drums"])
def test_a_file_with_a_plus_in_its_name_is_that_file(name):
    """A + belongs to the name of a file where there is such a file, alone or in a longer name."""
    small().save(name)
    assert load(name) == small()
    assert load(f"{name}+desk.safetensors").sources == ("a", "b", "c", "d")
    assert load(f"desk.safetensors+{name}").sources == ("c", "d", "a", "b")


def test_a_folder_with_a_plus_in_its_name_is_not_meant(folder):
    """A folder of stems named after two presets does not hide them."""
    (folder / "speech+drums").mkdir()
    assert load("speech+drums") == load_preset("speech") + load_preset("drums")


def test_dictionaries_are_merged_at_the_rate_of_the_first():
    """A dictionary of another rate is converted to that of the first one, with a warning for the line that loads."""
    with pytest.warns(UserWarning, match=r"^speech .* ?converted") as caught:
        merged = load("desk.safetensors+speech")
    assert (merged.sample_rate, merged.stft) == (8000, STFT(64, 16))
    assert [str(warning.message) for warning in caught] == [
        "speech was learned at 44100 Hz and is converted to 8000 Hz",
        "speech is converted to the window and latency of desk.safetensors",
    ]
    assert {warning.filename for warning in caught} == {__file__}
    desk, speech = Dictionary.load("desk.safetensors"), load_preset("speech")
    assert merged == desk + speech.at_rate(8000, desk.stft)


def test_dictionaries_are_merged_at_a_rate_that_is_given():
    """With a sample rate all are converted to it, and each conversion is a warning."""
    with pytest.warns(UserWarning, match=r"was learned at 44100 Hz") as caught:
        merged = load("speech+drums", 16000)
    assert [str(warning.message) for warning in caught] == [
        "speech was learned at 44100 Hz and is converted to 16000 Hz",
        "drums was learned at 44100 Hz and is converted to 16000 Hz",
    ]
    assert merged == load_preset("speech").at_rate(16000) + load_preset("drums").at_rate(16000)
    with pytest.warns(UserWarning, match="desk.safetensors was learned at 8000 Hz and is converted to 16000 Hz"):
        assert load("desk.safetensors", 16000).sample_rate == 16000


def test_training_is_kept_alone_and_void_among_others():
    """A dictionary that is loaded alone keeps its training; a merged one has none."""
    trained().save("trained.safetensors")
    assert load("trained.safetensors").is_trained
    assert not load("desk.safetensors+trained.safetensors").is_trained


def test_there_is_one_rest_at_most():
    """That of a second dictionary is left out, with a warning; a dictionary that is only that is refused."""
    small(labels=tuple("aabb"), rest="b").save("first.safetensors")
    small(labels=tuple("ccdd"), rest="d").save("second.safetensors")
    with pytest.warns(UserWarning, match="the rest of second.safetensors is left out"):
        merged = load("first.safetensors+second.safetensors")
    assert (merged.sources, merged.rest) == (("a", "b", "c"), "b")
    small(labels=tuple("dddd"), rest="d").save("only.safetensors")
    with pytest.raises(ValueError, match=r"only.safetensors is a rest, and there is one already"):
        load("first.safetensors+only.safetensors")


def test_another_model_is_replaced_by_that_of_the_first():
    """Dictionaries of different models are merged with that of the first one, with a warning that shows both."""
    small(model=Model(8)).save("slow.safetensors")
    with pytest.warns(UserWarning, match=r"^slow.* is used with the model of desk.*Model\(n_iter=5.*instead of.*=8"):
        assert load("desk.safetensors+slow.safetensors").model == Model()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("kazoo",), ValueError, "'kazoo' is neither a dictionary file nor a preset: the presets are bass, birds"),
        (("speech+kazoo",), ValueError, "'kazoo' is neither a dictionary file nor a preset"),
        (("speech+",), ValueError, "'' is neither a dictionary file nor a preset"),
        (("",), ValueError, "'' is neither a dictionary file nor a preset"),
        ((".",), ValueError, "'.' is neither a dictionary file nor a preset"),
        (("+" * 100,), ValueError, "'' is neither a dictionary file nor a preset"),
        (("x" * 5000,), ValueError, "x' is neither a dictionary file nor a preset"),
        (("speech+speech",), ValueError, "source 'speech' is in more than one of the dictionaries"),
        (("speech", 0), ValueError, "sample_rate is 0, expected a whole number of Hz"),
        (("speech", "44100"), TypeError, "sample_rate is '44100', expected a whole number of Hz"),
        ((5,), TypeError, "name is 5, expected a preset, a file or several joined with +"),
        ((b"speech",), TypeError, "name is b'speech', expected a preset, a file or several joined with +"),
    ],
)
def test_what_cannot_be_loaded_is_named(arguments, error, message):
    """A name of nothing, two sources of one name and arguments of the wrong kind are refused in words."""
    with pytest.raises(error, match=message):
        load(*arguments)


def test_a_damaged_part_is_refused_before_anything_is_converted(folder):
    """All parts are opened before the first conversion and its warning."""
    (folder / "text.safetensors").write_text("no dictionary")
    with pytest.raises(ValueError, match=r"text.safetensors: not a dictionary"):  # and warnings are errors in tests
        load("desk.safetensors+speech+text.safetensors")


@pytest.mark.parametrize("name", [*rtnmf.__all__, *rtnmf.dictionary.__all__])
def test_no_module_has_the_name_of_a_public_function(name):
    """Importing a module or a data package can never take the place of a public name."""
    assert importlib.util.find_spec(f"rtnmf.{name}") is None
    assert importlib.util.find_spec(f"rtnmf.dictionary.{name}") is None


def test_the_data_of_presets_leave_the_function_alone():
    """`rtnmf.presets` is callable also after the data package was opened as a resource."""
    with contextlib.suppress(ModuleNotFoundError):  # it is there when installed
        assert importlib.resources.files("rtnmf.preset_data").joinpath("speech.safetensors").is_file()
    assert "speech" in rtnmf.presets()


def test_presets_are_found_beside_the_package_where_they_are_installed(folder, monkeypatch):
    """The data package of a wheel is preferred to the folder of a checkout."""
    data = folder / "rtnmf" / "preset_data"
    data.mkdir(parents=True)
    shutil.copy("desk.safetensors", data / "desk.safetensors")
    monkeypatch.setattr(shelf, "__file__", str(folder / "rtnmf" / "dictionary" / "shelf.py"))
    assert presets() == ("desk",)
    assert load("desk") == Dictionary.load("desk.safetensors")
