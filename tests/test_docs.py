"""The pages for readers: links, pictures, quoted code, and the numbers of the theory."""

import ast
import re
import runpy
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from gan_keras.evaluation import score_cards, score_tables
from gan_keras.game import losses

ROOT = Path(__file__).parent.parent
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "serving" / "README.md",
    ROOT / "serving" / "README.zh.md",
]
ENGLISH, CHINESE = THEORY = [ROOT / "docs" / name for name in ("theory.md", "theory.zh.md")]
PICTURES = ROOT / "docs" / "images" / "theory"

FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
FORMULA = re.compile(r"^\$\$\n(.*?)\n\$\$$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)\s]*)\)")
PICTURE = re.compile(r"^!\[.+\]\((images/theory/.*)\)$", re.MULTILINE)
CODE = re.compile(r"\[`([\w.]+)`\]\(\.\./gan_keras/([\w/]+)\.py\)")
QUOTE = re.compile(CODE.pattern + r"\n\n```python\n(.*?)```", re.DOTALL)
# The logarithms whose values are told: "log 4 = 1.386".
NUMBER = re.compile(r"(-?)log (\d) = (-?\d\.\d+)")

both = pytest.mark.parametrize("page", THEORY, ids=lambda page: page.name)


def steps(page):
    """Texts of the sections, by their titles."""
    parts = re.split(r"^## (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchors(page):
    """What GitHub calls the page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def lines_of(name, module):
    """The lines of a function, by its name as it is linked to and the path of its module."""
    dotted = module.replace("/", ".") + "."
    assert name.startswith(dotted), name
    text = (ROOT / "gan_keras" / f"{module}.py").read_text()
    node = ast.parse(text)
    for part in name.removeprefix(dotted).split("."):
        found = [child for child in node.body if getattr(child, "name", None) == part]
        assert len(found) == 1, name
        node = found[0]
    return [normalised(line) for line in ast.get_source_segment(text, node).splitlines()]


def normalised(line):
    return " ".join(line.split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_exists(page):
    for link in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@both
def test_twelve_steps_with_formula_code_and_picture(page):
    texts = steps(page)
    assert [title.split(".")[0] for title in texts] == [str(n) for n in range(1, 13)]
    for title, text in texts.items():
        assert len(FORMULA.findall(text)) == 1, title
        assert len(PICTURE.findall(text)) == 1, title
        assert QUOTE.search(text), title


@both
def test_a_link_to_code_has_the_name_of_a_function(page):
    links = CODE.findall(page.read_text("utf-8"))
    assert len(links) == page.read_text("utf-8").count("](../gan_keras/")
    for name, module in links:
        assert lines_of(name, module)


@both
def test_quoted_code_stands_in_the_function_that_is_named(page):
    """Line by line and in that order, but for indentation and what `...` leaves out."""
    text = page.read_text("utf-8")
    quotes = QUOTE.findall(text)
    assert len(quotes) == text.count("```python")
    for name, module, quote in quotes:
        lines = iter(lines_of(name, module))
        for line in map(normalised, quote.splitlines()):
            assert line == "..." or line in lines, f"{name}: {line}"


def test_both_languages_tell_the_same():
    english, chinese = (list(steps(page).values()) for page in THEORY)
    for ours, theirs in zip(english, chinese, strict=True):
        for what in (FORMULA, PICTURE, QUOTE, CODE, NUMBER):
            assert what.findall(ours) == what.findall(theirs)
        # Flags, presets, charts and files too, in whatever order the sentence has them.
        inline = re.compile(r"`[^`\n]+`")
        found, there = (inline.findall(FENCED.sub("", text)) for text in (ours, theirs))
        assert sorted(found) == sorted(there)


@both
def test_github_can_read_the_formulas(page):
    """Its Markdown eats a backslash before punctuation, and inline formulas beside Chinese."""
    text = page.read_text("utf-8")
    for formula in FORMULA.findall(text):
        assert not re.search(r"\\[^a-zA-Z]", formula), formula
        assert formula.count("{") == formula.count("}")
    assert "$" not in FORMULA.sub("", text)


@both
def test_the_logarithms_are_right(page):
    numbers = NUMBER.findall(page.read_text("utf-8"))
    assert {base for _, base, _ in numbers} == {"2", "4"}
    for sign, base, value in numbers:
        assert f"{float(sign + '1') * np.log(int(base)):.{len(value.split('.')[1])}f}" == value


@pytest.mark.parametrize(
    "runs",
    [
        ("mnist_0", "mlp"),
        ("mnist_conditional_0", "mnist_conditional_1", "mnist_conditional_2"),
        ("mnist_clusters_0", "mnist_clusters_1", "mnist_clusters_2"),
        ("ring_0", "ring_1", "ring_2"),
        ("grid_0", "grid_1", "grid_2"),
    ],
    ids=lambda runs: runs[0],
)
def test_the_tables_of_results_are_those_of_the_cards(runs):
    """As gan-keras-compare prints them."""
    groups = [score_cards.find(ROOT / "docs" / "cards" / run) for run in runs]
    table = score_tables.table([card for cards in score_tables.select(groups) for card in cards])
    assert max(map(len, table)) <= 120
    assert "\n".join(table) in (ROOT / "docs" / "results.md").read_text("utf-8")


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "scripts" / "make_theory_figures.py"))


@both
def test_the_gradients_of_step_9_are_right(page, script):
    """N(0, 1/2^2) ten standard deviations from the data; d = 5, and 5 / (1/2)^2 = 20."""
    text = steps(page)[next(title for title in steps(page) if title.startswith("9"))]
    assert re.search(r"0\.0001", text)
    assert re.search(r"\b20\b", text)
    places = np.arange(-3, 9, 0.01)
    assert_allclose(script["slope"](losses.non_saturating, 5.0, places), 20, rtol=1e-3)
    assert 0 < script["slope"](losses.minimax, 5.0, places) < 1e-4


def test_the_dirac_example_is_as_step_12_says(script):
    """Without a penalty it turns; with one, it ends at the rate of the greater eigenvalue.

    By hand: with minimax the distance r stays, up to the size of the steps; with the two others
    d(r^2)/dt = -2 θψ tanh(θψ/2), which over a turn is -r^4/8: so r^2 = 1/(1 + t/8) from r = 1.
    """
    free, paired, turning = (
        np.hypot(*script["dirac"](name, 0.0, 600).T)
        for name in ("non_saturating", "relativistic", "minimax")
    )
    assert_allclose(paired, free, atol=1e-5)
    turn = slice(-126, None)  # 4 pi / 0.1 steps.
    assert_allclose(turning[turn], 1, atol=0.1)
    assert_allclose(free[turn].mean(), (1 + 53.7 / 8) ** -0.5, rtol=0.05)
    for weight, steps in ((0.3, 600), (1.0, 200)):
        rest = np.hypot(*script["dirac"]("relativistic", weight, steps).T)
        rate = np.real(-weight / 2 + np.emath.sqrt(weight**2 / 4 - 1 / 4))
        # Where two eigenvalues meet, at 1, a factor comes in that grows with the time.
        assert rest[-1] < 0.1 * steps * np.exp(0.8 * rate * 0.1 * steps)


@pytest.mark.skipif(
    tuple(map(int, matplotlib.__version__.split(".")[:2])) < (3, 11),
    reason="the pictures were drawn with matplotlib 3.11, which sets text in another way",
)
def test_the_pictures_are_what_the_script_draws(script, tmp_path):
    """Pixel for pixel where they were made; elsewhere letters may lie a little differently."""
    script["main"](tmp_path)
    shown = {Path(path).name for path in PICTURE.findall(ENGLISH.read_text("utf-8"))}
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == shown == {path.name for path in PICTURES.iterdir()}
    for name in drawn:
        assert (PICTURES / name).stat().st_size < 60_000
        now, then = (
            np.asarray(Image.open(folder / name).convert("RGB"), np.float64)
            for folder in (tmp_path, PICTURES)
        )
        assert now.shape == then.shape
        assert np.abs(now - then).mean() < 2, name
