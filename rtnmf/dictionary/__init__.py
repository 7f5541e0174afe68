"""What was learned: the dictionary as a value, its file, other sample rates, and the presets that ship.

Nothing here makes a sound or learns.
"""

from rtnmf.dictionary.shelf import load_preset, merged, preset_folder, presets
from rtnmf.dictionary.value import Dictionary

__all__ = ["Dictionary", "load_preset", "merged", "preset_folder", "presets"]
