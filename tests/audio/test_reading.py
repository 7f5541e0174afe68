"""Reading whatever people have."""

import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile
from making import CODED, LOSSLESS, LOSSY, RATE, X, ffmpeg, made, played, read_noting, signal, similarity

from rtnmf.audio import files
from rtnmf.audio.files import AudioReader


@pytest.mark.parametrize("kind", [*LOSSY, *CODED])
def test_it_reads_what_ffmpeg_plays(kind):
    """Samples are those of ffmpeg to its own rounding, from the first one on; MP4 ends where its header says."""
    x, rate = files.read(made(kind))
    expected = played(made(kind))
    if kind in ("m4a", "mp4"):
        assert len(x) == len(X) < len(expected)
        expected = expected[: len(x)]
    np.testing.assert_allclose(x, expected, atol=2e-4)
    assert rate == (48000 if kind in ("opus", "webm") else RATE)


@pytest.mark.parametrize("kind", ["m4a", "mp4", "mp3", "ogg", "opus", "webm", "mka", *CODED, *LOSSLESS])
def test_a_click_stays_where_it_was(kind):
    """What encoders add at the beginning is taken off: the click is at its own sample."""
    x, rate = files.read(made(kind))
    slack = 0 if kind in (*CODED, *LOSSLESS) else 130 if kind == "mka" else 2  # Matroska counts in ms
    click = int(np.abs(X).argmax())
    assert abs(int(np.abs(x[:, 0]).argmax()) - click * rate / RATE) <= slack
    assert similarity(x, files.resample(X, RATE, rate)) > (0.6 if kind == "mka" else 0.99)


@pytest.mark.parametrize("kind", [*LOSSLESS, *CODED])
def test_lossless_files_come_back_to_the_bit(kind):
    """Lossless files of known length give their samples exactly."""
    depth = 2.0**23 if kind in ("aiff", "caf") else 2.0**15
    np.testing.assert_allclose(files.read(made(kind))[0], X, atol=1 / depth)
    np.testing.assert_array_equal(files.read(made(kind))[0] * depth % 1, 0)


@pytest.mark.parametrize("silence", [("0", "20"), ("20", "0")], ids=["loud-start", "quiet-start"])
def test_mp3_of_varying_rate_without_a_tag_is_read_to_its_end(tmp_path, silence):
    """26 s in, 26 s out, though the length by the header is 14 or 34 s; and the sound is where it was."""
    sox = ["sox", "-m", "|sox -n -r 44100 -p synth 6 saw 220 vol .3", "|sox -n -r 44100 -p synth 6 whitenoise vol .3"]
    subprocess.run([*sox, "-b", "16", tmp_path / "x.wav", "pad", *silence], check=True)
    ffmpeg("-i", tmp_path / "x.wav", "-q:a", "4", "-write_xing", "0", tmp_path / "x.mp3")
    x, _ = files.read(tmp_path / "x.mp3")
    assert abs(len(x) / RATE - 26) < 0.06
    np.testing.assert_allclose(x, played(tmp_path / "x.mp3"), atol=1e-5)
    assert files.duration_s(tmp_path / "x.mp3") == len(x) / RATE


@pytest.mark.parametrize("kind", ["ogg", "opus", "mp3"])
def test_joined_files_are_read_to_the_end_of_the_last(tmp_path, kind):
    """Two files one after the other give both, without a note."""
    path = tmp_path / f"joined.{kind}"
    path.write_bytes(made(kind).read_bytes() * 2)
    one, rate = files.read(made(kind))
    both, _ = files.read(path, strict=True)
    assert abs(len(both) - 2 * len(one)) < 0.06 * rate  # the delay of the second encoder is sound to all players
    np.testing.assert_allclose(both[: len(one) - 1200], one[:-1200], atol=1e-4)
    second = both[-len(one) :] if kind != "mp3" else both[len(both) - len(one) - 390 :]
    lag = int(np.abs(second[:, 0]).argmax()) - int(np.abs(one[:, 0]).argmax())
    assert similarity(second[lag + 3000 :], one[3000:]) > 0.98


