"""The command line."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import DEMO, random_dictionary

from rtnmf import STFT, Dictionary, separate
from rtnmf.audio import files
from rtnmf.cli.main import main


@pytest.fixture
def desk(tmp_path):
    """Return the path of a dictionary at 16 kHz with the sources voice and fan."""
    path = tmp_path / "desk.safetensors"
    random_dictionary(STFT(1024, 256), ("voice", "fan")).save(path)
    return path


def sound(path, n_samples=30_000, n_channels=1, rate=16000, subtype=None):
    """Write noise and return the path."""
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (n_samples, n_channels)).astype(np.float32)
    files.write(path, x, rate, subtype)
    return path


def run(*arguments):
    """Run the command in this process."""
    return main([str(argument) for argument in arguments])


def test_learn_then_separate_then_info(tmp_path, capsys, monkeypatch):
    """Learn then separate then info."""
    monkeypatch.chdir(tmp_path)
    for name in ("voice", "keyboard"):
        (tmp_path / f"{name}.flac").write_bytes((DEMO / f"{name}-train.flac").read_bytes())
    assert (
        run(
            "learn",
            "voice=voice.flac,voice.flac",
            "keys=keyboard.flac",
            "-o",
            "d.safetensors",
            "--iterations",
            3,
            "--steps",
            5,
        )
        == 0
    )
    assert "voice, keys; 64 components, 44100 Hz, latency 46.4 ms" in capsys.readouterr().out
    assert run("separate", DEMO / "voice.flac", "d.safetensors", "-o", "out") == 0
    assert capsys.readouterr() == (
        "out/voice.flac\nout/keys.flac\n",
        "note: d.safetensors was learned at 44100 Hz, is used at 16000 Hz\n",
    )
    assert run("info", "d.safetensors") == 0
    told = capsys.readouterr().out
    assert "voice (32), keys (32) components" in told
    assert "trained      to tell these sources apart" in told


def test_blind_learning(tmp_path):
    """Blind learning."""
    clip = sound(tmp_path / "clip=1.wav")
    assert (
        run("learn", clip, "-o", tmp_path / "c.safetensors", "--components", 4, "--latency", 128, "--rate", 8000) == 0
    )
    learned = Dictionary.load(tmp_path / "c.safetensors")
    assert learned.sources == ("component-1", "component-2", "component-3", "component-4")
    assert (learned.sample_rate, learned.stft) == (8000, STFT(512, 32, latency=128))


@pytest.mark.parametrize(
    ("suffix", "subtype", "n_channels"), [("wav", "PCM_24", 2), ("wav", "DOUBLE", 1), ("flac", "PCM_16", 6)]
)
def test_separating_a_file_is_separating_its_samples(tmp_path, desk, suffix, subtype, n_channels):
    """Separating a file is separating its samples."""
    mix = sound(tmp_path / f"mix.{suffix}", 40_001, n_channels, subtype=subtype)
    assert run("separate", mix, desk, "-o", tmp_path / "out") == 0
    expected = separate(files.read(mix)[0], Dictionary.load(desk))
    for name, stem in zip(("voice", "fan"), expected, strict=True):
        path = tmp_path / "out" / f"{name}.{suffix}"
        np.testing.assert_allclose(files.read(path)[0], stem, atol=0 if subtype == "DOUBLE" else 4e-5)
        given, written = soundfile.info(mix), soundfile.info(path)
        for fact in ("samplerate", "channels", "format", "subtype", "frames"):
            assert getattr(given, fact) == getattr(written, fact)


@pytest.mark.parametrize("n_samples", [1, 100, 15_999, 16_000, 16_001])
def test_short_files_come_out_as_long(tmp_path, desk, n_samples):
    """Short files come out as long."""
    mix = sound(tmp_path / "mix.wav", n_samples, subtype="FLOAT")
    assert run("separate", mix, desk, "-o", tmp_path / "out") == 0
    stems = [files.read(tmp_path / "out" / f"{name}.wav")[0] for name in ("voice", "fan")]
    np.testing.assert_allclose(sum(stems), files.read(mix)[0], atol=1e-6)


def test_gain_writes_one_remix(tmp_path, desk, capsys):
    """Gain writes one remix."""
    mix = sound(tmp_path / "mix.wav", subtype="FLOAT")
    assert run("separate", mix, desk, "-o", tmp_path / "out", "--gain", "voice=-inf", "fan=-20") == 0
    assert capsys.readouterr().out == f"{tmp_path}/out/mix-remix.wav\n"
    stems = separate(files.read(mix)[0], Dictionary.load(desk))
    np.testing.assert_allclose(files.read(tmp_path / "out" / "mix-remix.wav")[0], 0.1 * stems[1], atol=1e-6)


def test_presets_combine_and_are_listed(tmp_path, capsys):
    """Presets combine and are listed."""
    mix = sound(tmp_path / "mix.wav")
    assert run("separate", mix, "speech+keyboard", "-o", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"speech.wav", "keyboard.wav"}
    assert "note: speech was learned at 44100 Hz, is used at 16000 Hz" in capsys.readouterr().err
    assert run("presets") == 0
    assert "speech     a man speaking Italian" in capsys.readouterr().out
    assert run("info", "speech+hiss") == 0
    assert "speech (32), hiss (32)" in capsys.readouterr().out


def test_clipped_stems_are_told(tmp_path, desk, capsys):
    """Clipped stems are told."""
    mix = sound(tmp_path / "mix.wav")
    assert run("separate", mix, desk, "-o", tmp_path, "--gain", "voice=20", "fan=20") == 0
    assert "samples were above full scale and cut off" in capsys.readouterr().err


def test_hostile_source_names_stay_in_the_folder(tmp_path):
    """Hostile source names stay in the folder."""
    names = ("../../evil", "a_b-2", "a/b", "A_B", "[red]x[/red]", "...")
    random_dictionary(STFT(256, 64), names, n_each=1).save(tmp_path / "d")
    assert run("separate", sound(tmp_path / "mix.wav"), tmp_path / "d", "-o", tmp_path / "out") == 0
    written = list((tmp_path / "out").iterdir())
    assert len(written) == 6
    assert len({path.name.lower() for path in written}) == 6


def test_dictionaries_of_other_windows_and_latencies_combine(tmp_path, desk, capsys):
    """Dictionaries of other windows and latencies combine, at those of the first, with a note."""
    low = tmp_path / "low.safetensors"
    random_dictionary(STFT(2048, 32, latency=128), ("hum",), sample_rate=16000).save(low)
    assert run("separate", sound(tmp_path / "mix.wav"), f"{desk}+{low}", "-o", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert "is converted to the window and latency of" in capsys.readouterr().err


def test_stems_go_into_a_folder_of_their_own(tmp_path, desk):
    """Without -o, stems go into a folder of their own, beside the recording."""
    (tmp_path / "voice.wav").write_text("mine")
    assert run("separate", sound(tmp_path / "mix.wav"), desk) == 0
    assert {path.name for path in (tmp_path / "mix-stems").iterdir()} == {"voice.wav", "fan.wav"}
    assert (tmp_path / "voice.wav").read_text() == "mine"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_kill_and_a_closed_terminal_leave_no_half_files(tmp_path, desk, number):
    """Kill and a closed terminal leave no half files."""
    mix = sound(tmp_path / "mix.wav", 3_000_000, 2)
    line = [sys.executable, "-m", "rtnmf", "separate", str(mix), str(desk), "-o", str(tmp_path / "out")]
    started = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("out/.*.part")) and time.monotonic() < deadline:
        time.sleep(0.02)
    started.send_signal(number)
    said = started.communicate(timeout=20)[1]
    assert said == "rtnmf: stopped\n"
    assert started.returncode in (130, -signal.SIGINT)  # the latter when it came while code was being compiled
    assert not list((tmp_path / "out").iterdir())


def test_numbers_out_of_range_are_one_line(capsys):
    """Numbers out of range are one line that names the option."""
    for line in ("learn x --components 0", "learn x --rate -1", "separate x y --updates 0", "demo --block 99999999999"):
        with pytest.raises(SystemExit) as ended:
            run(*line.split(), *(["-o", "x"] if line.startswith("learn") else []))
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert re.fullmatch(
            r"rtnmf: argument --\w+: .* is not a whole number from 1 to 10 million: see rtnmf \w+ --help\n", said
        )


def test_evaluate_prints_a_table_or_json(capsys):
    """Evaluate prints a table or JSON."""
    assert run("evaluate", DEMO, "--components", 4, "--steps", 20) == 0
    table = capsys.readouterr().out
    assert "voice" in table
    assert "Cases: 1, SI-SDR gained, mean: " in table
    assert re.search(r"\nall +1 +[\d.-]+ +[\d.-]+ +[\d.-]+ to [\d.-]+ +[\d.-]+ +[\d.]+ +\d+ %\n", table)
    assert run("evaluate", DEMO, "--json", "--components", 4, "--steps", 20) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["cases"][0]["sources"] == ["voice", "keyboard"]
    assert printed["summary"]["cases"] == 1
    gain = np.mean(printed["cases"][0]["improvement"])
    assert f"mean: {gain:.2f} dB" in table


def test_bench_prints_a_table_or_json(capsys):
    """Bench prints latency, blocks, parts of a hop and the limit, as a table or as JSON."""
    arguments = ("bench", "speech+keyboard", "--block", 128, "--latency-ms", 3, "--rate", 48000, "--seconds", 0.5)
    assert run(*arguments) == 0
    table = capsys.readouterr().out
    assert "latency     144 samples = 3.0 ms, by a click: 144" in table
    assert "any blocks  the same stems to the bit" in table
    assert "188 of 128 samples = 2.67 ms each" in table
    assert run(*arguments, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["latency"] == figures["measured_latency"] == 144
    assert figures["is_same_for_any_blocks"]
    assert list(figures["block_us"]) == ["p50", "p99", "p99.9", "max"]
    assert sorted(figures["block_us"].values()) == list(figures["block_us"].values())
    assert figures["hop_us"] == pytest.approx(sum(figures["part_us"].values()))
    assert figures["updates_over_limit"] == pytest.approx(
        figures["part_us"]["updates"] / figures["limit_of_updates_us"]
    )


def test_demo_streams_separates_and_says_so(tmp_path, capsys):
    """Demo streams separates and says so."""
    assert run("demo", tmp_path / "demo", "--block", 441) == 0
    out = capsys.readouterr().out
    assert "latency      2048 samples" in out
    assert "through it: 2048;" in out
    for name in ("mixture", "voice", "keyboard"):
        assert f"{tmp_path}/demo/{name}.wav" in out
    stems = [files.read(tmp_path / "demo" / f"{n}.wav")[0] for n in ("voice", "keyboard", "mixture")]
    np.testing.assert_allclose(stems[0] + stems[1], stems[2], atol=1e-4)


def errors(tmp_path, desk):
    """Yield arguments that cannot be right, and what must be said."""
    mix, out = sound(tmp_path / "mix.wav"), tmp_path / "o.safetensors"
    soundfile.write(tmp_path / "nan.wav", np.full(5000, np.nan), 8000, "FLOAT")
    soundfile.write(tmp_path / "silent.wav", np.zeros(5000), 8000)
    soundfile.write(tmp_path / "short.wav", np.ones(1), 8000)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "text.safetensors").write_text("no dictionary")
    yield ("separate", tmp_path / "no.wav", desk), "no.wav: no such file"
    yield ("separate", tmp_path / "text.wav", desk), "text.wav: not an audio file"
    yield ("separate", tmp_path / "nan.wav", desk, "-o", out), "nan.wav: holds samples that are NaN"
    yield ("separate", mix, "no.safetensors"), "'no.safetensors' is neither a dictionary file nor a preset"
    yield ("separate", mix, tmp_path / "text.safetensors"), "text.safetensors: not a dictionary"
    yield ("separate", mix, "speech+kazoo"), "'kazoo' is neither a dictionary file nor a preset: the presets are bass"
    yield ("separate", mix, "speech+"), "there is no preset ''"
    yield ("separate", mix, "speech"), "speech has one source only: add what it is to be told from"
    yield ("separate", mix, "speech+speech"), "source 'speech' is in more than one"
    yield (
        ("separate", mix, desk, "--gain", "kazoo=3"),
        "'kazoo=3' names no source: write NAME=DB with one of voice, fan",
    )
    yield ("separate", mix, desk, "--gain", "voice"), "'voice' names no source: write NAME=DB"
    yield ("separate", mix, desk, "--gain", "voice=1", "voice=2"), "source 'voice' has two gains"
    yield ("separate", mix, desk, "--gain", "voice=inf"), "'voice=inf' is not in dB"
    yield ("separate", mix, desk, "--gain", "voice=loud"), "'voice=loud' is not in dB"
    yield ("separate", mix, desk, "--power", 0), "mask_power is 0"
    yield ("separate", mix, desk, "-o", mix), "mix.wav: cannot make this folder"
    yield ("learn", "voice", "fan=x.wav", "-o", out), "'voice' names no source"
    yield ("learn", f"voice={mix}", f"voice={mix}", "-o", out), "source 'voice' is named twice"
    yield ("learn", f"voice={tmp_path}/silent.wav", "-o", out), "silent.wav is silent: record it again"
    yield ("learn", f"voice={tmp_path}/short.wav", "-o", out), "short.wav has 1 samples, expected at least 512"
    yield ("learn", f"voice={tmp_path}/text.wav", "-o", out), "text.wav: not an audio file"
    yield ("learn", f"voice={mix}", "-o", tmp_path / "no" / "d.safetensors"), "no/d.safetensors: cannot be written"
    yield ("learn", f"voice={mix}", "-o", out, "--latency", 3), "latency is 3, expected an even number"
    yield ("learn", f"voice={mix}", "-o", mix), "mix.wav', expected a name that ends in .safetensors"
    yield ("info", tmp_path), "there is no preset"
    yield ("evaluate", tmp_path), "cases.json: cannot be read"
    yield ("demo", mix), "mix.wav: cannot make this folder"


def test_errors_are_one_line_with_the_remedy_and_exit_code_2(tmp_path, desk, capsys, monkeypatch):
    """Errors are one line with the remedy and exit code 2."""
    monkeypatch.chdir(tmp_path)
    for arguments, message in errors(tmp_path, desk):
        assert run(*arguments) == 2, arguments
        said = capsys.readouterr()
        last = said.err.splitlines()[-1]
        assert last.startswith("rtnmf: ")
        assert message in last
        assert "Traceback" not in said.err
    assert not list(tmp_path.rglob("*.part"))


def test_the_input_is_never_overwritten(tmp_path, desk, capsys):
    """The input is never overwritten."""
    mix = sound(tmp_path / "voice.wav")
    before = mix.read_bytes()
    assert run("separate", mix, desk, "-o", tmp_path) == 2
    assert "is the input itself" in capsys.readouterr().err
    assert mix.read_bytes() == before


def test_a_failure_half_way_leaves_no_half_files(tmp_path, desk):
    """A failure half way leaves no half files."""
    mix = tmp_path / "mix.wav"
    x = np.zeros((60_000, 1), np.float32)
    x[50_000] = np.nan
    soundfile.write(mix, x, 16000, "FLOAT")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "voice.wav").write_text("old")
    assert run("separate", mix, desk, "-o", tmp_path / "out") == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["voice.wav"]
    assert (tmp_path / "out" / "voice.wav").read_text() == "old"


def command(*arguments, **options):
    """Run the command in a process of its own."""
    line = [sys.executable, "-m", "rtnmf", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, **options)


def full_disk():
    """Let files grow to 20 kB and no further, as a full disk would."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize(
    "arguments",
    [
        ["separate", "mix.wav", "desk.safetensors", "-o", "out"],
        ["learn", "mix.wav", "-o", "out/d.safetensors", "--components", "16"],
    ],
)
@pytest.mark.usefixtures("desk")
def test_a_full_disk_is_one_line(tmp_path, arguments):
    """A full disk is one line."""
    sound(tmp_path / "mix.wav", 100_000)
    (tmp_path / "out").mkdir()
    ended = command(*arguments, cwd=tmp_path, preexec_fn=full_disk, env=os.environ | {"NUMBA_CACHE_DIR": "/dev/null/x"})
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "cannot be written" in ended.stderr
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["learn", "separate", "presets", "info", "report", "evaluate", "demo"])
def test_help_shows_examples(name, capsys):
    """Help shows examples."""
    with pytest.raises(SystemExit) as ended:
        run(name, "--help")
    assert ended.value.code == 0
    assert f"examples:\n  rtnmf {name}" in capsys.readouterr().out


