"""The notebook, from an empty directory to a trained model, as a data scientist runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from reviewqueue.core.db import read_session
from reviewqueue.models import TrainedModel

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebook" / "corrections.ipynb"
CHEAP = {"REVIEWQUEUE_ARGON2_TIME_COST": "1", "REVIEWQUEUE_ARGON2_MEMORY_KIB": "8", "HF_HUB_OFFLINE": "1"}


def executed(directory: Path, environ: dict[str, str]) -> str:
    """What the cells print, run in an empty directory."""
    directory.mkdir()
    shutil.copy(NOTEBOOK, directory)
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", "--timeout=200", "--output=done.ipynb", NOTEBOOK.name],
        cwd=directory, env={**environ, **CHEAP}, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    ran = json.loads((directory / "done.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = []
    for cell in ran:
        for output in cell.get("outputs", []):
            texts.append("".join(output.get("text") or output.get("data", {}).get("text/plain", [])))
    return "\n".join(texts)


def told(printed: str, before: str, after: str) -> float:
    """The number between the two, of which one is per cent."""
    return float(printed.split(before, 1)[1].split(after, 1)[0].strip(" %"))


def test_the_notebook_is_stored_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []


@pytest.fixture
def product(database, request, tmp_path) -> dict[str, str]:
    """Its environment. On SQLite the notebook starts the product; on PostgreSQL it connects to one that runs."""
    if database == "sqlite":
        mine = ("DATABASE_URL", "REDIS_URL", "REVIEWQUEUE_")
        return {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    live = request.getfixturevalue("live")
    live.start("relay")
    live.start("worker")
    return {**live.environ, "REVIEWQUEUE_URL": live.url}


# Both start a dozen processes. That one connects to a product that runs is seen with the long tests.
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)], indirect=True)
def test_it_goes_from_nothing_to_a_trained_model(product, database, request, tmp_path):
    printed = executed(tmp_path / "empty", product)
    assert told(printed, "The second model is right in", "%") > told(printed, "The first model is right in", "%") + 5
    true = told(printed, "in truth", "%")
    assert abs(told(printed, "weighted", "%") - true) < abs(told(printed, "counted", "%") - true)
    assert "Pass at" in printed or "Nothing can be promised yet" in printed
    assert "'number': 1" in printed
    if database == "postgresql":
        with request.getfixturevalue("app").app_context(), read_session() as session:
            assert session.scalars(select(TrainedModel.model_version)).all() == ["2"]
    else:
        assert "Ended." in printed
