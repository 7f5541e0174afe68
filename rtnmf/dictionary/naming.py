"""Other names for the sources of a dictionary, and several of them as one; no component changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rtnmf.checks import few
from rtnmf.dictionary import examples
from rtnmf.dictionary.parts import check_known, frozen_labels, says_voice

if TYPE_CHECKING:
    from rtnmf.dictionary.value import Dictionary

__all__ = ["regrouped", "renamed"]


def renamed(dictionary: Dictionary, names: Mapping[str, str]) -> Dictionary:
    """Return a dictionary with other names for some of its sources: `Dictionary.rename`."""
    if not isinstance(names, Mapping):
        raise TypeError(f"names are {names!r:.80}, expected {{source: new name}}")
    check_known(names, dictionary.sources)
    new = {source: names.get(source, source) for source in dictionary.sources}
    labels = frozen_labels([new[label] for label in dictionary.labels], dictionary.n_components)
    for name, n_same in Counter(new.values()).items():
        if n_same > 1:
            same = [source for source in new if new[source] == name]
            raise ValueError(f"sources {' and '.join(same)} would both be named {name!r}: give each its own name")
    curves = {new.get(source, source): curve for source, curve in dictionary.divergences.items()}
    frames = {new[source]: frames for source, frames in dictionary.frames.items()}
    voices = _renamed_voices(dictionary.voices, names, dictionary.rest)
    kinds: Any = {"rest": new.get(dictionary.rest, ""), "voices": voices}
    return replace(dictionary, labels=labels, **kinds, frames=frames, divergences=curves)


def regrouped(dictionary: Dictionary, groups: Mapping[str, Iterable[str]]) -> Dictionary:
    """Return a dictionary with several of its sources as one: `Dictionary.regroup`."""
    members = _checked_groups(groups, dictionary.sources)
    names = {source: name for name, group in members.items() for source in group}
    others = [source for source in dictionary.sources if source not in names]
    labels = tuple(names.get(label, label) for label in dictionary.labels)
    alone = {group[0]: name for name, group in members.items() if len(group) == 1}
    kept = alone | {source: source for source in ("", *others)}
    curves = {kept[source]: curve for source, curve in dictionary.divergences.items() if source in kept}
    frames = examples.joined(dictionary.frames, names)
    voices = _grouped_voices(dictionary.voices, members, dictionary.rest)
    kinds: Any = {"rest": names.get(dictionary.rest, dictionary.rest), "voices": voices}
    joined = replace(dictionary, labels=labels, **kinds, frames=frames, divergences=curves)
    return joined.select(*members, *others)


def _renamed_voices(voices: Iterable[str], names: Mapping[str, str], rest: str) -> tuple[str, ...]:
    """Return the voices by their new names, with the sources that are named like a voice now."""
    kept = [names.get(voice, voice) for voice in voices]
    return (*kept, *(name for source, name in names.items() if source != rest and says_voice(name)))


def _grouped_voices(voices: Iterable[str], members: Mapping[str, tuple[str, ...]], rest: str) -> tuple[str, ...]:
    """Return the voices that are in no group, and the groups of voices only or that are named like one."""
    known, grouped = set(voices), {source for group in members.values() for source in group}
    of_voices = [
        name for name, group in members.items() if rest not in group and (set(group) <= known or says_voice(name))
    ]
    return (*(known - grouped), *of_voices)


def _checked_groups(groups: object, sources: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return {name: sources} if each group has known sources that are in no other one.

    Raises
    ------
    TypeError, ValueError
        If not, or if a name is that of a source that is in none.
    """
    if not isinstance(groups, Mapping) or any(isinstance(group, str) for group in groups.values()):
        raise TypeError(f"groups are {groups!r:.80}, expected {{name: [source, ...]}}")
    members = {name: tuple(group) for name, group in groups.items()}
    known, grouped = set(sources), Counter(source for group in members.values() for source in group)
    check_known(grouped, sources)
    for source, n_same in grouped.items():
        if n_same > 1:
            raise ValueError(f"source {source!r} is given {n_same} times: put it into one group")
    for name, group in members.items():
        if not group:
            raise ValueError(f"no source is given for {name!r}, expected one or more of {few(sources)}")
        if name in known and name not in grouped:
            raise ValueError(f"there is another source {name!r}: put it into that group, or choose another name")
    return members
