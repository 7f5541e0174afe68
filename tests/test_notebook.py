"""The notebook of the documentation: it is short, is kept without outputs, and runs from the first cell to the last."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat

PATH = Path(__file__).parent.parent / "docs" / "notebook.ipynb"

# In a process of its own, in whose folder the kernel's sockets are: Jupyter leaves some open.
RUN = f"""
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import execute

notebook = nbformat.read({str(PATH)!r}, as_version=4)
execute(notebook, km=AsyncKernelManager(transport="ipc", connection_file="kernel.json"))
nbformat.write(notebook, "ran.ipynb")
"""


def cells(path):
    """Return the cells of a notebook that hold code."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def outputs(cell, kind):
    """Return the outputs of a cell that a notebook shows in a way, such as a picture."""
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def test_notebook_is_kept_without_outputs():
    """The notebook has ten cells with code, none of which holds what it once showed."""
    kept = cells(PATH)
    assert len(kept) == 10
    assert all(cell.outputs == [] and cell.execution_count is None for cell in kept)


def test_notebook_runs(tmp_path, monkeypatch):
    """Each component is heard in two ways, and the named sounds are separated from a stream by several dB."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, timeout=250)
    assert ended.returncode == 0, ended.stderr
    ran = cells(tmp_path / "ran.ipynb")
    sounds = [sum("<audio" in html for html in outputs(cell, "text/html")) for cell in ran]
    assert sounds == [1, 0, 0, 0, 3, 3, 0, 1, 2, 0]
    assert [len(outputs(cell, "image/png")) for cell in ran] == [0, 1, 1, 1, 1, 0, 0, 1, 0, 0]
    assert [output for cell in ran for output in cell.outputs if output.get("name") == "stderr"] == []
    assert ["<iframe" in html for html in outputs(ran[-1], "text/html")] == [True]
    said = "".join(output.get("text", "") for output in ran[-1].outputs)
    levels = re.findall(r"SI-SDR (\S+) dB in the mixture, (\S+) dB in its stem", said)
    assert len(levels) == 2
    assert all(float(after) > float(before) + 6 for before, after in levels)
