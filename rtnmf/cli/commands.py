"""What the commands do: from parsed arguments to files and printed lines.

Each imports what it needs when it runs, so that `--help` is quick. Only the rooms of this floor print.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtnmf.cli import arguments
from rtnmf.control import terminal

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.engine.separator import Separator

__all__ = ["check_page", "demo", "info", "learn", "presets", "report", "separate", "write_page"]

_BLOCK_S = 1.0


def learn(options: argparse.Namespace) -> None:
    """Learn a dictionary from recordings, and write it."""
    from rtnmf.learning import learn as learning

    check_page(options.report)
    recordings = arguments.recordings(options.recordings)
    if Path(options.output).suffix != ".safetensors":
        raise ValueError(f"--output is {options.output!r}, expected a name that ends in .safetensors")
    if not Path(options.output).absolute().parent.is_dir():
        raise ValueError(f"{options.output}: cannot be written (there is no such folder): make it, or choose another")
    recordings = _with_microphone(recordings, options)
    with terminal.progress_bar("learning") as progress:
        dictionary = learning.learn(
            recordings,
            options.rate,
            latency=options.latency,
            n_components=options.components,
            n_iter=options.iterations,
            n_steps=options.steps,
            description=options.description,
            licence=options.licence,
            progress=lambda name, done, total: progress(name or "components", done, total),
        )
    dictionary.save(options.output)
    print(f"{options.output}: {_described(dictionary)}")
    if options.report:
        clip = recordings if isinstance(recordings, str) else None
        _write_report(options.report, Path(options.output).name, dictionary, clip)
    live = f" or: rtnmf live {options.output}" if len(dictionary.sources) > 1 else ""
    print(f"next: rtnmf separate MIX {options.output} -o out/{live}")


def _with_microphone(recordings: Any, options: argparse.Namespace) -> Any:
    """Record what is to come from the microphone, and return files only."""
    sources = {"clip": [recordings]} if isinstance(recordings, str) else recordings
    given = {source: [arguments.microphone_s(one) for one in some] for source, some in sources.items()}
    wishes = {source: next((s for s in seconds if s), 0.0) for source, seconds in given.items() if any(seconds)}
    if not wishes:
        return recordings
    from rtnmf.cli import live_commands

    new = live_commands.recorded(wishes, options)
    if isinstance(recordings, str):
        return new["clip"]
    return {
        source: [new[source] if seconds else path for path, seconds in zip(some, given[source], strict=True)]
        for source, some in recordings.items()
    }


def separate(options: argparse.Namespace) -> None:
    """Separate a file into stems or a remix beside each other, block by block."""
    import numpy as np

    from rtnmf.audio import files
    from rtnmf.engine.separator import Separator

    check_page(options.report)
    with files.open_audio(options.mix) as mix:
        dictionary = arguments.loaded(options.dictionary, mix.samplerate)
        gains = arguments.gains(options.gain, dictionary.sources)
        if len(dictionary.sources) == 1:
            raise ValueError(f"{options.dictionary} has one source only: add what it is to be told from, with +")
        separator = Separator(
            dictionary,
            n_channels=mix.channels,
            n_iter=options.updates,
            mask_power=options.power,
            gains=None if gains is None else np.array([gains]),
        )
        folder = options.output or str(Path(options.mix).with_name(f"{Path(options.mix).stem}-stems"))
        names = [f"{Path(options.mix).stem}-remix"] if gains is not None else files.safe_names(dictionary.sources)
        paths = _output_paths(folder, names, Path(options.mix))
        with (
            files.AudioWriter(paths, mix.samplerate, mix.channels, mix.format, mix.subtype) as writer,
            terminal.progress_bar("separating") as progress,
        ):
            for block, done in _separated_blocks(separator, mix):
                writer.write(block)
                progress(f"{done / mix.samplerate:.0f} s", done, mix.frames)
    for path, n_clipped in zip(paths, writer.n_clipped, strict=True):
        print(path)
        if n_clipped:
            print(f"note: {path}: {n_clipped} samples were above full scale and cut off", file=sys.stderr)
    if options.report:
        settings = {"n_iter": options.updates, "mask_power": options.power}
        _write_report(options.report, Path(options.mix).name, dictionary, options.mix, **settings)


def _separated_blocks(separator: Separator, mix: Any) -> Iterator[tuple[Any, int]]:
    """Yield the stems of an open file in blocks, aligned with it and as long, and the samples read so far."""
    from rtnmf.audio import files

    skip = separator.latency
    for block in files.stream(mix, int(_BLOCK_S * mix.samplerate)):
        stems = separator.process(block)
        yield stems[:, skip:], mix.tell()
        skip = max(0, skip - stems.shape[1])
    yield separator.flush()[:, skip:], mix.frames


def report(options: argparse.Namespace) -> None:
    """Write the page of a clip, of a mix, or of a dictionary."""
    from rtnmf.audio import files
    from rtnmf.frames.stft import STFT
    from rtnmf.learning import learn as learning

    check_page(options.output)
    first, *others = options.inputs
    if len(others) > 1:
        raise ValueError(
            f"{len(options.inputs)} inputs are too many: give a clip, a dictionary, or a mix and a dictionary"
        )
    blind = {"--components": options.components, "--iterations": options.iterations, "--rate": options.rate}
    is_dictionary = first.endswith(".safetensors") or not (Path(first).exists() or "." in first)
    given = [name for name, value in blind.items() if value is not None]
    if given and (others or is_dictionary):
        raise ValueError(f"{', '.join(given)}: nothing is learned here, give a clip alone or leave it out")
    if options.truth and not others:
        raise ValueError("--truth needs a mix and a dictionary")
    if others:
        with files.open_audio(first) as mix:
            dictionary = arguments.loaded(others[0], mix.samplerate)
        _write_report(options.output, Path(first).name, dictionary, first, options.seconds, options.truth)
    elif is_dictionary:
        _write_report(options.output, first, arguments.loaded(first))
    else:
        if options.hop and not options.window:
            raise ValueError(f"--hop {options.hop} needs a --window: give both or neither")
        window = options.window and STFT(options.window, options.hop or options.window // 4)
        began = time.perf_counter()
        with terminal.progress_bar("learning") as progress:
            dictionary = learning.learn(
                first,
                options.rate,
                stft=window,
                n_components=options.components,
                n_iter=options.iterations,
                progress=lambda _, done, total: progress("components", done, total),
            )
        facts = {"Time to learn": f"{time.perf_counter() - began:.1f} s"}
        _write_report(options.output, Path(first).name, dictionary, first, options.seconds, facts=facts)


def _write_report(
    output: str,
    title: str,
    dictionary: Dictionary,
    clip: str | None = None,
    seconds: float = 30.0,
    truth: Sequence[str] = (),
    facts: dict[str, str] | None = None,
    **separator_options: Any,
) -> None:
    from rtnmf import report
    from rtnmf.audio import files

    x, shown = None, dict(facts or {})
    if clip is not None:
        x, _ = files.read(clip, dictionary.sample_rate, seconds)
        if files.duration_s(clip) > seconds:
            shown["Shown"] = f"the first {seconds:g} s"
    si_sdr_db = _si_sdr_db(truth, x, dictionary, separator_options)
    with terminal.progress_bar("drawing") as progress:
        described = report.describe(
            title, dictionary, x, facts=shown, si_sdr_db=si_sdr_db, progress=progress, **separator_options
        )
        page = report.render(described)
    write_page(output, page)


def _si_sdr_db(truth: Sequence[str], x: Any, dictionary: Dictionary, options: dict[str, Any]) -> dict[str, float]:
    """Return the SI-SDR of the stems of which the true ones are given as NAME=FILE."""
    from rtnmf.audio import files
    from rtnmf.engine import separator
    from rtnmf.measure import evaluation

    if not truth:
        return {}
    stems = dict(zip(dictionary.sources, separator.separate(x, dictionary, **options), strict=True))
    si_sdr_db = {}
    for argument in truth:
        name, _, path = argument.partition("=")
        if name not in stems or not path:
            raise ValueError(f"{argument!r} is no true stem: write NAME=FILE with one of {', '.join(stems)}")
        true, _ = files.read(path, dictionary.sample_rate)
        if len(true) < len(x) or true.shape[1] != x.shape[1]:
            raise ValueError(f"{path}: has shape {true.shape}, the recording {x.shape}: expected a stem of it")
        si_sdr_db[name] = evaluation.si_sdr(true[: len(x)], stems[name])
    return si_sdr_db


def check_page(path: str | None) -> None:
    """Refuse, before any work, a page that could not be written or would take the place of something else."""
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path!r} is no name for a page, expected one that ends in .html")
    if path is not None and not Path(path).absolute().parent.is_dir():
        raise ValueError(f"{path}: there is no such folder: make it, or choose another")


def write_page(path: str, page: str) -> None:
    """Write a page, whole or not at all, and name it."""
    from rtnmf.audio.replacing import replacing

    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")
    print(path, file=sys.stderr)


def presets(_: argparse.Namespace) -> None:
    """Print what presets there are."""
    from rtnmf import dictionary

    for name in dictionary.presets():
        preset = dictionary.load_preset(name)
        print(f"{name:10} {preset.description} [{preset.licence}]")
    print("combine them with +, for example: rtnmf separate mix.wav speech+keyboard -o out/")


def info(options: argparse.Namespace) -> None:
    """Print what a dictionary holds."""
    dictionary = arguments.loaded(options.dictionary)
    stft = dictionary.stft
    counts = ", ".join(f"{source} ({dictionary.labels.count(source)})" for source in dictionary.sources)
    rows = {
        "sources": f"{counts} components",
        "description": dictionary.description,
        "sample rate": f"{dictionary.sample_rate} Hz",
        "STFT": f"window {stft.n_fft}, hop {stft.hop_length}, {stft.n_bins} bins",
        "latency": f"{stft.latency} samples, {1000 * stft.latency / dictionary.sample_rate:.1f} ms",
        "trained": "to tell these sources apart" if dictionary.is_trained else "",
        "learned from": ", ".join(dictionary.learned_from),
        "licence": dictionary.licence,
        "made by": f"rtnmf {dictionary.rtnmf_version}" if dictionary.rtnmf_version else "",
    }
    for name, text in rows.items():
        if text:
            print(f"{name:13}{text}")


def demo(options: argparse.Namespace) -> None:
    """Teach and separate the bundled recordings, and print what came of it."""
    from rtnmf.audio import files
    from rtnmf.dictionary import preset_folder
    from rtnmf.engine.separator import Separator
    from rtnmf.learning import learn as learning
    from rtnmf.measure import benchmark, evaluation

    clips = preset_folder() / "demo"
    case = json.loads((clips / "cases.json").read_text(encoding="utf-8"))["cases"][0]
    mixture, stems, sources = evaluation.load_case(clips, case)
    rate, names = case["sample_rate"], " and ".join(sources)
    paths = _output_paths(options.output, ["mixture", *sources], Path("x.wav"))
    train = {name: [clips / path for path in case["train"][name]] for name in sources}
    seconds = sum(files.duration_s(path) for some in train.values() for path in some)
    print(f"learning {names} from {seconds:.0f} s of other recordings of them ...")
    with terminal.progress_bar("learning") as progress:
        dictionary = learning.learn(train, rate, progress=progress)
    separator = Separator(dictionary)
    print(f"streaming {len(mixture) / rate:.0f} s of both at once, {options.block} samples at a time ...")
    streamed = benchmark.stream(separator, mixture, options.block)
    for path, x in zip(paths, [mixture, *streamed.stems], strict=True):
        files.write(path, x, rate)
    dictionary.save(Path(options.output) / "demo.safetensors")
    _print_pace(separator, len(mixture), options.block, streamed.block_seconds)
    for source, truth, stem in zip(sources, stems, streamed.stems, strict=True):
        before, after = evaluation.si_sdr(truth, mixture), evaluation.si_sdr(truth, stem)
        print(f"SI-SDR       {source}: {before:.1f} dB in the mixture, {after:.1f} dB in its stem")
    for path in [*paths, Path(options.output) / "demo.safetensors"]:
        print(f"written      {path}")
    print("next         rtnmf learn voice=me.wav noise=noise.wav -o mine.safetensors")


def _print_pace(separator: Separator, n_samples: int, block_length: int, block_seconds: Any) -> None:
    import numpy as np

    from rtnmf.measure.benchmark import measured_latency

    rate, ms = separator.sample_rate, 1000 / separator.sample_rate
    speed, slowest = n_samples / rate / block_seconds.sum(), np.percentile(block_seconds, 99)
    print(f"latency      {separator.latency} samples = {separator.latency * ms:.0f} ms at {rate} Hz, by a click sent")
    print(f"             through it: {measured_latency(separator)}; a sound card adds its own blocks")
    print(f"speed        {speed:.0f} times real time; 99 % of the blocks took at most {1000 * slowest:.2f} ms,")
    print(f"             and each holds {block_length * ms:.1f} ms of sound")


def _output_paths(folder: str, names: list[str], like: Path) -> list[Path]:
    """Make the folder, and return a path in it for each name, none of them that of the input."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder}: cannot make this folder ({error.strerror}): choose another") from error
    paths = [Path(folder) / f"{name}{like.suffix}" for name in names]
    for path in paths:
        if path.exists() and like.exists() and path.samefile(like):
            raise ValueError(f"{path}: is the input itself: choose another folder with -o")
    return paths


def _described(dictionary: Dictionary) -> str:
    sources = ", ".join(dictionary.sources)
    latency_ms = 1000 * dictionary.stft.latency / dictionary.sample_rate
    return f"{sources}; {dictionary.n_components} components, {dictionary.sample_rate} Hz, latency {latency_ms:.1f} ms"
