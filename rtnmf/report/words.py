"""What a page says in sentences: what was done, how to read it, and what each fact means."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rtnmf.report.description import Description

__all__ = ["HOW_TO_READ", "asked", "done", "done_of_cases", "how_to_read", "listed", "meaning", "with_fixed_spaces"]

_MEANINGS = {
    "Description": "what its maker says of it",
    "Sample rate": "half of it is the highest frequency that is told apart; 16000 is usual for speech, 44100 for music",
    "STFT": "samples of which a spectrum is made, and from one to the next; a longer window tells tones apart, a"
    " shorter one strokes",
    "Components": "spectra that it has to explain sound with, one per kind of sound; 32 for each source are usual",
    "Latency": "how much later the separated sound comes, live; below 10 ms it is not noticed",
    "Discriminative training": "whether it was also trained on mixtures of its sources, which usually gains 1 to 2 dB",
    "Updates per frame": "how often the activations of a frame are improved; 5 are usual",
    "Learned from": "the recordings",
    "Licence of the training sound": "what may be done with them",
    "Learned with": "the version that made the dictionary",
    "Page made with": "the version that made this page",
    "Divergence": "what the components do not explain of what they were learned from; 20 to 40 % is usual for three",
    "Clip": "how much of the recording is on this page",
    "Divergence of the clip from its model": "what the model does not explain; 15 to 25 % is usual for taught sounds",
    "Sources shown": "there is no room for the others on this page",
    "Sounds of the components": "a second is usual",
    "Shown": "the rest of the recording is not on this page",
    "Time to learn": "on the machine that made this page",
    "Cases": "mixtures whose true sources are known",
    "SI-SDR gained, mean": "how much more of each source, and less of all else, is in its stem than in the mixture; 10"
    " is usual where training and use match",
    "The ideal ratio mask gains, mean": "the most that any method with such masks can gain",
    "Stems that got worse": "than the mixture; none is usual",
}
_OF_LEARNING = "what the components do not explain of what they were learned from; 4 to 18 % is usual at the end"

HOW_TO_READ = (
    "Each colour is a source, and the brighter, the louder. Play it, hear sources alone with S, silence them with M,"
    " and drag over a picture to repeat a stretch."
)


def done(description: Description) -> str:
    """Return one sentence that says what was done."""
    d = description
    n, shown = len(d.components) or len(d.sources), d.facts.get("Sources shown")
    sources = f"{shown} sources" if shown else listed([row.name for row in d.sources])
    if d.clip is None:
        return f"What was learned of {sources}: {n} components, the spectra that their sound is explained with."
    seconds = f"{len(d.clip) / d.sample_rate:.1f} s of {_channels(d.clip.shape[1])} sound"
    if d.origin.is_blind:
        return f"{seconds}, taken apart into {n} components that nobody taught."
    by = f" with the dictionary {d.origin.dictionary}" if d.origin.dictionary else ""
    asked = f"; {_experts(d.experts)} asked about {listed(d.voices)}" if d.experts else ""
    separated = f"separated{by}; this page shows {sources}" if shown else f"separated into {sources}{by}"
    return f"{seconds}, {separated}{asked}."


def done_of_cases(n_cases: int) -> str:
    """Return one sentence that says what was done with measured cases."""
    if n_cases == 1:
        return "A mixture of known sources was separated, and its stems compared with the true ones."
    return f"{n_cases} mixtures of known sources were separated, and their stems compared with the true ones."


def asked(experts: Sequence[str]) -> str:
    """Return a sentence on the experts that were asked; empty where there were none."""
    text = f"{_experts(experts)} asked about the voice." if experts else ""
    return text[:1].upper() + text[1:]


def _channels(n: int) -> str:
    return {1: "mono", 2: "stereo"}.get(n, f"{n}-channel")


def _experts(names: Sequence[str]) -> str:
    return f"the expert{'s' if len(names) > 1 else ''} {listed(names)} {'were' if len(names) > 1 else 'was'}"


def listed(names: Sequence[str]) -> str:
    """Return names in a row: `a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def how_to_read(description: Description) -> str:
    """Return one sentence that says how to read the page."""
    if description.clip is not None:
        return HOW_TO_READ
    return "Each tile is a component in the colour of its source: its spectrum from low to high, which you can hear."


def meaning(name: str) -> str:
    """Return what a fact means, and what is usual; empty where that is not known."""
    return _OF_LEARNING if name.startswith("Divergence of ") and name not in _MEANINGS else _MEANINGS.get(name, "")


def with_fixed_spaces(text: str) -> str:
    """Return a text whose numbers stay on one line with their units."""
    return re.sub(r"(?<=\d) (?=(?:k?Hz|dB|m?s|%)(?:\W|$))", "\u00a0", str(text))
