"""Messages between the page and its server, both ways."""

import typing

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnmf.control.web import messages
from rtnmf.control.web.commands import done, is_slow
from rtnmf.control.web.messages import BANDS, MOST_BYTES, columns, commanded, encoded

COMMANDS = typing.get_args(messages.Command)
VALUES = {
    "db": -6.0, "wet": 0.5, "on": True, "source": "voice", "to": "fan", "name": "voice", "seconds": 10.0,
    "kind": "preset", "preset": "speech", "components": [0, 1],
}  # fmt: skip
WRONG = {
    "db": [61, -201, "0", None], "wet": [-0.1, 1.1, True], "on": [1, "true", None], "source": ["", "a" * 81, 3],
    "to": ["", "a\nb", [1]], "name": ["\u202eevil", "a\x1b[2J", {}], "seconds": [0, 121, "10"],
    "kind": ["file", ""], "preset": ["", 1],
    "components": [[], [-1], [4096], list(range(1025)), ["0"], [0.5], "0"],
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*VALUES, "is", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def written(kind, **values):
    """Return a command as a page writes it."""
    fields = [field.name for field in msgspec.structs.fields(kind)]
    return {"is": kind.__struct_config__.tag, **{name: VALUES[name] for name in fields}, **values}


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_command_is_read_within_its_bounds(kind):
    """A command is read as it was written; without a value, with one too many or out of bounds, it is none."""
    command = commanded(msgspec.json.encode(written(kind)))
    assert type(command) is kind
    assert commanded(msgspec.json.encode(command)) == command
    wrong = [{**written(kind), "more": 1}]
    for field in msgspec.structs.fields(kind):
        wrong += [{**written(kind), field.name: value} for value in WRONG[field.name]]
        wrong.append({name: value for name, value in written(kind).items() if name != field.name})
    for fields in wrong:
        with pytest.raises(ValueError, match=r"."):
            commanded(msgspec.json.encode(fields))


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "gain", '{"is":"gain"', '{"is":"state"}', '{"is":"__class__"}', '{"is":["gain"]}',
     '{"x":' * 3000, "[" * MOST_BYTES, '{"x":' + "[" * 8000 + "]" * 8000 + ',"is":"keep"}',
     '{"is":"keep"}' + " " * MOST_BYTES, '{"is":"save","name":"\\ud800"}',
     b"\xff\xfe", b'{"is":"save","name":"\xff"}', '{"is":"wet","wet":NaN}', '{"is":"gain","source":"a","db":1e999}'],
    ids=range(18),
)  # fmt: skip
def test_hostile_text_is_no_command(text):
    """What is not JSON, not a command, too long or too deep is refused in words."""
    with pytest.raises(ValueError, match=r"."):
        commanded(text)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200) | JSON.map(msgspec.json.encode))
def test_whatever_is_sent_is_a_command_or_refused(text):
    """Any bytes, text or JSON give a command with values in their bounds, or a ValueError."""
    try:
        command = commanded(text)
    except ValueError:
        return
    assert type(command) in COMMANDS
    assert commanded(msgspec.json.encode(command)) == command


def test_every_command_is_done_by_something():
    """Each command that is not for the server itself is known as quick or slow."""
    for kind in COMMANDS:
        command = commanded(msgspec.json.encode(written(kind)))
        if kind is not messages.Hidden:
            assert isinstance(is_slow(command), bool)
            with pytest.raises(AttributeError):
                done(None, command)  # it would do something with a studio


def test_what_the_server_says_is_read_back():
    """A refusal is written as it is declared."""
    assert msgspec.json.decode(encoded(messages.Refused("no")), type=messages.Message) == messages.Refused("no")


def test_columns_are_interleaved():
    """Of each column first what is of the input, then of the output, each first levels, then owners."""
    heard, out = np.random.default_rng(0).integers(0, 256, (2, 3, 2, BANDS), np.uint8)
    read = np.frombuffer(columns([heard, out]), np.uint8).reshape(3, 2, 2, BANDS)
    np.testing.assert_array_equal(read[:, 0], heard)
    np.testing.assert_array_equal(read[:, 1], out)
