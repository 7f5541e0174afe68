"""How inner loops are compiled and kept."""

import importlib
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest

import rtnmf
from rtnmf.kernels import compiling
from rtnmf.kernels.compiling import log, power

SEPARATE = """
import hashlib, numpy as np
from rtnmf import STFT, Dictionary, nmf, separate
from rtnmf.kernels import factor
rng = np.random.default_rng(0)
W = rng.random((129, 7)) ** 4
x = rng.uniform(-1, 1, 4000).astype(np.float32)
stems = separate(x, Dictionary(W, tuple("aaaabbb"), STFT(256, 64), 8000))
fitted = nmf.fit(np.abs(STFT(256, 64).forward(x)), 3, n_iter=5)
hits = sum(function.stats.cache_hits.total() for function in vars(factor).values() if hasattr(function, "stats"))
print(hashlib.sha256(stems.tobytes() + fitted.W.tobytes()).hexdigest(), hits)
"""


def ran(**environment):
    """Return what a new process makes of the same sound, and for how many functions it found code kept."""
    ended = subprocess.run(
        [sys.executable, "-c", SEPARATE], env=os.environ | environment, capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.split()


def test_code_from_the_cache_rounds_as_code_just_compiled(tmp_path):
    """A process that compiles and may keep nothing, and one that finds the code kept, give the same to the bit."""
    compiled, n_hits = ran(NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator", NUMBA_CACHE_DIR="/dev/null/no")
    assert n_hits == "0"
    ran()  # keeps what no test before this one has needed
    kept, n_hits = ran()
    assert int(n_hits) > 0
    assert kept == compiled


DIVERGENCE = """
import numpy as np
from rtnmf.kernels import compiling, factor
V, WH = np.full((2, 16), 3, np.float32), np.ones((2, 16), np.float32)
print(round(factor.divergence(V, WH), 2), factor.divergence.stats.cache_hits.total())
"""


def test_editing_one_kernel_file_invalidates_what_is_compiled_of_the_others(tmp_path):
    """A function that inlines one of another file is compiled anew when only that other file has changed."""
    package = tmp_path / "rtnmf"
    shutil.copytree(Path(rtnmf.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "cli", "live"))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def divergence():
        line = [sys.executable, "-c", DIVERGENCE]
        ended = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return ended.stdout.split()

    expected = str(round(32 * (3 * np.log(3) - 2), 2))
    assert divergence() == [expected, "0"]
    assert divergence() == [expected, "1"]
    edited = package / "kernels" / "compiling.py"
    edited.write_text(edited.read_text().replace("return p * m +", "return np.float32(0) * p * m +"))
    assert divergence()[0] != expected


def test_on_a_full_disk_code_is_compiled_and_not_kept(tmp_path):
    """Where nothing more can be written, functions compile in each process, and nothing fails."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
    limit += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for _ in range(2):
        line = [sys.executable, "-c", limit + DIVERGENCE]
        ended = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
        assert ended.stdout.split()[1] == "0"


def test_where_numba_keeps_code_in_another_way_it_is_compiled_in_each_process(monkeypatch, caplog):
    """When numba's own names are gone, functions still compile, uncached, and the log says why."""

    def njit(**options):
        return numba.njit(**options) if "cache" not in options else lambda function: function

    monkeypatch.setattr(compiling, "numba", SimpleNamespace(njit=njit, __version__="9"))
    with caplog.at_level("WARNING", logger="rtnmf"):
        doubled = compiling.compiled()(double)
    assert doubled(21) == 42
    assert "keeps compiled code in another way" in caplog.text


def double(x):
    """Return twice the argument."""
    return 2 * x


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7, 3.0])
def test_powers_are_those_of_numpy(exponent):
    """Powers are those of numpy, held between 1e-37 and 1e37, and zero gives next to nothing."""
    x = np.float32(10.0) ** np.linspace(-10, 10, 201, dtype=np.float32)
    found = np.array([power(one, np.float32(exponent)) for one in x])
    np.testing.assert_allclose(found, x.astype(float) ** exponent, rtol=1e-5)
    assert 0 < power(np.float32(0), np.float32(exponent)) < 1e-18


def test_logarithms_are_those_of_numpy():
    """The polynomial logarithm agrees with numpy's to 1e-6 over 60 decades."""
    x = np.float32(10.0) ** np.linspace(-30, 30, 601, dtype=np.float32)
    np.testing.assert_allclose([log(one) for one in x], np.log(x.astype(float)), rtol=1e-6, atol=1e-6)


def test_what_an_older_version_has_kept_and_this_one_cannot_read_is_compiled_anew(tmp_path, monkeypatch):
    """An index that names a class which is gone is forgotten, and the function gives what it should."""
    (tmp_path / "older.py").write_text("def twice(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    function = importlib.import_module("older").twice
    assert compiling.compiled()(function)(3) == 6
    (index,) = (tmp_path / "__pycache__").glob("*.nbi")
    index.write_bytes(pickle.dumps(numba.__version__) + b"crtnmf.kernels.hop\nGone\n.")
    for n_hits in (0, 1):
        again = compiling.compiled()(function)
        assert again(3) == 6
        assert again.stats.cache_hits.total() == n_hits
