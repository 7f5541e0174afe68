"""The colours that sources have wherever they are drawn."""

import pytest

from rtnmf.look import N_HUES, hue, hues


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_every_source_has_a_colour_of_its_own(light):
    """A dark and a light page have eight different colours and a grey one."""
    colours = hues(light=light)
    assert [*colours] == [*(f"source-{i + 1}" for i in range(N_HUES)), "source-rest"]
    assert len(set(colours.values())) == N_HUES + 1
    assert colours["source-1"] == ((184, 127, 0) if light else (230, 159, 0))


def test_a_colour_is_that_of_a_place():
    """The rest is grey wherever it stands, the others are coloured as if it were not there, and colours repeat."""
    sources = tuple("abcdefghij")
    assert [hue(source, sources, "b") for source in "abcij"] == [
        "source-1",
        "source-rest",
        "source-2",
        "source-8",
        "source-1",
    ]
    assert hue("rest", ("rest",)) == "source-1"
