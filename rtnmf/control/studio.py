"""The studio: a desk whose separation can be taught, loaded, regrouped and recorded while it sounds.

Sounds that are new need another separation: it gets ready while the old one sounds, and takes over.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtnmf.control.desk import Desk
from rtnmf.control.lesson import Lesson
from rtnmf.control.shelf import Shelf, regrouped

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.engine.mixer import Mixer
    from rtnmf.live import Live

__all__ = ["Studio"]


class Studio:
    """A separation that is steered by hands, and may become another one while it sounds.

    Thread safety
        All methods and properties may be used from any thread. Those that change what it listens for wait for each
        other.

    Parameters
    ----------
    make : function
        Returns a `Live` of a dictionary, with a tap, that does not sound yet.
    dictionary : Dictionary
        To begin with.
    name : str
        Of that dictionary, for people.
    folder : path
        For dictionaries, takes and recordings; made when it is needed.

    Attributes
    ----------
    desk : Desk
    shelf : Shelf
    lesson : Lesson
    name : str
        Of what it listens for, as it was loaded, taught or saved.
    notice : str
        The last thing that is worth saying.
    """

    def __init__(self, make: Callable[[Dictionary], Live], dictionary: Dictionary, name: str, folder: Path) -> None:
        self._make, self._given = make, dictionary
        self._changing = threading.Lock()
        self._paths: list[Path] = []
        self.desk = Desk(make(dictionary), folder / "recordings")
        self.shelf = Shelf(folder)
        self.lesson = Lesson(self._learned)
        self.name, self.notice = name, ""

    @property
    def live(self) -> Live:
        """The separation that sounds now."""
        return self.desk.live

    def open(self) -> None:
        """Start to sound; raises ValueError if the devices cannot be used."""
        self.live.open()

    def close(self) -> None:
        """Stop the lesson and the sound, and finish the recordings."""
        self.lesson.drop()
        with self._changing:
            self.live.close()

    def teach(self, name: str, seconds: float) -> None:
        """Record a sound from what comes in after a countdown; `keep` it then, or `drop` it.

        Raises
        ------
        TypeError, ValueError
            If the name is none or is taken, a lesson goes on, or what sounds has no frames to be trained with.
        """
        self.shelf.check_teachable(self._given, name)
        self.lesson.begin(name, seconds, self.live)

    def keep(self) -> None:
        """Learn from the take, in the background, and listen for it then; raises ValueError if there is none."""
        self.shelf.keep_take(self.lesson.name, *self.lesson.take())
        self.lesson.learn(self._given)

    def drop(self) -> None:
        """Give up the lesson, whatever its stage."""
        self.lesson.drop()

    def load(self, name: str, kind: str) -> None:
        """Listen for a "dictionary" of the folder, or a "preset" and all else; raises ValueError if there is none."""
        self._turn_to(self.shelf.loaded(name, kind), name)
        self._train()

    def add(self, preset: str) -> None:
        """Listen for a preset besides what there is; raises ValueError if that has such a source."""
        dictionary = self.shelf.added(self._given, preset)
        self._turn_to(dictionary, _called(dictionary))
        self._train()

    def save(self, name: str) -> None:
        """Write what sounds, with the rest as it is now, to the folder; raises ValueError if the name is taken."""
        path = self.shelf.save(self.live.dictionary, name)
        self.name, self.notice = path.stem, f"written to {path}"

    def rename(self, source: str, to: str) -> None:
        """Give a source another name; raises as `Dictionary.rename` does."""
        self._turn_to(self.live.dictionary.rename({source: to}), self.name, {source: to})

    def group(self, components: Iterable[int], to: str) -> None:
        """Make components, by their numbers, one source, with what it has already; raises ValueError if one is none."""
        self._turn_to(regrouped(self.live.dictionary, tuple(components), to), self.name)

    def remove(self, source: str) -> None:
        """Take a source out; raises ValueError if there is none of that name, or no other."""
        others = [other for other in self.live.sources if other != source]
        if source not in self.live.sources or not others:
            raise ValueError(f"{source!r} cannot be removed: there must be another source")
        self._turn_to(self.live.dictionary.select(*others), self.name)

    def relearn(self) -> None:
        """Forget what was learned of the rest from what came in, and begin again."""
        self.live.relearn()

    def record(self, on: bool) -> None:
        """Begin or end a recording in the folder; raises ValueError if it cannot be written to."""
        if on != self.live.recording.is_on:
            folder = self.desk.record(on)
            self.notice = f"{'recording' if on else 'recorded'} to {folder}"

    @property
    def recordings(self) -> dict[str, Path]:
        """The files of the last recording, by names to show and to ask for them."""
        paths = [*self._paths, *self.live.recording.paths]
        last = [path for path in paths if path.parent == paths[-1].parent]
        return {f"{path.parent.name}-{path.name}": path for path in last}

    @property
    def recorded_in(self) -> str:
        """Where the last recording is; empty without."""
        return next((str(path.parent) for path in self.recordings.values()), "")

    def _learned(self, dictionary: Dictionary, name: str) -> None:
        """Listen for what was taught, and train it."""
        self._turn_to(dictionary, _called(dictionary))
        self.notice = f"{name} was learned and sounds now"
        self._train()

    def _train(self) -> None:
        """Train what sounds, in the background, where there is anything to train."""
        dictionary = self.live.dictionary
        if not dictionary.is_trained and len(dictionary.sources) > 1:
            self.live.train()

    def _turn_to(self, dictionary: Dictionary, name: str, new_names: dict[str, str] | None = None) -> None:
        """Let a separation with another dictionary take over, with what was set at the desk."""
        with self._changing, self._turning():
            old = self.live
            new = self._make(dictionary)  # which may refuse it, before anything has changed
            new.mixer = _carried(old.mixer, new.sources, new_names or {})
            was_recording = old.recording.is_on
            self._open(new, old)
            self._paths = list(self.recordings.values())
            self.desk.turn_to(new)
            self._given, self.name = dictionary, name
        if was_recording:
            self.record(True)
            self.notice = f"what it listens for has changed: the recording goes on in {self.recorded_in}"

    @contextlib.contextmanager
    def _turning(self) -> Iterator[None]:
        """Let nobody take the end of the old separation for the end."""
        self.desk.is_turning = True
        try:
            yield
        finally:
            self.desk.is_turning = False

    def _open(self, new: Live, old: Live) -> None:
        """Open the new separation instead of the old one; where it cannot be, sound again as before."""
        try:
            new.open(instead_of=old)
        except ValueError:
            if old.stats.state == "closed":
                again = self._make(self._given)
                again.mixer = old.mixer
                again.open()
                self.desk.turn_to(again)
            raise


def _called(dictionary: Dictionary) -> str:
    """Return a name for a dictionary that has none, as `load` would know one of its sources."""
    return "+".join(source for source in dictionary.sources if source != dictionary.rest)


def _carried(mixer: Mixer, sources: tuple[str, ...], new_names: dict[str, str]) -> Mixer:
    """Return the mixer of other sources, with what was set of those that are still there, under their new names."""

    def kept(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in (new_names.get(name, name) for name in names) if name in sources)

    gains = {new_names.get(source, source): gain for source, gain in mixer.gains.items()}
    return replace(
        mixer,
        sources=sources,
        gains={source: gain for source, gain in gains.items() if source in sources},
        soloed=kept(mixer.soloed),
        muted=kept(mixer.muted),
    )
