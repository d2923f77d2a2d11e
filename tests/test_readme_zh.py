"""The Chinese README says what the English one says: commands, code, numbers of tables, links."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md"))
OTHER = {"README.md", "README.zh.md"}  # Each links to the other.


def links(text):
    return set(re.findall(r"\]\(([^)#][^)]*)\)", text)) - OTHER


def code(text):
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def rows(text):
    return [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]


def test_blocks_of_code_are_the_same():
    blocks = [re.findall(r"```\w*\n.*?```", text, re.DOTALL) for text in (ENGLISH, CHINESE)]
    assert blocks[0] == blocks[1]


def test_links_are_the_same():
    assert links(ENGLISH) == links(CHINESE)


def test_what_is_typed_and_named_is_the_same():
    assert sorted(set(code(ENGLISH))) == sorted(set(code(CHINESE)))


def test_tables_have_the_same_rows_and_numbers():
    english, chinese = rows(ENGLISH), rows(CHINESE)
    assert len(english) == len(chinese)
    for one, other in zip(english, chinese, strict=True):
        assert numbers(one) == numbers(other), one


def numbers(row):
    """Of the cells without code; words may stand in another order."""
    text = " ".join(cell for cell in row if "`" not in cell)
    return sorted(re.findall(r"\d+(?:[.,]\d+)*", text))
