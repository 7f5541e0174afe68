"""The shelf of a studio: the dictionaries of one folder and the presets, by name, and the takes beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtnmf.audio.names import is_file
from rtnmf.checks import check_source_name
from rtnmf.dictionary import Dictionary, load_preset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Shelf", "regrouped"]

_SUFFIX = ".safetensors"


class Shelf:
    """What can be loaded by name, and where things are written; a name is never a path.

    Parameters
    ----------
    folder : path
        Of the dictionaries; made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def names(self) -> list[str]:
        """Names of the dictionaries in the folder."""
        found = [path.stem for path in self.folder.glob(f"*{_SUFFIX}") if is_file(path)]
        return sorted(name for name in found if _is_name(name))

    def loaded(self, name: str, kind: str) -> Dictionary:
        """Return a "dictionary" of the folder, or a "preset"; raises ValueError if there is none of that name."""
        if kind == "preset":
            return _beside_the_rest(name)
        if name not in self.names:
            raise ValueError(f"there is no dictionary {name!r}: choose from {', '.join(self.names) or 'presets'}")
        return Dictionary.load(self.folder / f"{name}{_SUFFIX}")

    def save(self, dictionary: Dictionary, name: str) -> Path:
        """Write a dictionary to the folder, and return its path; raises ValueError if the name is taken."""
        from rtnmf.audio.files import safe_names

        check_source_name(name)
        (safe,) = safe_names([name.removesuffix(_SUFFIX)])
        path = self.folder / f"{safe}{_SUFFIX}"
        if path.exists():
            raise ValueError(f"there is a dictionary {safe!r} already: choose another name")
        self._make(self.folder)
        dictionary.save(path, overwrite=False)
        return path

    def keep_take(self, name: str, samples: NDArray[np.float32], sample_rate: int) -> Path:
        """Write a take to a file that replaces no other, and return its path."""
        from rtnmf.audio import files

        folder = self.folder / "takes"
        self._make(folder)
        (safe,) = files.safe_names([name])
        return files.write_new(folder / f"{safe}.wav", samples, sample_rate, "FLOAT")

    def check_teachable(self, dictionary: Dictionary, name: str) -> None:
        """Raise TypeError or ValueError if a source of that name cannot be taught beside a dictionary."""
        check_source_name(name)
        if name in dictionary.sources:
            raise ValueError(f"there is a source {name!r} already: choose another name, or remove it first")
        missing = [source for source in dictionary.sources if source not in dictionary.frames]
        if missing:
            raise ValueError(
                f"nothing can be taught beside {', '.join(missing)}, which came without frames of recordings: remove"
                " it, or load another dictionary"
            )

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{folder}: cannot be made ({error.strerror}): choose another folder") from error


def _beside_the_rest(preset: str) -> Dictionary:
    """Return a preset and what stands for all else, trained where that was done before."""
    from rtnmf.learning.joining import known, plain
    from rtnmf.learning.rest import REST

    sources = load_preset(preset)
    if sources.rest:
        return sources
    dictionary, _ = plain(f"{preset}+{REST}")
    return known(dictionary) or dictionary


def joined(dictionary: Dictionary, other: Dictionary) -> Dictionary:
    """Return a dictionary with the sources of another one after its own, and before its rest; untrained.

    Raises
    ------
    ValueError
        If both have a source of the same name, or a rest.
    """
    if other.rest and dictionary.rest:
        raise ValueError(f"there is a source that stands for all that was not taught: {dictionary.rest}")
    fitted = replace(other.at_rate(dictionary.sample_rate, dictionary.stft), model=dictionary.model)
    merged = dictionary.untrained().merge(fitted)
    return merged.select(*[source for source in merged.sources if source != merged.rest], *filter(None, [merged.rest]))


def without(dictionary: Dictionary, source: str) -> Dictionary:
    """Return a dictionary without a source; raises ValueError if there is none of that name, or no other."""
    others = [other for other in dictionary.sources if other != source]
    if source not in dictionary.sources or not others:
        raise ValueError(f"{source!r} cannot be removed: there must be another source")
    return dictionary.select(*others)


def trainable(dictionary: Dictionary) -> bool:
    """Return whether there is something to train in a dictionary, and what that takes."""
    sources = dictionary.sources
    return len(sources) > 1 and not dictionary.is_trained and all(source in dictionary.frames for source in sources)


def _is_name(name: str) -> bool:
    try:
        check_source_name(name)
    except ValueError:
        return False
    return True


def regrouped(dictionary: Dictionary, components: tuple[int, ...], to: str) -> Dictionary:
    """Return a dictionary in which some components, by their numbers, are one source, which may be there already.

    Sources that lose a part of their components lose their frames, as these are of all of them.

    Raises
    ------
    ValueError
        If there is no such component, or the rest would become a part of another source.
    """
    check_source_name(to)
    labels = dictionary.labels
    if not components or not all(0 <= k < len(labels) for k in components):
        raise ValueError(f"components are {components}, expected numbers below {len(labels)}")
    moved = {labels[k] for k in components}
    if dictionary.rest in moved and to != dictionary.rest:
        raise ValueError(f"{dictionary.rest} stands for all that was not taught: leave its components where they are")
    whole = {source for source in moved if all(k in components for k, label in enumerate(labels) if label == source)}
    if moved == whole:
        return dictionary.regroup({to: sorted(whole | ({to} & set(dictionary.sources)))})
    new = tuple(to if k in components else label for k, label in enumerate(labels))
    frames = {source: codes for source, codes in dictionary.frames.items() if source in new and source not in moved}
    frames.pop(to, None)
    kinds: Any = {"rest": dictionary.rest if dictionary.rest in new else ""}
    voices = tuple(voice for voice in dictionary.voices if voice in new)
    curves = {source: curve for source, curve in dictionary.divergences.items() if source in frames}
    changed = replace(dictionary, labels=new, frames=frames, voices=voices, divergences=curves, **kinds)
    return changed.select(*changed.sources)
