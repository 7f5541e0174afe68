"""A process beside the sound that dies."""

import pytest
from sounding import eventually

from rtnmf.live.helper import Helper

DIES = """import os, pickle
def main():
    os.write(1, pickle.dumps("whole") + pickle.dumps(bytes(50_000))[:40_000])
    os._exit(3)
"""


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_half_of_an_object_is_no_error(tmp_path, monkeypatch):
    """What a process said before it was killed in the middle of something is kept, and nothing is raised."""
    (tmp_path / "dies.py").write_text(DIES)
    monkeypatch.syspath_prepend(tmp_path)
    said = []
    helper = Helper("dies", lambda _: (), said.append)
    eventually(lambda: not helper.is_running)
    assert helper.end().startswith("ended with code 3")
    assert said == ["whole"]
