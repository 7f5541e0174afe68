"""The command `rtnmf`: arguments in, files and lines out, exit codes. Nothing else in the package prints or exits."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.evaluation import CaseResult
    from rtnmf.separator import Separator

__all__ = ["main"]

_BLOCK_S = 1.0
_LARGEST_GAIN_DB = 60
_EXAMPLES = {
    "": """examples:
  rtnmf demo                                              hear it work, without a sound card
  rtnmf learn voice=me.wav fan=fan.wav -o desk.safetensors
  rtnmf separate call.wav desk.safetensors -o out/
  rtnmf COMMAND --help                                    more on a command""",
    "learn": """examples:
  rtnmf learn voice=me.wav,me2.wav fan=fan.wav -o desk.safetensors
  rtnmf learn clip.wav -o clip.safetensors --components 3       blind: each component is a source""",
    "separate": """examples:
  rtnmf separate mix.wav desk.safetensors -o out/               one file per source
  rtnmf separate mix.wav speech+keyboard -o out/                presets, combined
  rtnmf separate mix.wav desk.safetensors -o out/ --gain voice=0 fan=-20   one remix, gains in dB""",
    "presets": """examples:
  rtnmf presets
  rtnmf info speech                                             more on one of them""",
    "info": """examples:
  rtnmf info desk.safetensors
  rtnmf info speech+keyboard""",
    "report": """examples:
  rtnmf report clip.wav --components 3 -o report.html           blind
  rtnmf report mix.wav desk.safetensors -o report.html          what a dictionary finds in a recording
  rtnmf report desk.safetensors -o report.html                  a dictionary by itself""",
    "evaluate": """examples:
  rtnmf evaluate audio/                                         audio/cases.json lists the cases
  rtnmf evaluate audio/ --dictionary speech+keyboard --json""",
    "demo": """examples:
  rtnmf demo
  rtnmf demo /tmp/listen --block 256""",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 after an error in what was asked, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings(), _ended_like_ctrl_c():
        warnings.showwarning = _note
        try:
            options.run(options)
            sys.stdout.flush()
        except (ValueError, TypeError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                sys.stdout = None  # the reader left: nothing more to flush
                return 0
            print(f"rtnmf: {' '.join(str(error).split())}", file=sys.stderr)
            return 2
        except MemoryError:
            print("rtnmf: there is not enough memory for this: give shorter recordings", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("rtnmf: stopped, nothing was written", file=sys.stderr)
            return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rtnmf",
        description="Teach a computer sounds from a few seconds of audio, then separate them.",
        epilog=_EXAMPLES[""],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.error = _usage_error("rtnmf")  # type: ignore[assignment,method-assign]
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], None], help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=help,
            description=help,
            epilog=_EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=run)
        sub.error = _usage_error(sub.prog)  # type: ignore[assignment,method-assign]  # one line
        return sub

    sub = command("learn", _learn, "learn a dictionary from recordings of each sound")
    sub.add_argument("recordings", nargs="+", metavar="NAME=FILE[,FILE]", help="recordings of a source; or one FILE")
    sub.add_argument("-o", "--output", required=True, metavar="FILE", help="dictionary to write, .safetensors")
    sub.add_argument("--components", type=_count, metavar="N", help="per source (32), or in all when learned blind (3)")
    sub.add_argument("--iterations", type=_count, metavar="N", help="of the factorisation at most (40, blind 100)")
    sub.add_argument("--rate", type=_count, metavar="HZ", help="sample rate (the highest of the files)")
    sub.add_argument("--latency", type=int, metavar="SAMPLES", help="delay when separating (the window, 43 to 85 ms)")
    sub.add_argument("--description", default="", metavar="TEXT", help="kept in the dictionary")
    sub.add_argument("--licence", default="", metavar="TEXT", help="of the recordings, kept in the dictionary")
    sub.add_argument("--report", metavar="FILE", help="also write a page to see and hear what was learned")

    sub = command("separate", _separate, "separate a recording into one file per source, or remix it")
    sub.add_argument("mix", metavar="MIX", help="audio file")
    sub.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary files and presets")
    sub.add_argument("-o", "--output", metavar="DIR", help="folder for the files (MIX-stems beside it)")
    sub.add_argument(
        "--gain", nargs="+", default=[], metavar="NAME=DB", help="write one remix; sources not named: 0 dB"
    )
    sub.add_argument("--updates", type=_count, default=5, metavar="N", help="of the activations per frame (5)")
    sub.add_argument("--power", type=float, default=1.0, metavar="P", help="of the mask; larger decides harder (1)")
    sub.add_argument("--report", metavar="FILE", help="also write a page to see and hear what was found")

    command("presets", _presets, "list the dictionaries that ship with rtnmf")

    sub = command("info", _info, "say what a dictionary holds")
    sub.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary file or preset")

    sub = command("report", _report, "write one page to see and hear a dictionary and what it finds in a recording")
    sub.add_argument("inputs", nargs="+", metavar="CLIP | MIX DICT | DICT", help="audio, dictionary, or both")
    sub.add_argument("-o", "--output", default="report.html", metavar="FILE", help="page to write (report.html)")
    sub.add_argument("--components", type=_count, metavar="N", help="to learn from a clip, blind (3)")
    sub.add_argument("--iterations", type=_count, metavar="N", help="of the factorisation (at most 100)")
    sub.add_argument("--rate", type=_count, metavar="HZ", help="sample rate to learn a clip at (its own)")
    sub.add_argument("--window", type=_count, metavar="SAMPLES", help="to learn a clip with (as the rate asks)")
    sub.add_argument("--hop", type=_count, metavar="SAMPLES", help="to learn a clip with (a quarter of the window)")
    sub.add_argument("--seconds", type=float, default=30.0, metavar="S", help="of the recording to show (30)")
    sub.add_argument("--truth", nargs="+", default=[], metavar="NAME=FILE", help="true stems, to state SI-SDR")

    sub = command("evaluate", _evaluate, "learn, separate and measure the cases of a folder")
    sub.add_argument("folder", metavar="FOLDER", help="with a cases.json")
    sub.add_argument("--dictionary", metavar="DICT[+DICT...]", help="use this one, on the cases whose sources it has")
    sub.add_argument("--components", type=_count, metavar="N", help="per source (32)")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="of the random start (0)")
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("--report", metavar="FILE", help="also write a page with the cases, the worst to be heard")

    sub = command("demo", _demo, "teach and separate real recordings, block by block as a live stream would")
    sub.add_argument("output", nargs="?", default="rtnmf-demo", metavar="DIR", help="folder for the files (rtnmf-demo)")
    sub.add_argument("--block", type=_count, default=512, metavar="N", help="samples per block (512)")
    return parser


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let a closed terminal and `kill` end the command as Ctrl-C does, so that no half file stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    try:
        for number in before:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _usage_error(prog: str) -> Callable[[str], NoReturn]:
    def fail(message: str) -> NoReturn:
        print(f"rtnmf: {message}: see {prog} --help", file=sys.stderr)
        raise SystemExit(2)

    return fail


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 10**7:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a whole number from 1 to 10 million")
    return int(text)


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, help="print the version", **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"rtnmf {version('rtnmf')}")
        parser.exit()


def _learn(options: argparse.Namespace) -> None:
    from rtnmf.learning import learn
    from rtnmf.spectral import STFT

    recordings = _recordings(options.recordings)
    if Path(options.output).suffix != ".safetensors":
        raise ValueError(f"--output is {options.output!r}, expected a name that ends in .safetensors")
    rate = options.rate or _highest_rate(recordings)
    stft = STFT.default(rate)
    if options.latency is not None:
        if options.latency % 2 or not 8 <= options.latency <= stft.n_fft:
            raise ValueError(f"--latency is {options.latency}, expected an even number from 8 to {stft.n_fft}")
        stft = STFT(stft.n_fft, min(stft.hop_length, options.latency // 4), latency=options.latency)
    with _progress("learning") as progress:
        dictionary = learn(
            recordings,
            rate,
            stft=stft,
            n_components=options.components,
            n_iter=options.iterations,
            description=options.description,
            licence=options.licence,
            progress=lambda name, done, total: progress(name or "components", done, total),
        )
    dictionary.save(options.output)
    print(f"{options.output}: {_described(dictionary)}")
    if options.report:
        clip = recordings if isinstance(recordings, str) else None
        _write_report(options.report, Path(options.output).name, dictionary, clip)
    print(f"next: rtnmf separate MIX {options.output} -o out/")


def _separate(options: argparse.Namespace) -> None:
    import numpy as np

    from rtnmf import files
    from rtnmf.separator import Separator

    with files.open_audio(options.mix) as mix:
        dictionary = _loaded(options.dictionary, mix.samplerate)
        gains = _gains(options.gain, dictionary.sources)
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
        names = [f"{Path(options.mix).stem}-remix"] if gains is not None else _file_names(dictionary.sources)
        paths = _output_paths(folder, names, Path(options.mix))
        with (
            files.AudioWriter(paths, mix.samplerate, mix.channels, mix.format, mix.subtype) as writer,
            _progress("separating") as progress,
        ):
            for block, done in _separated_blocks(separator, mix):
                writer.write(block)
                progress(f"{done / mix.samplerate:.0f} s", done, mix.frames)
    for path, n_clipped in zip(paths, writer.n_clipped, strict=True):
        print(path)
        if n_clipped:
            print(f"note: {path}: {n_clipped} samples were above full scale and cut off", file=sys.stderr)
    if options.report:
        _write_report(options.report, Path(options.mix).name, dictionary, options.mix)


def _separated_blocks(separator: Separator, mix: Any) -> Iterator[tuple[Any, int]]:
    """Yield the stems of an open file in blocks, aligned with it and as long, and the samples read so far."""
    from rtnmf import files

    skip = separator.latency
    for block in files.stream(mix, int(_BLOCK_S * mix.samplerate)):
        stems = separator.process(block)
        yield stems[:, skip:], mix.tell()
        skip = max(0, skip - stems.shape[1])
    yield separator.flush()[:, skip:], mix.frames


def _report(options: argparse.Namespace) -> None:
    import time

    from rtnmf import files
    from rtnmf.learning import learn
    from rtnmf.spectral import STFT

    first, *others = options.inputs
    if len(others) > 1:
        raise ValueError(
            f"{len(options.inputs)} inputs are too many: give a clip, a dictionary, or a mix and a dictionary"
        )
    if others:
        with files.open_audio(first) as mix:
            dictionary = _loaded(others[0], mix.samplerate)
        _write_report(options.output, Path(first).name, dictionary, first, options.seconds, options.truth)
    elif first.endswith(".safetensors") or not Path(first).exists():
        _write_report(options.output, first, _loaded(first))
    else:
        rate = options.rate or _highest_rate(first)
        n_fft = options.window or STFT.default(rate).n_fft
        began = time.perf_counter()
        with _progress("learning") as progress:
            dictionary = learn(
                first,
                rate,
                stft=STFT(n_fft, options.hop or n_fft // 4),
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
) -> None:
    from rtnmf import evaluation, files, report, separator
    from rtnmf.replacing import replacing

    x, facts, si_sdr_db = None, facts or {}, {}
    if clip is not None:
        x, rate = files.read(clip, dictionary.sample_rate)
        n_samples = max(1, int(seconds * rate))
        if len(x) > n_samples:
            facts["Shown"] = f"the first {seconds:g} s"
        x = x[:n_samples]
        stems = dict(zip(dictionary.sources, separator.separate(x, dictionary), strict=True)) if truth else {}
        for argument in truth:
            name, _, path = argument.partition("=")
            if name not in stems:
                raise ValueError(f"there is no source {name!r}: choose from {', '.join(stems)}")
            true = files.read(path, rate)[0][:n_samples]
            if true.shape != x.shape:
                raise ValueError(f"{path}: has shape {true.shape}, the recording {x.shape}: expected a stem of it")
            si_sdr_db[name] = evaluation.si_sdr(true, stems[name])
    with _progress("drawing") as progress:
        page = report.render(report.describe(title, dictionary, x, facts=facts, si_sdr_db=si_sdr_db, progress=progress))
    with replacing(output) as beside:
        beside.write_text(page, encoding="utf-8")
    print(output)


def _presets(_: argparse.Namespace) -> None:
    from rtnmf.dictionary import load_preset, presets

    for name in presets():
        preset = load_preset(name)
        print(f"{name:10} {preset.description} [{preset.licence}]")
    print("combine them with +, for example: rtnmf separate mix.wav speech+keyboard -o out/")


def _info(options: argparse.Namespace) -> None:
    dictionary = _loaded(options.dictionary)
    stft = dictionary.stft
    counts = ", ".join(f"{source} ({dictionary.labels.count(source)})" for source in dictionary.sources)
    rows = {
        "sources": f"{counts} components",
        "description": dictionary.description,
        "sample rate": f"{dictionary.sample_rate} Hz",
        "STFT": f"window {stft.n_fft}, hop {stft.hop_length}, {stft.n_bins} bins",
        "latency": f"{stft.latency} samples, {1000 * stft.latency / dictionary.sample_rate:.1f} ms",
        "learned from": ", ".join(dictionary.learned_from),
        "licence": dictionary.licence,
        "made by": f"rtnmf {dictionary.rtnmf_version}" if dictionary.rtnmf_version else "",
    }
    for name, text in rows.items():
        if text:
            print(f"{name:13}{text}")


def _evaluate(options: argparse.Namespace) -> None:
    from rtnmf.evaluation import evaluate, summary

    dictionary = None if options.dictionary is None else _loaded(options.dictionary)
    learn_options = {} if dictionary else {"n_components": options.components, "seed": options.seed}
    with _progress("evaluating") as progress:
        results = evaluate(
            options.folder, dictionary, progress=lambda case, i, n: progress(case.id, i, n), **learn_options
        )
    if options.report:
        from rtnmf import report
        from rtnmf.replacing import replacing

        page = report.render_evaluation(f"Evaluation of {options.folder}", results, _summary_lines(summary(results)))
        with replacing(options.report) as beside:
            beside.write_text(page, encoding="utf-8")
        print(options.report, file=sys.stderr)
    if options.json:
        cases = [{**_plain(case), "improvement": case.improvement.tolist()} for case in results]
        print(json.dumps({"summary": summary(results), "cases": cases}, indent=1))
    else:
        _print_results(results)


def _summary_lines(s: dict[str, float]) -> dict[str, str]:
    return {
        "Cases": f"{s['cases']}",
        "SI-SDR gained, mean": f"{s['mean_improvement_db']:.2f} dB",
        "median": f"{s['median_improvement_db']:.2f} dB",
        "least": f"{s['least_improvement_db']:.2f} dB",
        "ideal ratio mask, mean": f"{s['mean_bound_db']:.2f} dB",
        "stems that got worse": f"{100 * s['share_of_stems_worse']:.0f} %",
    }


def _plain(case: CaseResult) -> dict[str, Any]:
    figures = {"before": case.before, "after": case.after, "bound": case.bound, **case.bss._asdict()}
    return {
        "id": case.id,
        "condition": case.condition,
        "sources": list(case.sources),
        **{name: value.tolist() for name, value in figures.items()},
    }


def _print_results(results: list[CaseResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    from rtnmf.evaluation import summary

    table = Table("case", "source", title="dB; gain is what SI-SDR gained, bound the gain of the ideal ratio mask")
    for column in ("SI-SDR in", "out", "gain", "bound", "SDR", "SIR", "SAR"):
        table.add_column(column, justify="right")
    for case in results:
        figures = zip(case.before, case.after, case.improvement, case.bound - case.before, *case.bss, strict=True)
        for i, (source, row) in enumerate(zip(case.sources, figures, strict=True)):
            table.add_row("" if i else case.id, source, *(f"{value:.1f}" for value in row))
    console = Console(width=None if sys.stdout.isatty() else 120, markup=False, highlight=False)
    console.print(table)
    print(", ".join(f"{name}: {text}" for name, text in _summary_lines(summary(results)).items()))


def _demo(options: argparse.Namespace) -> None:
    import numpy as np

    from rtnmf import evaluation, files
    from rtnmf.dictionary import preset_folder
    from rtnmf.learning import learn
    from rtnmf.separator import Separator

    _output_paths(options.output, [], Path())
    clips = preset_folder() / "demo"
    case = json.loads((clips / "cases.json").read_text(encoding="utf-8"))["cases"][0]
    mixture, stems, sources = evaluation.load_case(clips, case)
    rate, names = case["sample_rate"], " and ".join(sources)
    seconds = sum(files.duration_s(clips / path) for paths in case["train"].values() for path in paths)
    print(f"learning {names} from {seconds:.0f} s of other recordings of them ...")
    with _progress("learning") as progress:
        train = {name: [clips / path for path in case["train"][name]] for name in sources}
        dictionary = learn(train, rate, progress=progress)
    separator = Separator(dictionary)
    print(f"streaming {len(mixture) / rate:.0f} s of both at once, {options.block} samples at a time ...")
    evaluation.stream(separator, mixture[: 20 * options.block], options.block)  # compiles before the clock runs
    streamed = evaluation.stream(separator, mixture, options.block)
    folder = Path(options.output)
    written = {"mixture": mixture, **dict(zip(sources, streamed.stems, strict=True))}
    paths = _output_paths(str(folder), list(written), Path("x.wav"))
    for path, x in zip(paths, written.values(), strict=True):
        files.write(path, x, rate)
    dictionary.save(folder / "demo.safetensors")

    ms = 1000 / rate
    speed = len(mixture) / rate / streamed.block_seconds.sum()
    slowest = np.percentile(streamed.block_seconds, 99)
    print(f"latency      {separator.latency} samples = {separator.latency * ms:.0f} ms at {rate} Hz, by a click sent")
    print(f"             through it: {evaluation.measured_latency(separator)}; a sound card adds its own blocks")
    print(f"speed        {speed:.0f} times real time; 99 % of the blocks took at most {1000 * slowest:.2f} ms,")
    print(f"             and each holds {options.block * ms:.1f} ms of sound")
    for source, truth, stem in zip(sources, stems, streamed.stems, strict=True):
        before, after = evaluation.si_sdr(truth, mixture), evaluation.si_sdr(truth, stem)
        print(f"SI-SDR       {source}: {before:.1f} dB in the mixture, {after:.1f} dB in its stem")
    for path in [*paths, folder / "demo.safetensors"]:
        print(f"written      {path}")
    print("next         rtnmf learn voice=me.wav noise=noise.wav -o mine.safetensors")


def _recordings(arguments: list[str]) -> Any:
    """Return {source: [path]}, or one path to learn blind."""
    if len(arguments) == 1 and ("=" not in arguments[0] or Path(arguments[0]).exists()):
        return arguments[0]
    recordings: dict[str, list[str]] = {}
    for argument in arguments:
        name, equals, given = argument.partition("=")
        if not (name and equals and given):
            raise ValueError(
                f"{argument!r} names no source or no file: write NAME=FILE, as in voice=me.wav; one FILE alone is"
                " learned blind"
            )
        if name in recordings:
            raise ValueError(f"source {name!r} is named twice: write {name}=FILE,FILE")
        recordings[name] = [given] if Path(given).exists() else [path for path in given.split(",") if path]
    return recordings


def _highest_rate(recordings: Any) -> int:
    from rtnmf import files

    paths = [recordings] if isinstance(recordings, str) else [path for some in recordings.values() for path in some]
    rates = set()
    for path in paths:
        with files.open_audio(path) as file:
            rates.add(file.samplerate)
    return int(max(rates))


def _loaded(names: str, sample_rate: int | None = None) -> Dictionary:
    """Return the dictionaries and presets that are named, merged at one sample rate, the first one's when None."""
    from rtnmf.dictionary import Dictionary, load_preset, presets

    parts: list[Dictionary] = []
    for name in [names] if Path(names).exists() else names.split("+"):
        if name not in presets() and not Path(name).exists():
            raise ValueError(
                f"{name!r} is neither a dictionary file nor a preset: the presets are {', '.join(presets())}"
            )
        part = Dictionary.load(name) if Path(name).is_file() else load_preset(name)
        sample_rate = sample_rate or part.sample_rate
        if part.sample_rate != sample_rate:
            print(f"note: {name} was learned at {part.sample_rate} Hz, is used at {sample_rate} Hz", file=sys.stderr)
        converted = part.at_rate(sample_rate)
        if parts and converted.stft != parts[0].stft:
            print(f"note: {name} is converted to the window and latency of {names.split('+')[0]}", file=sys.stderr)
            converted = part.at_rate(sample_rate, parts[0].stft)
        parts.append(converted)
    return parts[0].merge(*parts[1:])


