"""What a notebook shows of a dictionary: a table, a figure, the sound of a component."""

import io
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from matplotlib import pyplot
from matplotlib.collections import QuadMesh
from matplotlib.text import Annotation
from small_dictionaries import small, trained

HOSTILE = "<img src=x onerror=alert(1)>&"


class Cells(HTMLParser):
    """The tags of a text, and what stands in its table."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.below = set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Begin a row or a cell."""
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        """Add to a cell, or to what follows the table."""
        if "p" in self.tags:
            self.below += data
        else:
            self.rows[-1][-1] += data


def test_table_lists_sources_and_what_the_dictionary_was_made_for():
    """A notebook shows a row per source with its components, and rate, window and latency below."""
    shown = Cells(trained(labels=("voice", "voice", "b", "noise"), rest="noise", description="d")._repr_html_())
    assert shown.rows == [
        ["source", "components", ""],
        ["● voice", "2", "a voice"],
        ["● b", "1", ""],
        ["● noise", "1", "all that was not taught"],
    ]
    assert shown.below.startswith(
        "d; 8000 Hz; window 64 samples (8.0 ms), hop 16; latency 64 samples (8.0 ms); trained"
    )
    assert "not trained" in small()._repr_html_()


def test_table_holds_names_as_text():
    """What strangers wrote into names and the description makes no tag of its own."""
    shown = Cells(small(labels=(HOSTILE, "a", "a", "a"), description=HOSTILE)._repr_html_())
    assert shown.tags == {"table", "thead", "tbody", "tr", "th", "td", "span", "p"}
    assert shown.rows[1] == [f"● {HOSTILE}", "1", ""]
    assert shown.below.startswith(f"{HOSTILE}; 8000 Hz")


def test_figure_groups_components_by_source_in_its_colour():
    """All components of a source stand side by side below its name, at the numbers that they have in the dictionary."""
    made = small(labels=(r"$\a$", "b", r"$\a$", "noise"), rest="noise")
    figure = made.plot()
    assert pyplot.get_fignums() == []  # a notebook would show it twice
    axes = figure.axes[0]
    names = [text for text in axes.texts if isinstance(text, Annotation)]
    assert {text.get_text(): text.get_color() for text in names} == {
        r"$\a$": "#b87f00",
        "b": "#4590ba",
        "noise": "#6e747d",
    }
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "2", "1", "3"]
    drawn = np.hstack([mesh.get_array() for mesh in axes.collections if isinstance(mesh, QuadMesh)])
    columns = made.components[:, [0, 2, 1, 3]]
    np.testing.assert_allclose(drawn, 20 * np.log10(columns / columns.max(axis=0)), atol=1e-3)
    figure.savefig(io.BytesIO())


def test_a_component_is_played_at_its_frequency():
    """The player of a component holds a second of sound that peaks where the column does."""
    components = np.full((33, 4), 1e-4)
    components[[3, 7, 12, 20], range(4)] = 1
    played = small(components=components).play(2)
    sound, rate = soundfile.read(io.BytesIO(played.data))
    assert rate == 8000
    assert len(sound) >= rate
    assert 0.4 < np.abs(sound).max() < 0.6
    assert round(np.argmax(np.abs(np.fft.rfft(sound[:8000]))) / (rate / 64)) == 12


def test_no_other_component_is_played():
    """A number that is no column of the components is refused by name."""
    with pytest.raises(ValueError, match=r"component is 4, expected 0 to 3, a column of components"):
        small().play(4)
    with pytest.raises(ValueError, match="component is -1"):
        small().play(-1)
    with pytest.raises(TypeError, match="component is 'a'"):
        small().play("a")


def test_playing_without_ipython_says_how_to_get_it(monkeypatch):
    """Where IPython is not installed, nothing but `play` fails, with the remedy."""
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs IPython: pip install 'rtnmf\[notebook\]'"):
        small().play(0)
    assert "table" in small()._repr_html_()
