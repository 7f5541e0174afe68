"""What was learned: the dictionary as a value, its file, and the presets that ship."""

from rtnmf.dictionary.value import Dictionary, load_preset, preset_folder, presets

__all__ = ["Dictionary", "load_preset", "preset_folder", "presets"]
