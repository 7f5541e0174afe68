"""How does a dictionary become a plugin? Bundles for digital audio workstations, out of the binary that has the engine.

The engine and the plugin are C++, in the folder `plugin/` of the sources; nothing here separates.
"""

from rtnmf.plugins.bundles import FORMATS, make

__all__ = ["FORMATS", "make"]
