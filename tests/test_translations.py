"""A Chinese page says what its English one says: commands, code, numbers of tables, links."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHINESE = [
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "serving")
    for path in sorted(folder.glob("*.zh.md"))
    # Its own test, which looks at each step: tests/test_docs.py.
    if path.name != "theory.zh.md"
]
FENCED = re.compile(r"^```\w*\n.*?^```", re.DOTALL | re.MULTILINE)

pairs = pytest.mark.parametrize(
    "texts",
    [
        (Path(str(path).replace(".zh.md", ".md")).read_text("utf-8"), path.read_text("utf-8"))
        for path in CHINESE
    ],
    ids=[str(path.relative_to(ROOT)) for path in CHINESE],
)


def links(text):
    """Targets, of two languages the English one; anchors are headings, which are translated."""
    found = re.findall(r"\]\(([^)#][^)]*)\)", FENCED.sub("", text))
    return {link.replace(".zh.md", ".md").split("#")[0] for link in found}


def code(text):
    return set(re.findall(r"`([^`\n]+)`", FENCED.sub("", text)))


def rows(text):
    return [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]


def numbers(row):
    """Of the cells without code; words may stand in another order."""
    text = " ".join(cell for cell in row if "`" not in cell)
    return sorted(re.findall(r"\d+(?:[.,]\d+)*", text))


def headings(text):
    return [len(marks) for marks in re.findall(r"^(#+) ", FENCED.sub("", text), re.MULTILINE)]


def test_there_are_pairs():
    assert {path.name for path in CHINESE} >= {"README.zh.md", "looking.zh.md"}


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_links_to_the_other_at_the_top(page):
    english = page.name.replace(".zh.md", ".md")
    top, their_top = (
        "".join(path.read_text("utf-8").splitlines()[1:5])
        for path in (page, page.with_name(english))
    )
    assert f"[English]({english})" in top
    assert f"[中文]({page.name})" in their_top


@pairs
def test_blocks_of_code_are_the_same(texts):
    english, chinese = map(FENCED.findall, texts)
    assert english == chinese


@pairs
def test_links_are_the_same(texts):
    english, chinese = map(links, texts)
    assert english == chinese


@pairs
def test_what_is_typed_and_named_is_the_same(texts):
    english, chinese = map(code, texts)
    assert english == chinese


@pairs
def test_headings_are_as_many(texts):
    english, chinese = map(headings, texts)
    assert english == chinese


@pairs
def test_tables_have_the_same_rows_and_numbers(texts):
    english, chinese = map(rows, texts)
    assert len(english) == len(chinese)
    for one, other in zip(english, chinese, strict=True):
        assert numbers(one) == numbers(other), one