def _gains(arguments: list[str], sources: tuple[str, ...]) -> list[float] | None:
    """Return the weight of each source in the remix, or None when none is given."""
    if not arguments:
        return None
    gains: dict[str, float] = {}
    for argument in arguments:
        name, _, text = argument.rpartition("=")
        if name not in sources:
            raise ValueError(f"{argument!r} names no source: write NAME=DB with one of {', '.join(sources)}")
        if name in gains:
            raise ValueError(f"source {name!r} has two gains: give it one")
        try:
            gain_db = float(text)
        except ValueError:
            gain_db = float("nan")
        if not gain_db <= _LARGEST_GAIN_DB:
            raise ValueError(
                f"gain {argument!r} is not in dB, at most {_LARGEST_GAIN_DB}: write {name}=-20 for a tenth,"
                " -inf for none"
            )
        gains[name] = 10 ** (gain_db / 20)
    return [gains.get(source, 1.0) for source in sources]


def _file_names(sources: tuple[str, ...]) -> list[str]:
    """Return a safe and different file name for each source, whatever its name is."""
    names: list[str] = []
    for source in sources:
        name = re.sub(r"[^\w .()-]", "_", source).lstrip(". ")[:64] or "source"
        free = (f"{name}-{i}" if i > 1 else name for i in itertools.count(1))
        taken = {other.lower() for other in names}
        names.append(next(candidate for candidate in free if candidate.lower() not in taken))
    return names


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


@contextlib.contextmanager
def _progress(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on a terminal, and give the function that moves it."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title)

        def advance(what: str, done: int, total: int) -> None:
            from rich.markup import escape

            bar.update(task, description=escape(f"{title} {what}"), completed=done, total=total)

        yield advance


def _note(message: Warning | str, *_: object, **__: object) -> None:
    print(f"note: {' '.join(str(message).split())}", file=sys.stderr)
