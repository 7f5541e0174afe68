"""`rtnmf bench`; what is measured is tested with `rtnmf.measure.benchmark`."""

import json

import pytest
from command_line import assert_refused, run

pytestmark = pytest.mark.usefixtures("hardly_joined")
LINE = ("bench", "speech+keyboard", "--block", 128, "--latency-ms", 3, "--rate", 48000, "--seconds", 0.5)


def test_figures_are_a_table(capsys):
    """The table has latency, blocks and the parts of a hop."""
    assert run(*LINE) == 0
    table = capsys.readouterr().out
    assert "components  48 of speech, 32 of keyboard; 1025 bins, 5 updates per hop" in table
    assert "latency     144 samples = 3.0 ms, of a click: 144" in table
    assert "any blocks  bit-identical stems" in table
    assert "voices      speech: with the expert voices\n" in table
    assert "188 of 128 samples = 2.67 ms each" in table


def test_figures_are_json(capsys):
    """JSON has the same figures, and those that belong together agree."""
    assert run(*LINE, "--json", "--updates", 3, "--channels", 2, "--no-expert") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["latency"] == figures["measured_latency"] == 144
    assert (figures["n_iter"], figures["n_channels"], figures["experts"]) == (3, 2, [])
    assert figures["is_same_for_any_blocks"]
    assert list(figures["block_us"]) == ["p50", "p99", "p99.9", "max"]
    assert sorted(figures["block_us"].values()) == list(figures["block_us"].values())
    assert figures["hop_us"] == pytest.approx(sum(figures["part_us"].values()))
    assert figures["updates_over_limit"] == pytest.approx(
        figures["part_us"]["updates"] / figures["limit_of_updates_us"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--channels", 65), "--channels is 65, expected 1 to 64"),
        (("--power", 0), "--power is 0"),
        (("--latency-ms", 0.001), "--latency-ms is 0.001, expected at least two samples"),
        (("--rate", 20_000_000), "--rate is 20000000, expected a whole number of Hz"),
    ],
)
def test_settings_out_of_range_are_one_line(options, message, capsys):
    """A setting that the separator refuses is named by its flag."""
    assert_refused(["bench", *options], message, capsys)
