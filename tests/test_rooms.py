"""The house: who imports whom, and what a plain import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "rtnmf"
FLOORS = [
    {"words"},
    {"bounds", "checks", "look", "progress", "screen", "version"},
    {"audio", "frames", "kernels"},
    {"dictionary"},
    {"experts"},
    {"engine", "nmf"},
    {"learning"},
    {"live", "measure", "offline", "plugins", "report"},
    {"control"},
    {"cli"},
    {"__init__", "__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = [path.relative_to(PACKAGE).with_suffix("").parts for path in sorted(PACKAGE.rglob("*.py"))]


def imported(module):
    """Yield what a module imports, wherever in it, as dotted names."""
    for node in ast.walk(ast.parse(PACKAGE.joinpath(*module).with_suffix(".py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", MODULES, ids="/".join)
def test_a_room_imports_only_itself_and_rooms_below(module):
    """A module imports its own room and rooms on lower floors, and no room beside or above its own."""
    for name in imported(module):
        parts = name.split(".")
        if parts[0] == "rtnmf" and parts[1] != module[0]:
            assert FLOOR[parts[1]] < FLOOR[module[0]], f"{'/'.join(module)} imports {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if m[0] == "live"], ids="/".join)
def test_what_runs_in_the_sounding_process_is_imported_there_only(module):
    """Of `live`, `link` imports itself only, `host` these two, and nothing else imports `host`."""
    allowed = {"link": {"link"}, "host": {"link", "host"}}.get(module[1])
    rooms = {name.split(".")[2] for name in imported(module) if name.startswith("rtnmf.live.")}
    assert rooms <= allowed if allowed else "host" not in rooms


@pytest.mark.parametrize("module", [m for m in MODULES if m[0] == "kernels"], ids="/".join)
def test_kernels_need_only_numpy_and_numba(module):
    """Whatever another engine must port depends on numpy and numba only."""
    packages = {name.partition(".")[0] for name in imported(module)} - {"rtnmf"} - sys.stdlib_module_names
    assert packages <= {"numpy", "numba", "rocket_fft"}


@pytest.mark.parametrize(
    "modules", ["rtnmf", "rtnmf.engine.separator", "rtnmf.dictionary", "rtnmf.cli.main", "rtnmf.live.host.main"]
)
def test_streaming_loads_no_heavy_library(modules):
    """Importing what streams, and what parses a command line, loads no library that only learning or pages need."""
    heavy = [
        "sounddevice",
        "librosa",
        "matplotlib",
        "IPython",
        "sklearn",
        "rtnmf.learning",
        "soundfile",
        "scipy.signal",
        "rich",
    ]
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_public_names_exist():
    """Every public name resolves and is listed, and an unknown one is an AttributeError."""
    import rtnmf

    assert all(getattr(rtnmf, name) is not None for name in dir(rtnmf))
    assert {*rtnmf.__all__, "evaluation", "files", "live", "nmf", "report", "__version__"} <= set(dir(rtnmf))
    assert rtnmf.__version__.startswith("0.")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rtnmf.nothing