def test_a_long_tag_between_joined_mp3_files_is_no_damage(tmp_path):
    """Tags such as those with a picture, before each of two joined MP3 files, are passed over without a note."""
    ffmpeg("-i", made("wav"), "-metadata", f"comment={'picture ' * 8000}", tmp_path / "x.mp3")
    (tmp_path / "both.mp3").write_bytes((tmp_path / "x.mp3").read_bytes() * 2)
    x, notes = read_noting(tmp_path / "both.mp3", strict=True)
    assert abs(len(x) - 2 * len(X)) < 0.06 * RATE
    assert notes == []


def test_a_part_of_another_rate_and_channels_is_converted(tmp_path):
    """Joined to an MP3 in mono, one at 48 kHz in stereo goes on at the rate and in the channels of the first."""
    for kind, options in {"a": [], "b": ["-ar", "48000", "-ac", "2"]}.items():
        ffmpeg("-i", made("wav"), *options, tmp_path / f"{kind}.mp3")
    joined = tmp_path / "x.mp3"
    joined.write_bytes(b"".join((tmp_path / f"{kind}.mp3").read_bytes() for kind in ("a", "b", "a")))
    x, notes = read_noting(joined)
    assert x.shape[1] == 1
    assert abs(len(x) - 3 * len(X)) < 0.12 * RATE
    assert len(notes) == 1
    assert "changes its rate or channels at 0:02.0" in notes[0]
    for start in range(2 * RATE - 1000, len(x) - RATE, 2 * RATE):
        click = start + int(np.abs(x[start : start + 2 * RATE, 0]).argmax())
        at = int(np.abs(X).argmax())
        assert similarity(x[click - 5000 : click + 40_000], X[at - 5000 : at + 40_000]) > 0.98


def test_more_channels_than_eight_are_read_from_coded_files(tmp_path):
    """24 channels, of which each is coded in a plane of its own, are those that ffmpeg plays."""
    soundfile.write(tmp_path / "x.wav", np.tile(X, 24) * np.linspace(0.1, 0.9, 24), RATE)
    ffmpeg("-i", tmp_path / "x.wav", "-c:a", "libopus", "-mapping_family", "255", tmp_path / "x.mka")
    x, _ = files.read(tmp_path / "x.mka")
    expected = played(tmp_path / "x.mka")
    assert x.shape == expected.shape == (len(x), 24)
    np.testing.assert_allclose(x, expected, atol=1e-5)


def with_data_size(path, size, kind="wav"):
    """Write a WAV file whose header gives this many bytes of sound."""
    whole = bytearray(made(kind).read_bytes())
    at = whole.index(b"data") + 4
    whole[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFF000])
def test_sizes_that_a_pipe_or_a_crash_left_are_not_believed(tmp_path, size):
    """A WAV file whose header says nothing, or as much as possible, is read to its end without a note."""
    path = with_data_size(tmp_path / "x.wav", size)
    np.testing.assert_array_equal(files.read(path, strict=True)[0], files.read(made("wav"))[0])


def test_an_empty_wav_with_tags_stays_empty(tmp_path):
    """Whole chunks behind an empty `data` chunk are no sound."""
    soundfile.write(tmp_path / "x.wav", np.zeros((0, 1)), 8000)
    with (tmp_path / "x.wav").open("ab") as file:
        file.write(b"LIST\x04\x00\x00\x00INFO")
    with pytest.raises(ValueError, match=r"x.wav: the file holds no samples"):
        files.read(tmp_path / "x.wav")


@pytest.mark.parametrize("stated", ["wrapped", "placeholder"])
def test_wav_beyond_4_gib_is_read_to_its_end(tmp_path, stated):
    """A size that wrapped, or was never known, hides nothing: the last second is there."""
    n_bytes, path = 2**32 + 10**6, tmp_path / "x.wav"
    sound = made("wav").read_bytes()[44:]
    with_data_size(path, n_bytes % 2**32 if stated == "wrapped" else 0xFFFFFFFF)
    with path.open("r+b") as file:
        file.truncate(44 + n_bytes)
        file.seek(44 + n_bytes - len(sound))
        file.write(sound)
    with AudioReader(path) as reader:
        assert reader.n_samples == n_bytes // 2
        assert (reader.container, reader.subtype, reader.suffix) == ("RF64", "PCM_16", ".wav")
        start = reader.n_samples - len(X)
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(RATE, start))), files.read(made("wav"))[0])


