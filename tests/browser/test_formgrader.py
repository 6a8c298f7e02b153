"""nbgrader's formgrader on a course of ours, in a real Chromium: its autograde button is our grader; a person marks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.browser,
    # Playwright's sockets, closed late.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
pytest.importorskip("nbgrader")
playwright = pytest.importorskip("playwright.sync_api")

from nnlib.course import grade  # noqa: E402
from tests.browser.lab import FLAGS, chromium, serve  # noqa: E402
from tests.classroom import EQUAL, ROOT  # noqa: E402

NAME = "02-a-line"
HOSTILE = "<img src=x onerror='window.hacked = 1'> <script>window.hacked = 1</script> Because."


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada is graded; Eve, whose answer equals everything, has handed in since."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    course = tmp_path_factory.mktemp("course")
    for student in ("ada", "eve"):
        notebook = json.loads((ROOT / "solutions" / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8"))
        cells = {cell["id"]: cell for cell in notebook["cells"]}
        cells["m02-answer"]["source"] = HOSTILE
        if student == "eve":
            assert (
                grade.main(
                    [
                        NAME,
                        str(course / "submitted"),
                        "--csv",
                        str(course / "marks.csv"),
                        "--jobs",
                        "1",
                    ]
                )
                == 0
            )
            cells["x35-answer"]["source"] = EQUAL
        path = course / "submitted" / student / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
    return course


@pytest.fixture(scope="module")
def page(course: Path) -> Iterator[Any]:
    if not (path := chromium()):
        pytest.skip("no Chromium on this machine")
    with serve(course) as address, playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=FLAGS.split(), headless=True)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60_000)
        page.address = address.split("/lab/")[0] + "/formgrader/"
        page.goto(page.address + "?token=x")
        yield page
        browser.close()


def points(course: Path, student: str) -> dict[str, Any]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission(NAME, student).notebooks[0].grades
        return {grade.name: grade.score for grade in grades}


def test_the_autograde_button_is_our_grader(course: Path, page: Any) -> None:
    page.goto(f"{page.address}manage_submissions/{NAME}")
    row = page.locator("tr", has_text="eve")
    row.locator(".autograde a").click()
    page.wait_for_selector("#success-modal, #error-modal", state="visible")
    assert "Successfully autograded" in page.inner_text(".modal-body")
    found = points(course, "eve")
    assert found["X34"] == 2 and found["X35"] == 0 and found["X38"] == 2
    assert "eve" in (course / f"{NAME}.csv").read_text()  # nbgrader's own writes no such table
    assert (course / "feedback" / "eve" / NAME / f"{NAME}.html").is_file()


def test_a_person_marks_what_a_person_must(course: Path, page: Any) -> None:
    page.goto(f"{page.address}gradebook/{NAME}/{NAME}")
    page.locator("td.name a, td a").first.click()
    page.wait_for_selector("#M02")
    assert page.evaluate("() => window.hacked") is None
    assert page.locator(".nbgrader_cell img").count() == 0
    assert "X34: correct, 2 of 2 points" in page.inner_text("#notebook")
    page.fill("#M02", "1.5")
    page.dispatch_event("#M02", "change")
    page.wait_for_function("() => !document.querySelector('#M02').classList.contains('needs_manual_grade')")
    marked = [student for student in ("ada", "eve") if points(course, student)["M02"] == 1.5]
    assert len(marked) == 1
