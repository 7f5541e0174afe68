"""Dictionaries of strangers, extreme and damaged ones, through all that they are used for."""

import argparse
import contextlib
import io
import json
import re
import struct

import numpy as np
import pytest
from guards import (
    ODD_NUMBERS,
    ODD_TEXTS,
    FindingError,
    check_finite,
    check_words,
    fuzz,
    integer,
    long,
    mutated,
    odd,
    of_corpus,
    replay,
    tried,
)

from rtnmf import Dictionary, Separator, report
from rtnmf.cli import info
from rtnmf.words import is_seen

RATES = (1, 2, 7, 100, 400, 8000, 11025, 16000, 44100, 48000, 96000, 192_000, 999_983, 10**7)
_FEW_VALUES = 2**15
_REPORT_S = 10.0  # a page has up to 512 sounds, for which bounds.MOST_PAGE_WORK leaves some 5 s
_WORK = 2e8  # multiplications for the sound of an attempt


def file_of(rng):
    """Return the parts of a file that is usually right, of extreme sizes and values: metadata and tensors."""
    n_fft = 2 * max(2, integer(rng, 2, 3, 16, 32, 64, 512, 1024, most=2**14))
    latency = n_fft if rng.random() < 0.6 else 2 * int(rng.integers(1, n_fft // 2 + 1))
    hop = max(1, min(latency // 2, integer(rng, 1, latency // 2, latency // 4, most=n_fft)))
    n_bins = n_fft // 2 + 1
    n_components = max(1, min(integer(rng, 1, 2, 4, 16, most=3000), _FEW_VALUES * 4 // n_bins))
    sources = names(rng, int(min(n_components, integer(rng, 1, 2, 3, most=3000))))
    labels = [sources[i] for i in np.sort(np.arange(n_components) % len(sources))]
    if rng.random() < 0.3:
        rng.shuffle(labels)
    sets = ["components", "update_components", "mask_components"][: 3 if rng.random() < 0.4 else 1]
    tensors = {name: columns(rng, n_bins, n_components) for name in sets}
    counts = {name: int(rng.integers(1, 20)) for name in sources[: rng.integers(0, 3)]} if rng.random() < 0.4 else {}
    if counts:
        tensors["frames"] = rng.integers(0, 256, (n_bins, sum(counts.values())), np.uint8)
    metadata = {
        "format": "4",
        "labels": json.dumps(labels),
        "learned_from": json.dumps(
            [odd(rng, ODD_TEXTS) for _ in range(rng.integers(0, 3))] if rng.random() < 0.2 else []
        ),
        "divergences": json.dumps(divergences(rng, sources)),
        "model": json.dumps(model(rng)),
        "rest": sources[-1] if rng.random() < 0.4 else "",
        "voices": json.dumps(sources[:1] if rng.random() < 0.3 and len(sources) > 1 else []),
        "frames": json.dumps(counts),
        "sample_rate": str(integer(rng, *RATES, most=10**7)),
        "n_fft": str(n_fft),
        "hop_length": str(hop),
        "latency": str(latency),
        "description": "d",
        "licence": "MIT",
        "rtnmf_version": "0.1",
    }
    return metadata, tensors


def names(rng, n):
    """Return different names of sources."""
    if rng.random() < 0.3:
        usable = [
            text
            for text in ODD_TEXTS
            if 0 < len(text) <= 64 and text.isprintable() and text.strip() == text and is_seen(text)
        ]
        return [str(name) for name in rng.permutation(usable)[:n]] + [f"n{i}" for i in range(n - len(usable))]
    return [f"source {i}" for i in range(n)]


def columns(rng, n_bins, n_components):
    """Return columns, spiky, flat, empty in places, or at the borders of what numbers there are."""
    x = rng.random((n_bins, n_components)) ** odd(rng, (0, 1, 8, 200))
    x *= 10.0 ** odd(rng, (0, 0, 0, -30, -44, 30, 35)) * rng.choice([1.0, 1e-6], n_components)
    if rng.random() < 0.3:
        x[rng.random(n_bins) < 0.9] = 0
    if rng.random() < 0.2:
        x[0] = odd(rng, (1.0, 3e38, 1e-45, 0.0))
    if rng.random() < 0.9:
        x[rng.integers(n_bins), ~x.astype("<f4").any(axis=0)] = 1.0
    if rng.random() < 0.05:
        x[-1, -1] = odd(rng, (np.nan, np.inf, -1.0))
    return x.astype("<f4")


def model(rng):
    """Return settings of a model, one of them odd now and then."""
    numbers = {"n_iter": integer(rng, 1, 5, 1000, most=1000), "relaxation": odd(rng, (1.0, 1.7, 1.9999999)),
               "memory": odd(rng, (0.0, 0.9, 0.99999994)), "reach": odd(rng, (1e-12, 1e-4, 1.0)),
               "weights": [odd(rng, (1e-38, 0.45, 10.0)), odd(rng, (1e-38, 0.85, 10.0))],
               "audible_hz": odd(rng, (0.0, 10.0, 100.0))}  # fmt: skip
    if rng.random() < 0.1:
        numbers[odd(rng, list(numbers))] = odd(rng, ODD_NUMBERS)
    return numbers


def divergences(rng, sources):
    """Return how learning went, of some sources."""
    n = integer(rng, 0, 1, 2, most=2000)
    points = [[i, odd(rng, (0.5, 0.0, 1e12, 1e-300))] for i in range(n)]
    curves = dict.fromkeys(rng.permutation(sources)[: rng.integers(0, 3)].tolist(), points)
    if rng.random() < 0.05:
        curves[odd(rng, ODD_TEXTS)] = odd(rng, ([[0, odd(rng, ODD_NUMBERS)]], [[odd(rng, ODD_NUMBERS), 0.5]], 3, [[]]))
    return curves


def damage(rng, metadata, tensors):
    """Change an entry of a file to something else that could be there."""
    key = odd(rng, list(metadata))
    kind = rng.integers(6)
    if kind == 0:
        metadata[key] = odd(rng, ODD_TEXTS)
    elif kind == 1:
        metadata[key] = json.dumps(odd(rng, ODD_NUMBERS))
    elif kind == 2:
        metadata[key] = odd(
            rng, ("[" * 5000, "{}", "[]", "[[]]", '{"a":[[0,1]]}', "9" * 500, "-1", "\u0663", "1e9", "0x10")
        )
    elif kind == 3:
        del metadata[key]
    elif kind == 4:
        metadata[odd(rng, ODD_TEXTS)] = odd(rng, ODD_TEXTS)
    else:
        name = odd(rng, list(tensors))
        tensors[name] = odd(
            rng, (tensors[name].astype("<f8"), tensors[name][:-1], tensors[name].T, tensors[name][:, :0])
        )


def packed(metadata, tensors):
    """Return the bytes of a file, as `safetensors` has them, whatever is in it."""
    header, data = {"__metadata__": metadata}, b""
    for name in sorted(tensors, key=lambda name: name == "frames"):
        array = tensors[name]
        kind = {"f4": "F32", "f8": "F64", "u1": "U8"}[array.dtype.str[1:]]
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def attempt(rng, folder):
    """Write a file, and use it."""
    metadata, tensors = file_of(rng)
    for _ in range(rng.integers(1, 3) if rng.random() < 0.4 else 0):
        with contextlib.suppress(IndexError):  # nothing left to damage
            damage(rng, metadata, tensors)
    data = packed(metadata, tensors)
    path = folder / "x.safetensors"
    path.write_bytes(mutated(rng, data) if rng.random() < 0.1 else data)
    use(rng, path)


def use(rng, path):
    """Load a dictionary, and do with it what people do."""
    tried("info", shown, path)
    dictionary = tried("load", Dictionary.load, path)
    if dictionary is None:
        return
    for _ in range(rng.integers(0, 4)):
        changed = tried("a conversion", odd(rng, CONVERSIONS), rng, dictionary, path)
        dictionary = dictionary if changed is None else changed
    tried("a separation", separated, rng, dictionary)
    if rng.random() < 0.3:
        tried("a report", reported, rng, dictionary, most_s=_REPORT_S)


def shown(path):
    """Let the terminal show what a dictionary holds, in characters that are fit for it."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        info.run(argparse.Namespace(dictionary=str(path)))
    for line in out.getvalue().splitlines():
        check_words("info", line)


def at_rate(rng, dictionary, _):
    """Convert to some rate."""
    return dictionary.at_rate(integer(rng, *RATES, most=10**7))


def at_latency(rng, dictionary, _):
    """Convert to some latency."""
    return dictionary.at_latency(odd(rng, (0.01, 1, 3.0, 20.5, 1e9, *ODD_NUMBERS[:5])))


def select(rng, dictionary, _):
    """Take some sources, in any order."""
    return dictionary.select(*rng.permutation(dictionary.sources)[: rng.integers(1, 9)].tolist())


def rename(rng, dictionary, _):
    """Give a source an odd name."""
    return dictionary.rename({odd(rng, dictionary.sources): odd(rng, ODD_TEXTS)})


def regroup(rng, dictionary, _):
    """Make some sources one."""
    some = rng.permutation(dictionary.sources)[: rng.integers(1, 5)].tolist()
    return dictionary.regroup({odd(rng, ODD_TEXTS): some})


def merge(rng, dictionary, _):
    """Merge it with its like."""
    return dictionary.merge(dictionary.rename({name: f"{name[:50]}~{i}" for i, name in enumerate(dictionary.sources)}))


def saved(rng, dictionary, path):
    """Save and load it again, as the same."""
    again = path.with_name("again.safetensors")
    again.unlink(missing_ok=True)
    dictionary.save(again)
    loaded = Dictionary.load(again)
    if loaded != dictionary:
        raise FindingError("a dictionary is not what was saved")
    return loaded


def looked_at(rng, dictionary, _):
    """Show it in a session and in a notebook."""
    check_words("repr", repr(dictionary))
    if re.search(r"[^\S \n]|<script", dictionary._repr_html_()):
        raise FindingError("a table has what is no text")


CONVERSIONS = (at_rate, at_latency, select, rename, regroup, merge, saved, looked_at)


def most_samples(dictionary, n_channels, n_iter):
    """Return how many samples are little work, as `planning.check_affordable` counts it."""
    stft, n_sets = dictionary.stft, 4 if dictionary.is_trained else 1
    work = dictionary.n_components * n_sets * (n_iter + 1) + 20 * (len(dictionary.sources) + 1) * n_channels
    return int(min(4 * stft.n_fft + 3, _WORK / (work * stft.n_fft / stft.hop_length)))


def sound(rng, n_samples, n_channels):
    """Return noise of some level, or silence."""
    x = rng.uniform(-1, 1, (n_samples, n_channels)) * odd(rng, (0.0, 1e-38, 1e-5, 1.0, 1.0, 1e6))
    return x.astype(np.float32)


def separated(rng, dictionary):
    """Separate a moment of sound, and hold that the stems sum to it."""
    n_channels, n_iter = int(odd(rng, (1, 1, 2, 64))), odd(rng, (None, 1, 3))
    options = {"n_channels": n_channels, "n_iter": n_iter, "mask_power": odd(rng, (1.0, 2.0, 1e-30, 1e6))}
    rate = integer(rng, *RATES, most=10**7) if rng.random() < 0.2 else None
    separator = Separator(dictionary, sample_rate=rate, experts=(), **options)
    n = most_samples(separator.dictionary, n_channels, separator.n_iter)
    x = sound(rng, n, n_channels)
    cut = int(rng.integers(0, n + 1))
    blocks = [separator.process(x[:cut]), separator.process(x[cut:])]
    if most_samples(separator.dictionary, n_channels, separator.n_iter) >= separator.latency:
        blocks.append(separator.flush())
    stems = np.concatenate(blocks, axis=1)
    check_finite("stems", stems)
    late = separator.latency
    total, expected = stems.sum(axis=0, dtype=float)[late:], x[: max(0, stems.shape[1] - late)]
    error = float(np.abs(total - expected).max(initial=0))
    # shares are added up in single precision, which rounds the more the more sources there are
    if error > 1e-5 * max(1.0, float(np.abs(x).max(initial=0)), len(separator.sources) / 500):
        raise FindingError(f"stems do not sum to the input: {error:.1e}")


def reported(rng, dictionary):
    """Make a page of a dictionary, with a clip now and then."""
    clip, n = None, most_samples(dictionary, 1, dictionary.model.n_iter)
    if rng.random() < 0.5 and n >= dictionary.stft.latency:  # which is separated behind the clip
        clip = sound(rng, 1 + n // 20, 1)
    described = report.describe("x", dictionary, clip, **({} if clip is None else {"experts": ()}))
    for row in (*described.sources, *described.components):
        check_finite("a sound of a page", row.alone)
    page = report.render(described)
    if "\x1b" in page or "<script>alert" in page:
        raise FindingError("a page has the words of a stranger as they are")


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory):
    """Compile what is compiled, outside of all guards."""
    folder = tmp_path_factory.mktemp("compiled")
    for seed in range(12):
        with contextlib.suppress(Exception):
            rng = np.random.default_rng(seed)
            metadata, tensors = file_of(rng)
            (folder / "x").write_bytes(packed(metadata, tensors))
            separated(rng, Dictionary.load(folder / "x"))


def test_extreme_dictionaries_are_used_or_refused(tmp_path):
    """A few dictionaries of strangers can be used, or are refused in words."""
    fuzz(attempt, tmp_path, n=60)


@of_corpus("dictionaries")
def test_dictionaries_that_were_findings_are_used_or_refused(tmp_path, path):
    """What was a bomb, or broke something, does so no more."""
    replay(use, path, tmp_path)


@long
def test_extreme_dictionaries_are_used_or_refused_for_long(tmp_path):
    """So are many."""
    fuzz(attempt, tmp_path)