def test_flac_from_a_pipe_is_read(tmp_path):
    """FLAC whose header gives no length is read to its end."""
    (tmp_path / "x.flac").write_bytes(ffmpeg("-i", made("wav"), "-f", "flac", "-"))
    np.testing.assert_array_equal(files.read(tmp_path / "x.flac")[0], files.read(made("wav"))[0])


@pytest.mark.parametrize(
    ("name", "container", "subtype", "least"),
    [
        ("x.wav", "WAV", "GSM610", 0.9),
        ("x.wav", "WAV", "G721_32", 0.9),
        ("x.wav", "WAV", "NMS_ADPCM_32", 0.9),
        ("x.wav", "WAV", "IMA_ADPCM", 0.9),
        ("x.wav", "WAV", "ULAW", 0.99),
        ("x.au", "AU", "G721_32", 0.9),
        ("x.vox", "RAW", "VOX_ADPCM", 0.9),
        ("x.xi", "XI", "DPCM_16", 0.999),
    ],
)
def test_codecs_of_telephones_and_trackers_are_read(tmp_path, name, container, subtype, least):
    """Codecs that cannot go back, and one without a header, give their sound."""
    x = signal(5, 8000)
    soundfile.write(tmp_path / name, x, 8000, subtype, format=container)
    y, _ = files.read(tmp_path / name)
    assert 0 <= len(y) - len(x) < 600
    assert similarity(y, x[:, None]) > least


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "m4a", "webm", "aiff"])
@pytest.mark.parametrize("name", ["x.wav", "x.mp3", "x.flac", "x", "x.txt"])
def test_the_content_decides_and_not_the_name(tmp_path, kind, name):
    """A file of any name is read as what it is."""
    (tmp_path / name).write_bytes(made(kind).read_bytes())
    np.testing.assert_array_equal(files.read(tmp_path / name)[0], files.read(made(kind))[0])


def test_the_first_of_several_audio_tracks_is_read_and_said(tmp_path):
    """A video with two audio tracks gives the first one, and a note that `strict` does not refuse."""
    ffmpeg(
        "-i",
        made("mp4"),
        "-f",
        "lavfi",
        "-i",
        "sine=1000:d=2",
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "copy",
        tmp_path / "x.mp4",
    )
    x, notes = read_noting(tmp_path / "x.mp4", strict=True)
    assert similarity(x, X) > 0.99
    assert notes == [f"{tmp_path}/x.mp4: has 2 audio tracks, the first one is read"]


READ = """
import sys, rtnmf
x, rate = rtnmf.files.read(sys.argv[1])
print(x.shape, rate, float(x.sum()))
"""


@pytest.mark.parametrize("kind", ["wav", "flac", "m4a", "ogg"])
@pytest.mark.parametrize(
    "line",
    [
        '"$0" -c "$1" - < "$2"',
        'cat "$2" | "$0" -c "$1" -',
        'cat "$2" | "$0" -c "$1" /dev/stdin',
        '"$0" -c "$1" <(cat "$2")',
        'mkfifo "$2.fifo"; (cat "$2" > "$2.fifo") & "$0" -c "$1" "$2.fifo"; rm "$2.fifo"',
    ],
    ids=["-", "pipe", "stdin", "substitution", "fifo"],
)
def test_pipes_are_read(kind, line):
    """Standard input, a named pipe and a process substitution give the same as the file."""
    done = subprocess.run(["bash", "-c", line, sys.executable, READ, made(kind)], capture_output=True, text=True)
    x, rate = files.read(made(kind))
    assert (done.stdout, done.stderr) == (f"{x.shape} {rate} {float(x.sum())}\n", "")


def test_a_device_is_refused():
    """A device that never ends is not read."""
    with pytest.raises(ValueError, match="/dev/zero: not a file"):
        files.read("/dev/zero")


