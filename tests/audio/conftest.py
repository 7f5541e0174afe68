"""Files of all kinds, made once."""

import making
import pytest


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Return a function that gives the path of a file of a kind with `making.signal()` in it."""
    folder, paths = tmp_path_factory.mktemp("made"), {}

    def path(kind, seconds=2):
        if (kind, seconds) not in paths:
            place = folder / f"{kind}-{seconds}"
            place.mkdir()
            paths[kind, seconds] = making.make(place, kind, making.signal(seconds))
        return paths[kind, seconds]

    return path
