"""Words on a terminal: nothing that strangers named moves its cursor, hides, or breaks a line."""

import ast
import contextlib
import io
import json
import re
import sys

import pytest
from test_rooms import MODULES, PACKAGE

from rtnmf import screen
from rtnmf.checks import check_source_name
from rtnmf.cli.main import main
from rtnmf.cli.progress_bar import progress_bar
from rtnmf.dictionary import load_preset
from rtnmf.words import plain

EVIL = "a\x1b[2J\x07\r\x9b1m\u202e\u200b\u2028\u3164\ufe0f\x7f\udc80b"
CLEAN = "a_[2J___1m_______b"


class Terminal(io.StringIO):
    """What looks like a terminal to those who print."""

    def isatty(self):
        """Say yes."""
        return True


def without_own_codes(text):
    """Return what rich printed without its own colours and movements."""
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize("text", ["drums", "Geräusch", "e\u0301", "鼓", "🥁", "3 % \u00a0", "❤\ufe0f"])
def test_words_stay_as_they_are(text):
    """Letters of any language, accents, signs and no-break spaces are plain."""
    assert plain(text) == text


@pytest.mark.parametrize("name", ["\u3164", "\u2800\u2800", "\ufe0f", "\u034f", "\u0301", "\u115f\u1160"])
def test_a_source_has_a_name_that_is_seen(name):
    """A name of nothing but blanks, marks and fillers is refused, also by a dictionary."""
    with pytest.raises(ValueError, match=r"^source name '\\u.*' is not usable: nothing of it can be seen"):
        check_source_name(name)
    with pytest.raises(ValueError, match="nothing of it can be seen"):
        load_preset("keyboard").rename({"keyboard": name})


def test_lines_notes_and_errors_are_plain(capsys):
    """Each line stays one line, without a character that a terminal would act on."""
    screen.say(EVIL, f"{EVIL}\nforged")
    screen.note(EVIL)
    screen.tell(EVIL)
    assert tuple(capsys.readouterr()) == (f"{CLEAN}\n{CLEAN}_forged\n", f"note: {CLEAN}\n{CLEAN}\n")


def test_json_is_ascii_and_keeps_its_values(capsys):
    """What is read back is what was given."""
    screen.say_json({"id": EVIL})
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert out.isascii()
    assert json.loads(out) == {"id": EVIL}


def test_a_table_is_plain(monkeypatch):
    """Cells and titles of a table hold no codes but those of the table itself."""
    from rich.table import Table

    monkeypatch.setattr(sys, "stdout", Terminal())
    table = Table(EVIL, title=EVIL)
    table.add_row(EVIL)
    screen.console(80).print(table)
    screen.console(80).print(EVIL, soft_wrap=True)
    assert without_own_codes(sys.stdout.getvalue()).replace("\n", "").isprintable()


def test_a_progress_bar_is_plain(monkeypatch):
    """A stage that is named after a file holds no codes but those of the bar itself."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar("separating") as progress:
        progress(EVIL, 1, 2)
    assert "a_[2J" in sys.stderr.getvalue()
    assert without_own_codes(sys.stderr.getvalue()).replace("\n", "").replace("\r", "").isprintable()


def test_a_terminal_of_few_letters_gets_question_marks(monkeypatch):
    """A name that a terminal cannot show does not end a command after its work."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    screen.say("Geräusch")
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue() == b"Ger?usch\n"


def test_an_error_that_nobody_expected_is_plain(capsys):
    """A traceback keeps its lines, and only these."""
    try:
        raise LookupError(EVIL)
    except LookupError as error:
        screen.say_traceback(type(error), error, error.__traceback__)
    lines = capsys.readouterr().err.split("\n")
    assert lines[0].startswith("Traceback")
    assert f"LookupError: {CLEAN}" in lines
    assert all(map(str.isprintable, lines))


@pytest.mark.parametrize(
    "words",
    [
        ("info", "{}.safetensors"),
        ("separate", "{}.safetensors", "{}.safetensors"),
        ("evaluate", "{}"),
        ("live", "{}+{}"),
        ("report", "{}.wav"),
        ("{}",),
        ("info", "x", "--{}"),
        ("learn", "{}=x.wav", "-o", "y.safetensors"),
        ("pool", "{}"),
    ],
    ids=" ".join,
)
def test_names_on_the_command_line_are_printed_plain(words, tmp_path, monkeypatch, capsys):
    """Whatever a file is called, what a command says of it is one line of plain text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{EVIL}.safetensors").write_bytes(b"")
    with contextlib.suppress(SystemExit):
        assert main([word.format(EVIL, EVIL) for word in words]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("rtnmf: ")
    assert (out + err).replace("\n", "", 1).isprintable()


@pytest.mark.parametrize("module", [m for m in MODULES if m != ("screen",) and m[:2] != ("live", "host")], ids="/".join)
def test_only_one_module_prints(module):
    """No other module prints, writes to a standard stream, or makes a console of its own."""
    for node in ast.walk(ast.parse(PACKAGE.joinpath(*module).with_suffix(".py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "Console", "sys.stdout.write", "sys.stderr.write"), ast.unparse(node)