def test_no_claim_of_a_header_makes_memory(tmp_path):
    """A FLAC header that claims 2**36 samples, and a WAV header of 4 GHz, cost no more than their sound."""
    flac = bytearray(made("flac").read_bytes())
    flac[21] |= 0x0F
    flac[22:26] = b"\xff" * 4
    (tmp_path / "x.flac").write_bytes(flac)
    wav = bytearray(made("wav").read_bytes())
    wav[24:28] = struct.pack("<I", 2**31 - 1)
    (tmp_path / "x.wav").write_bytes(wav)
    tracemalloc.start()
    for name in ("x.flac", "x.wav"):
        x, _ = read_noting(tmp_path / name)
        assert len(x) == len(X)
    assert tracemalloc.get_traced_memory()[1] < 8e6
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["wav", "m4a", "ogg", "flac", "mp3.wav"])
def test_blocks_of_any_length_from_any_sample_are_the_file(kind):
    """A reader can be read again, from any sample on, in blocks of any length; only the last one is shorter."""
    whole, _ = files.read(made(kind))
    with AudioReader(made(kind)) as reader:
        for length, start in ((1000, 0), (44100, 1), (2**20, 50_000), (4097, 0)):
            blocks = list(reader.blocks(length, start))
            assert all(len(block) == length for block in blocks[:-1])
            np.testing.assert_array_equal(np.concatenate(blocks), whole[start:])
            assert reader.position == len(whole)
    x, _ = files.read(made(kind), seconds=0.5, start_s=0.25)
    np.testing.assert_array_equal(x, whole[round(0.25 * RATE) :][: int(0.5 * RATE)])
    with pytest.raises(ValueError, match=r"ends before start_s, 5 s"):
        files.read(made(kind), start_s=5)


@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_progress_goes_from_nothing_to_the_end(kind):
    """Progress counts samples where the length is known, else bytes, and never goes back."""
    with AudioReader(made(kind)) as reader:
        progress = [reader.progress for _ in reader.blocks(10_000)]
    assert {total for _, total in progress} == {len(X) if kind == "wav" else made("mp3").stat().st_size}
    assert progress == sorted(progress)
    assert progress[-1][0] == progress[-1][1]


@pytest.mark.parametrize(
    ("kind", "like"),
    [
        ("wav", ("WAV", "PCM_16", ".wav")),
        ("aiff", ("AIFF", "PCM_24", ".aiff")),
        ("flac", ("FLAC", "PCM_16", ".flac")),
        ("m4a", ("WAV", "PCM_24", ".wav")),
        ("ogg", ("WAV", "PCM_24", ".wav")),
        ("mp3.wav", ("WAV", "PCM_24", ".wav")),
    ],
)
def test_a_reader_says_how_to_write_the_like_without_loss(kind, like):
    """The format to write is the file's own where it is lossless, else WAV with 24 bits."""
    with AudioReader(made(kind)) as reader:
        assert (reader.container, reader.subtype, reader.suffix) == like


@pytest.fixture
def without_av(monkeypatch):
    """Make as if PyAV were not installed."""
    monkeypatch.setitem(sys.modules, "av", None)


@pytest.mark.usefixtures("without_av")
def test_without_pyav_what_is_safe_is_read_and_else_one_line_installs_it(tmp_path):
    """One Ogg stream and an MP3 that tells its length are read; all else names the extra to install."""
    for kind in ("wav", "flac", "ogg", "opus", "mp3"):
        x, rate = files.read(made(kind))
        assert similarity(x, files.resample(X, RATE, rate)) > 0.9
    for kind, path in {"m4a": made("m4a"), "ogg": tmp_path / "x.ogg", "mp3": tmp_path / "x.mp3"}.items():
        if path.parent == tmp_path:
            path.write_bytes(made(kind).read_bytes() * 2)
        with pytest.raises(ValueError, match=rf'x\.{kind}: .*pip install "rtnmf\[media\]"$'):
            files.read(path)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44100, 48000), (48000, 16000), (11025, 44100), (8000, 8000)])
@pytest.mark.parametrize("length", [17, 509, 44100])
def test_resampling_in_blocks_gives_the_samples_of_the_whole(from_rate, to_rate, length):
    """Resampled in blocks of any length, a signal is the one resampled at once, to the bit."""
    x = np.stack([X[:40_000, 0], X[:40_000:-1, 0][:40_000]], axis=1) if len(X) >= 80_000 else X
    blocks = np.split(x, range(length, len(x), length))
    y = np.concatenate(list(files.resampled(blocks, from_rate, to_rate, x.shape[1])))
    np.testing.assert_array_equal(y, files.resample(x, from_rate, to_rate))
