"""The house: who imports whom, and what a plain import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "rtnmf"
FLOORS = [
    {"spectral", "nmf", "_unrolled", "_descent", "_kernels", "_hop", "_probes", "_compiling", "masking", "replacing"},
    {"dictionary", "files"},
    {"learning", "separator"},
    {"benchmark", "evaluation", "report"},
    # live/ has floors of its own, all above the separator and below the commands
    {"live.memory", "live.pacing", "live.resampling", "live.devices", "live.engine", "live.stats"},
    {"live.protocol", "live.recorder"},
    {"live.child", "live.process", "live.microphone", "live.doctor"},
    {"live.supervisor"},
    {"live.__init__"},
    {"arguments", "terminal"},
    {"live_commands"},
    {"commands"},
    {"measure_commands"},
    {"cli", "__init__"},
    {"__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
INSIDE = {
    *((room, "_compiling") for room in ("_descent", "_hop", "_kernels", "_probes", "nmf")),
    *(("nmf", room) for room in ("_descent", "_hop")),
    ("_descent", "_kernels"),
    ("_probes", "_hop"),
    ("_unrolled", "_hop"),
}


def imported(room):
    """Yield the rooms and the packages that a module imports, wherever in it."""
    for node in ast.walk(ast.parse((PACKAGE / f"{room.replace('.', '/')}.py").read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_is_a_room():
    """Every module is a room."""
    modules = {path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")}
    assert {".".join(module.parts) for module in modules} == set(FLOOR)


@pytest.mark.parametrize("room", sorted(FLOOR))
def test_room_imports_only_from_lower_floors(room):
    """Room imports only from lower floors."""
    for name in imported(room):
        parts = name.split(".")[1:]
        other = ".".join(parts[: 2 if parts[:1] == ["live"] else 1])
        other = "live.__init__" if other in ("live", "live.Live", "live.Stats") else other
        if name.startswith("rtnmf.") and other in FLOOR:
            assert FLOOR[other] < FLOOR[room] or (room, other) in INSIDE, f"{room} imports {other}"


@pytest.mark.parametrize("room", sorted(FLOORS[0]))
def test_ground_floor_needs_numpy_and_numba_only(room):
    """Ground floor needs numpy and numba only."""
    packages = {name.partition(".")[0] for name in imported(room)} - {"rtnmf"} - sys.stdlib_module_names
    assert packages <= {"numpy", "numba", "rocket_fft", "threadpoolctl"}


@pytest.mark.parametrize("modules", ["rtnmf", "rtnmf.separator", "rtnmf.dictionary", "rtnmf.cli", "rtnmf.live.child"])
def test_streaming_side_loads_no_heavy_library(modules):
    """Streaming side loads no heavy library."""
    heavy = ["sounddevice", "librosa", "matplotlib", "sklearn", "rtnmf.learning", "soundfile", "scipy.signal", "rich"]
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_public_names_exist():
    """Public names exist."""
    import rtnmf

    assert all(getattr(rtnmf, name) is not None for name in [*rtnmf.__all__, "evaluation", "files"])
    assert {*rtnmf.__all__, "files", "__version__"} <= set(dir(rtnmf))
    assert rtnmf.__version__.startswith("0.")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rtnmf.nothing
