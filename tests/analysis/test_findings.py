"""The findings page: each question writes between its own marks, and two that end at once lose nothing of each other."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis.findings import tell
from probes.cli import BadInput


def page_of(folder, names):
    page = folder / "findings.md"
    page.write_text("# Title\n" + "".join(f"\n## {name}\n<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in names))
    return page


def test_a_paragraph_stands_between_its_marks_and_nothing_else_moves(tmp_path):
    page = page_of(tmp_path, ["one", "two"])
    tell("one", "  a \\1 paragraph\n", page)
    assert page.read_text() == (
        "# Title\n\n## one\n<!-- one -->\na \\1 paragraph\n<!-- /one -->\n\n## two\n<!-- two -->\nold\n<!-- /two -->\n"
    )


def test_questions_that_end_at_once_lose_no_paragraph(tmp_path):
    names = [f"q{i}" for i in range(12)]
    page = page_of(tmp_path, names)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda name: tell(name, f"of {name}", page), names))
    assert all(f"<!-- {name} -->\nof {name}\n<!-- /{name} -->" in page.read_text() for name in names)


@pytest.mark.parametrize("page", ["none.md", "nowhere/findings.md"])
def test_a_missing_page_is_named(tmp_path, page):
    with pytest.raises(BadInput, match=r"cannot be read \(FileNotFoundError\); run from a checkout, or give the page by --page"):
        tell("one", "text", tmp_path / page)


def test_a_page_without_the_marks_is_named(tmp_path):
    with pytest.raises(BadInput, match="needs the marks <!-- three --> and <!-- /three --> once"):
        tell("three", "text", page_of(tmp_path, ["one"]))
