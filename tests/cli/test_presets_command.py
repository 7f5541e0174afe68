"""`rtnmf presets`."""

from command_line import run

from rtnmf import presets


def test_presets_are_listed_with_their_licences(capsys):
    """Each preset is a line with its name, description and licence."""
    assert run("presets") == 0
    *lines, hint = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(presets())
    assert any(line.startswith("speech     39 sets of voices in 27 languages") for line in lines)
    assert all(line.endswith("]") for line in lines)
    assert "combine them with +" in hint
