"""The notebook: both languages have the script's cells, outputs are there, and it runs."""

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "make_notebooks.py"))
FOLDER, NAMES = SCRIPT["FOLDER"], SCRIPT["NAMES"]

both = pytest.mark.parametrize("language", [0, 1], ids=NAMES)


def stored(language):
    return json.loads((FOLDER / NAMES[language]).read_text("utf-8"))["cells"]


@both
def test_it_is_what_the_script_writes(language):
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in stored(language)]
    assert found == list(SCRIPT["cells"](language))


@both
def test_it_has_ten_steps_and_is_small(language):
    titles = [text for kind, text in SCRIPT["cells"](language) if text.startswith("## ")]
    assert [title.split(".")[0] for title in titles] == [f"## {n}" for n in range(1, 11)]
    assert (FOLDER / NAMES[language]).stat().st_size < 1_500_000


def test_outputs_are_there_and_say_nothing_of_the_machine():
    english, chinese = ([cell.get("outputs") for cell in stored(n)] for n in (0, 1))
    assert english == chinese
    for cell in stored(0):
        if cell["cell_type"] == "code":
            assert cell["outputs"]
            for output in cell["outputs"]:
                assert output["output_type"] != "error"
                assert output.get("name") != "stderr"
                assert "/tmp" not in "".join(output.get("text", ""))


def code(steps):
    """The sources of the code cells, with shorter trainings."""
    sources = [text for kind, text in SCRIPT["cells"](0) if kind == "code"]
    assert sources[0].count("STEPS = ") == 1
    start = sources[0].index("STEPS = ")
    end = sources[0].index(" ", start + len("STEPS = "))
    return [sources[0][:start] + f"STEPS = {steps}" + sources[0][end:], *sources[1:]]


def test_the_steps_on_a_line_run(monkeypatch):
    """In this process, where TensorFlow is imported already: all before the pictures."""
    pytest.importorskip("IPython", reason="IPython is not installed: pip install '.[test]'")
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = {}
    for source in code(steps=24)[:7]:
        exec(source, names)
    assert names["outcome"].last_step == 24
    assert names["animation"].startswith(b"GIF8")
    assert 0 < names["card"].value < 0.7


@pytest.mark.faults
def test_the_notebook_runs_from_top_to_bottom():
    nbclient = pytest.importorskip("nbclient", reason="pip install '.[notebook]' brings nbclient")
    notebook = SCRIPT["notebook"](0)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, source in zip(cells, code(steps=24), strict=True):
        cell.source = source
    nbclient.NotebookClient(notebook, timeout=500).execute()
    sevens = [each for each in cells[-1].outputs if "image/png" in each.get("data", {})]
    assert len(sevens) == 1
