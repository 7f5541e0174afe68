#!/usr/bin/env python3
"""Draw the picture of the README, docs/separation.png: a mixture above, and the stems that rtnmf makes of it below.

Run from anywhere: `.venv/bin/python scripts/draw_readme_picture.py`. It learns from the training clips of the demo,
separates the demo's mixture of other recordings, and draws what came of it with the measured SI-SDR of each stem.
"""

import io
from pathlib import Path

import librosa
import librosa.display
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator
from PIL import Image

from rtnmf import learn, separate
from rtnmf.dictionary import preset_folder
from rtnmf.measure.cases import load_case, read_cases, training_clips
from rtnmf.measure.metrics import si_sdr

PICTURE = Path(__file__).parent.parent / "docs" / "separation.png"
SURFACE, PANEL, LINE, TEXT, MUTED = "#0f1115", "#171a21", "#2a303b", "#e8eaed", "#9aa3af"
GREY = "#b4bac5"
COLOURS = ("#e69f00", "#56b4e9", "#2fb58a", "#d55e00", "#cc79a7")
SECONDS = (0.0, 6.0)  # the part of the mixture that is drawn; the SI-SDR is that of all of it
WINDOW, N_FFT, HOP_LENGTH = 2048, 8192, 256  # padded, so that low bins do not show as blocks
LOWEST_HZ, HIGHEST_HZ = 90, 13000
MARKS_HZ = (100, 200, 500, 1000, 2000, 5000, 10000)
RANGE_DB = 58
SIZE, DPI = (10, 6.2), 120
MARGINS = {"left": 0.07, "right": 0.985, "top": 0.945, "bottom": 0.085, "hspace": 0.32}


def main() -> None:
    """Learn, separate, draw, and write the picture."""
    clips = preset_folder() / "demo"
    case = read_cases(clips)[0]
    mixture, truth, sources = load_case(clips, case)
    sample_rate = case["sample_rate"]
    dictionary = learn(training_clips(clips, case), sample_rate)
    stems = separate(mixture, dictionary, sample_rate=sample_rate)
    titles = [("mixture", f"{' and '.join(sources)} at once, in one channel")]
    for source, true, stem in zip(sources, truth, stems, strict=True):
        before, after = si_sdr(true, mixture), si_sdr(true, stem)
        print(f"{source}: SI-SDR {before:.1f} dB in the mixture, {after:.1f} dB in its stem")
        titles.append((source, f"SI-SDR {_signed(before)} dB in the mixture, {_signed(after)} dB separated"))
    _write(_picture([mixture, *stems], titles, sample_rate))


def _signed(value_db: float) -> str:
    return f"{value_db:.1f}".replace("-", "\N{MINUS SIGN}")


def _picture(signals: list[np.ndarray], titles: list[tuple[str, str]], sample_rate: int) -> Figure:
    """Draw one spectrogram above the other, all in dB below the peak of the first."""
    figure = Figure(figsize=SIZE, dpi=DPI, facecolor=SURFACE)
    rows = figure.subplots(len(signals), 1, sharex=True, gridspec_kw=MARGINS)
    magnitudes = [_magnitudes(x, sample_rate) for x in signals]
    colours = (GREY, *COLOURS)[: len(signals)]
    for axes, V, (name, note), colour in zip(rows, magnitudes, titles, colours, strict=True):
        level_db = librosa.amplitude_to_db(V, ref=magnitudes[0].max(), top_db=None)
        _draw(axes, level_db, sample_rate, colour)
        axes.set_title(name, loc="left", color=colour, fontsize=12, fontweight="bold", pad=5)
        axes.set_title(note, loc="right", color=MUTED, fontsize=9.5, pad=5)
        axes.label_outer()
    return figure


def _magnitudes(x: np.ndarray, sample_rate: int) -> np.ndarray:
    start, end = (int(s * sample_rate) for s in SECONDS)
    x = x[start:end].mean(axis=1)
    return np.abs(librosa.stft(x, n_fft=N_FFT, win_length=WINDOW, hop_length=HOP_LENGTH))


def _draw(axes, level_db: np.ndarray, sample_rate: int, colour: str) -> None:
    librosa.display.specshow(
        level_db,
        sr=sample_rate,
        n_fft=N_FFT,
        hop_length=HOP_LENGTH,
        x_axis="time",
        y_axis="log",
        ax=axes,
        cmap=_colours_of_levels(colour),
        vmin=-RANGE_DB,
        vmax=0,
    )
    axes.set(xlim=(0, SECONDS[1] - SECONDS[0]), ylim=(LOWEST_HZ, HIGHEST_HZ), xlabel="s", ylabel="Hz")
    axes.yaxis.set_major_locator(FixedLocator(MARKS_HZ))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda hz, _: f"{hz / 1000:.0f}k" if hz >= 1000 else f"{hz:.0f}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s:.0f}"))
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.set_facecolor(PANEL)
    axes.tick_params(colors=MUTED, labelsize=9, length=3, color=LINE)
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set(color=MUTED, fontsize=9)
    for spine in axes.spines.values():
        spine.set_color(LINE)


def _colours_of_levels(colour: str) -> LinearSegmentedColormap:
    """Return a colour map from the panel's colour through that of a source to white."""
    steps = [(0, PANEL), (0.1, PANEL), (0.7, colour), (1, "#ffffff")]
    return LinearSegmentedColormap.from_list("source", steps)


def _write(figure: Figure) -> None:
    """Write a PNG of few colours, which is a third of the size."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", facecolor=SURFACE)
    Image.open(drawn).convert("RGB").quantize(96, kmeans=3, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
