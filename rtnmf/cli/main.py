"""The command `rtnmf`: its arguments, its errors in one line, its exit codes. What the commands do is in `commands`."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from rtnmf.cli import commands, live_commands, measure_commands

__all__ = ["main"]

Command = Callable[[argparse.Namespace], None]
Arguments = Callable[[argparse.ArgumentParser], None]

_EXAMPLES = {
    "": """examples:
  rtnmf demo                                              hear it work, without a sound card
  rtnmf learn voice=me.wav fan=fan.wav -o desk.safetensors
  rtnmf separate call.wav desk.safetensors -o out/
  rtnmf live desk.safetensors                             microphone in, the first source out
  rtnmf COMMAND --help                                    more on a command""",
    "learn": """examples:
  rtnmf learn voice=me.wav,me2.wav fan=fan.wav -o desk.safetensors
  rtnmf learn clip.wav -o clip.safetensors --components 3       blind: each component is a source
  rtnmf learn voice=mic:10 fan=mic:10 -o desk.safetensors             from the microphone, ten seconds each""",
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
    "live": """examples:
  rtnmf live desk.safetensors                                   the first source is heard, the others are not
  rtnmf live speech+keyboard --solo keyboard --input USB --output Headphones
  rtnmf live drums+bass+piano --gain drums=-20 --channels 2 --record take/
  rtnmf live speech+keyboard --outputs stems --latency-ms 3     every source on outputs of its own""",
    "devices": """examples:
  rtnmf devices""",
    "doctor": """examples:
  rtnmf doctor""",
    "bench": """examples:
  rtnmf bench                                                   speech+keyboard in blocks of 512
  rtnmf bench desk.safetensors --block 128 --latency-ms 3
  rtnmf bench desk.safetensors --json""",
    "demo": """examples:
  rtnmf demo
  rtnmf demo /tmp/listen --block 256""",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 after an error in what was asked, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings(), _ended_like_ctrl_c():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _note
        try:
            options.run(options)
            sys.stdout.flush()
        except (ValueError, TypeError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                sys.stdout = None  # the reader left: nothing more to flush
                return 0
            _fail(" ".join(str(error).split()))
            return 2
        except MemoryError:
            _fail("there is not enough memory for this: give shorter recordings")
            return 2
        except KeyboardInterrupt:
            _fail("stopped")
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
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    for name, (run, add_arguments, text) in _COMMANDS.items():
        sub = subparsers.add_parser(
            name, help=text, description=text, epilog=_EXAMPLES[name], formatter_class=parser.formatter_class
        )
        sub.set_defaults(run=run)
        sub.error = _usage_error(sub.prog)  # type: ignore[assignment,method-assign]  # one line
        if add_arguments is not None:
            add_arguments(sub)
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


def _none_or_more(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _latency(text: str) -> int | str:
    return text if text == "low" else _count(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a length of time in seconds")
    return seconds


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, help="print the version", **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"rtnmf {version('rtnmf')}")
        parser.exit()


def _learn_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "recordings",
        nargs="+",
        metavar="NAME=FILE[,FILE]",
        help="recordings of a source; or one FILE; or NAME=mic:SECONDS",
    )
    sub.add_argument("-o", "--output", required=True, metavar="FILE", help="dictionary to write, .safetensors")
    sub.add_argument("--components", type=_count, metavar="N", help="per source (32), or in all when learned blind (3)")
    sub.add_argument("--iterations", type=_count, metavar="N", help="of the factorisation (40; blind, at most 100)")
    sub.add_argument(
        "--steps", type=_none_or_more, metavar="N", help="of training to tell sources apart (1200; 0: none)"
    )
    sub.add_argument("--rate", type=_count, metavar="HZ", help="sample rate (the highest of the files)")
    sub.add_argument(
        "--latency", type=_latency, metavar="SAMPLES", help="delay when separating, or `low`: 3 ms (43 to 85 ms)"
    )
    sub.add_argument("--description", default="", metavar="TEXT", help="kept in the dictionary")
    sub.add_argument("--licence", default="", metavar="TEXT", help="of the recordings, kept in the dictionary")
    sub.add_argument("--input", metavar="NAME", help="device for mic:SECONDS (the system's default)")
    sub.add_argument("--channels", type=_count, default=1, metavar="N", help="of that device (1)")
    sub.add_argument("--report", metavar="FILE", help="also write a page to see and hear what was learned")


def _separate_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("mix", metavar="MIX", help="audio file")
    sub.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary files and presets")
    sub.add_argument("-o", "--output", metavar="DIR", help="folder for the files (MIX-stems beside it)")
    sub.add_argument(
        "--gain", nargs="+", default=[], metavar="NAME=DB", help="write one remix; sources not named: 0 dB"
    )
    sub.add_argument("--updates", type=_count, default=5, metavar="N", help="of the activations per frame (5)")
    sub.add_argument("--power", type=float, default=1.0, metavar="P", help="of the mask; larger decides harder (1)")
    sub.add_argument("--report", metavar="FILE", help="also write a page to see and hear what was found")


def _info_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary file or preset")


def _report_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("inputs", nargs="+", metavar="CLIP | MIX DICT | DICT", help="audio, dictionary, or both")
    sub.add_argument("-o", "--output", default="report.html", metavar="FILE", help="page to write (report.html)")
    sub.add_argument("--components", type=_count, metavar="N", help="to learn from a clip, blind (3)")
    sub.add_argument("--iterations", type=_count, metavar="N", help="of the factorisation (at most 100)")
    sub.add_argument("--rate", type=_count, metavar="HZ", help="sample rate to learn a clip at (its own)")
    sub.add_argument("--window", type=_count, metavar="SAMPLES", help="to learn a clip with (as the rate asks)")
    sub.add_argument("--hop", type=_count, metavar="SAMPLES", help="to learn a clip with (a quarter of the window)")
    sub.add_argument("--seconds", type=_seconds, default=30.0, metavar="S", help="of the recording to show (30)")
    sub.add_argument("--truth", nargs="+", default=[], metavar="NAME=FILE", help="true stems, to state SI-SDR")


def _evaluate_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("folder", metavar="FOLDER", help="with a cases.json")
    sub.add_argument("--dictionary", metavar="DICT[+DICT...]", help="use this one, on the cases whose sources it has")
    sub.add_argument("--components", type=_count, metavar="N", help="per source (32)")
    sub.add_argument(
        "--steps", type=_none_or_more, metavar="N", help="of training to tell sources apart (1200; 0: none)"
    )
    sub.add_argument("--latency", type=_latency, metavar="SAMPLES", help="to learn for (the window)")
    sub.add_argument("--latency-ms", type=_seconds, metavar="MS", help="at most so much, by shortening the synthesis")
    sub.add_argument("--seed", type=_none_or_more, default=0, metavar="N", help="of the random start (0)")
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("--report", metavar="FILE", help="also write a page with the cases, the worst to be heard")


def _bench_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "dictionary",
        nargs="?",
        default="speech+keyboard",
        metavar="DICT[+DICT...]",
        help="dictionary files and presets (speech+keyboard)",
    )
    sub.add_argument("--block", type=_count, default=512, metavar="N", help="samples per block (512)")
    sub.add_argument("--rate", type=_count, metavar="HZ", help="sample rate (the dictionary's)")
    sub.add_argument("--latency-ms", type=_seconds, metavar="MS", help="at most so much for the separation")
    sub.add_argument("--channels", type=_count, default=1, metavar="N", help="of the stream (1)")
    sub.add_argument("--updates", type=_count, default=5, metavar="N", help="of the activations per frame (5)")
    sub.add_argument("--power", type=float, default=1.0, metavar="P", help="of the mask (1)")
    sub.add_argument("--seconds", type=_seconds, default=20.0, metavar="S", help="of noise to separate (20)")
    sub.add_argument("--json", action="store_true", help="print JSON")


def _live_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary files and presets")
    sub.add_argument("--input", metavar="NAME", help="a part of the device's name (the system's default)")
    sub.add_argument("--output", metavar="NAME", help="a part of the device's name (the system's default)")
    sub.add_argument("--solo", nargs="+", metavar="NAME", help="sources to hear (the first)")
    sub.add_argument("--gain", nargs="+", default=[], metavar="NAME=DB", help="sources not named: 0 dB")
    sub.add_argument("--channels", type=_count, default=1, metavar="N", help="of the input, and of each output (1)")
    sub.add_argument("--outputs", choices=["mix", "stems"], default="mix", help="stems: a pair of outputs per source")
    sub.add_argument("--block", type=_count, default=0, metavar="N", help="samples per block (as the device likes)")
    sub.add_argument("--latency-ms", type=float, metavar="MS", help="at most so much for the separation")
    sub.add_argument("--rate", type=_count, metavar="HZ", help="sample rate (as the device likes)")
    sub.add_argument("--resample", action="store_true", help="convert when the device refuses the rate; adds latency")
    sub.add_argument("--updates", type=_count, default=5, metavar="N", help="of the activations per frame (5)")
    sub.add_argument("--power", type=float, default=1.0, metavar="P", help="of the mask; larger decides harder (1)")
    sub.add_argument("--record", metavar="DIR", help="write the input and every stem there")
    sub.add_argument("--for", type=_seconds, dest="seconds", metavar="SECONDS", help="end by itself")
    sub.add_argument("--allow-feedback", action="store_true", help="let loudspeakers and microphone hear each other")


def _demo_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("output", nargs="?", default="rtnmf-demo", metavar="DIR", help="folder for the files (rtnmf-demo)")
    sub.add_argument("--block", type=_count, default=512, metavar="N", help="samples per block (512)")


_COMMANDS: dict[str, tuple[Command, Arguments | None, str]] = {
    "learn": (commands.learn, _learn_arguments, "learn a dictionary from recordings of each sound"),
    "separate": (commands.separate, _separate_arguments, "separate a recording into one file per source, or remix it"),
    "live": (live_commands.live, _live_arguments, "separate the microphone"),
    "devices": (live_commands.devices, None, "list the sound devices"),
    "doctor": (live_commands.doctor, None, "say what live sound needs, and what is missing here"),
    "presets": (commands.presets, None, "list the dictionaries that ship with rtnmf"),
    "info": (commands.info, _info_arguments, "say what a dictionary holds"),
    "report": (
        commands.report,
        _report_arguments,
        "write one page to see and hear a dictionary and what it finds in a recording",
    ),
    "evaluate": (measure_commands.evaluate, _evaluate_arguments, "learn, separate and measure the cases of a folder"),
    "bench": (measure_commands.bench, _bench_arguments, "measure how late and how fast a dictionary separates here"),
    "demo": (
        commands.demo,
        _demo_arguments,
        "teach and separate real recordings, block by block as a live stream would",
    ),
}


def _fail(text: str) -> None:
    try:
        print(f"rtnmf: {text}", file=sys.stderr, flush=True)
    except OSError:  # the terminal is gone, and what is still to be written to it with it
        sys.stdout = sys.stderr = None


def _note(message: Warning | str, *_: object, **__: object) -> None:
    print(f"note: {' '.join(str(message).split())}", file=sys.stderr)
