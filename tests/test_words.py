"""The words: phrases that readers have to read twice, and the terms that stand for them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / "docs").glob("*.md"),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "serving" / "README.md",
    ROOT / "benchmarks" / "README.md",
    *(ROOT / "gan_keras").rglob("*.py"),
]
# What not to say: what to say.
TERMS = {
    r"\bgo(es)? on (with|from)\b|command goes on\b": "resume",
    r"\b(is|are) told\b|\btells of\b": "warns, reports, prints",
    r"\b(is|are) damaged\b|\ba damaged\b": "corrupt",
    r"\bsick(ness)?\b": "not finite",
    r"\bfloors\b": "reference scores",
    r": needed\b|\bno such\b|that is no flag": "required, unknown, unexpected",
    r"\bname another\b": "choose another",
    r"\bleave .{1,20} away\b": "omit",
    r"another run is at work": "in use by another process",
    r"what has to be so": "requirements",
    r"what bites": "troubleshooting",
    r"what may go wrong": "fault tolerance",
    r"\bthe whole way\b": "end to end",
    r"\bh(old|olds|eld) .{0,30}against\b": "compare with",
    r"first frame\s+counts": "only the first frame is used",
    r"\bto the bit\b|\bbit for bit\b": "bit-identical",
}


@pytest.mark.parametrize("phrase", TERMS)
def test_plain_words(phrase):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()} -> {TERMS[phrase]}"
        for path in PAGES
        if path.exists() and not path.name.endswith(".zh.md")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if re.search(phrase, line, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)
