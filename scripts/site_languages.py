"""A hook of MkDocs: each page in the words of its language, a link to its twin, and formulas.

Formulas become MathML, which browsers draw themselves: no script, no font from elsewhere.
"""

import html
import re

from latex2mathml import converter
from mkdocs.structure.nav import Navigation, Section

FORMULA = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
# What the converter takes for names of variables: names of functions, and relations.
FUNCTIONS = re.compile(r"<mi>(log|arg|max|min)</mi>|<mo>(log|arg|max|min)</mo>")
RELATIONS = re.compile(r"<mi>(&#x0*(?:7E|223C|27FA|27F6|2016|2200);)</mi>", re.IGNORECASE)
UNDER = re.compile(
    r"<msub>(<mo[^>]*>(?:min|max)</mo>)(<mi>[^<]*</mi>|<mrow><mi>[^<]*</mi></mrow>)</msub>"
)


def is_chinese(page):
    """Whether a page is Chinese, by its name."""
    return ".zh." in page.file.src_uri


def on_page_content(content, page, config, files):
    """Turns formulas into MathML."""
    return FORMULA.sub(lambda match: mathml(html.unescape(match[1])), content)


def mathml(formula):
    """A formula in LaTeX as a block of MathML."""
    made = converter.convert(formula.strip().replace(r"\arg", r"\operatorname{arg}"), "block")
    made = FUNCTIONS.sub(r'<mo lspace="0.17em" rspace="0.17em">\1\2</mo>', made)
    made = UNDER.sub(r"<munder>\1\2</munder>", made)
    made = RELATIONS.sub(r'<mo lspace="0.28em" rspace="0.28em">\1</mo>', made)
    return f'<div class="formula">{made.replace("&#x0007E;", "&#x223C;")}</div>'


def on_page_context(context, page, config, nav):
    """Sets the theme's language, the menu and the links between the two languages."""
    english, chinese = nav.items
    config.theme["language"] = "zh" if is_chinese(page) else "en"
    paths = {each.file.src_uri: each for each in nav.pages}
    path = page.file.src_uri
    twins = {
        "en": path.replace(".zh.", "."),
        "zh": path if is_chinese(page) else re.sub(r"(\.ipynb)?\.md$", r".zh\g<0>", path),
    }
    config.extra["alternate"] = [
        {
            "name": name,
            "lang": language,
            "link": paths.get(twins[language], paths[home]).url,
        }
        for name, language, home in (("English", "en", "README.md"), ("中文", "zh", "README.zh.md"))
    ]
    items = english.children
    if is_chinese(page):
        translated = [paths[path.replace(".zh.", ".")] for path in paths if ".zh." in path]
        others = [each for each in english.children if each not in translated]
        items = [*chinese.children, Section("英文页面", others)]
    context["nav"] = Navigation(items, nav.pages)
    context["nav"].homepage = paths["README.zh.md" if is_chinese(page) else "README.md"]
    return context
