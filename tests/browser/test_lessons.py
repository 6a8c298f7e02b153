"""Every lesson in a real JupyterLab: all cells run, its experiments are shown, nothing fails or leaves the machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.browser,
    # Playwright's sockets, closed late.
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]
pytest.importorskip("jupyterlab")
playwright = pytest.importorskip("playwright.sync_api")

from nnlib.course.lessons import cells_of, lesson_paths, read_notebook  # noqa: E402
from tests.browser.lab import FLAGS, Lab, chromium, serve  # noqa: E402

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = list(lesson_paths(NOTEBOOKS))
OUTPUTS = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.map((cell) => ({
  id: cell.id, kind: cell.cell_type, run: cell.execution_count ?? null,
  outputs: (cell.outputs ?? []).map(
    (o) => ({ type: o.output_type, name: o.name ?? o.ename ?? "", text: o.evalue ?? "" })),
}))"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("lessons")
    for path in LESSONS:
        shutil.copy(path, folder)
    with serve(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not (path := chromium()):
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=FLAGS.split(), headless=True)
        yield browser
        browser.close()


def test_all_lessons_are_here() -> None:
    assert len(LESSONS) == 17


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_shows_its_experiments(browser: Any, server: str, path: Path) -> None:
    lab = Lab(browser, server.format(path.name))
    code = [cell for cell in cells_of(read_notebook(path)) if cell.kind == "code"]
    lab.finished()
    ran = [cell for cell in lab.page.evaluate(OUTPUTS) if cell["kind"] == "code"]
    assert [cell["id"] for cell in ran] == [cell.id for cell in code]
    assert [cell["id"] for cell in ran if cell["run"] is None] == []
    bad = [(c["id"], o) for c in ran for o in c["outputs"] if o["type"] == "error" or o["name"] == "stderr"]
    assert bad == []
    played = [cell.id for cell in code if "Run this cell to play: " in cell.text]
    assert played
    for id in played:
        index = lab.page.evaluate(
            "id => window.jupyterapp.shell.currentWidget.content.widgets.findIndex(c => c.model.id === id)", id
        )
        root = lab.experiment(index)
        assert root.locator("svg").is_visible()
        assert root.locator(".nn-status").inner_text()
        assert root.locator(".nn-error").count() == 0
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    lab.page.close()
    assert lab.errors == []
    assert lab.outside == []