def test_help_and_version_and_bad_words():
    """Help and version and bad words."""
    assert "examples:\n  rtnmf demo" in command("--help").stdout
    assert command("--version").stdout.startswith("rtnmf 0.")
    ended = command("sing")
    assert ended.returncode == 2
    assert "invalid choice: 'sing'" in ended.stderr


def test_help_loads_no_library():
    """Help loads no library."""
    code = """
import sys
from rtnmf.cli.main import main
try:
    main(["--help"])
except SystemExit:
    assert "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_ctrl_c_ends_quietly(desk, tmp_path, monkeypatch, capsys):
    """Ctrl-C ends quietly."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rtnmf.files.stream", interrupted)
    assert run("separate", sound(tmp_path / "mix.wav"), desk, "-o", tmp_path / "out") == 130
    assert "stopped" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_closed_pipe_is_no_error():
    """A closed pipe is no error."""
    line = f"{sys.executable} -m rtnmf presets | true"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_the_learning_script_learns(tmp_path):
    """The learning script learns."""
    script = Path(__file__).parent.parent.parent / "scripts" / "learn.py"
    line = [sys.executable, script, DEMO / "voice-train.flac", DEMO / "keyboard-train.flac", tmp_path / "d.safetensors"]
    subprocess.run(line, check=True, capture_output=True)
    assert Dictionary.load(tmp_path / "d.safetensors").sources == ("voice-train", "keyboard-train")
