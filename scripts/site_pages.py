"""A hook of MkDocs: the site is laid out like the repository, so that links fit both.

Pages outside docs/ are added. What a page links to besides becomes a page too: a source file is
shown, a folder is listed, a notebook is shown with its outputs.
"""

import json
import os
import re
from pathlib import Path

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = [
    *("README.md", "README.zh.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
    *("serving/README.md", "serving/README.zh.md", "benchmarks/README.md"),
]
LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)\s#]+)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}
LISTING = "files.md"


@event_priority(100)
def on_files(files, config):
    """Moves the files of docs/ below docs/, and adds the others."""
    placed = Files([each for each in files if each.src_dir != config.docs_dir])

    def add(path, **source):
        if not placed.get_file_from_path(path):
            placed.append(File.generated(config, path, **source))
        return path

    found = [each.src_uri for each in files if each.src_dir == config.docs_dir]
    for path in [*PAGES, *(f"docs/{name}" for name in found)]:
        if path == "docs/site.css":
            add("site.css", abs_src_path=str(ROOT / path))
        elif (ROOT / path).is_file():
            add(path, abs_src_path=str(ROOT / path))
        if path.endswith(".ipynb"):
            add(f"{path}.md", content=notebook(ROOT / path))
    waiting = [each.src_uri for each in placed if each.src_uri.endswith(".md")]
    for path in waiting:
        text = placed.get_file_from_path(path).content_string
        for target in filter(None, (target_of(link, path) for link in links(text))):
            place = ROOT / target
            if place.is_dir() and page_of(target).endswith(LISTING):
                waiting.append(add(page_of(target), content=listing(target)))
            elif place.suffix in LANGUAGES and page_of(target) != target:
                add(page_of(target), content=source(target))
    return placed


def on_page_markdown(markdown, page, config, files):
    """Leads links to files and folders to their pages."""
    path = page.file.src_uri

    def led(match):
        target = target_of(match[2], path)
        if target is None:
            return match[0]
        return match[1] + os.path.relpath(page_of(target), os.path.dirname(path) or ".")

    # Code is left as it is.
    texts = re.split(f"({FENCED.pattern})", markdown, flags=FENCED.flags)
    texts[::2] = [LINK.sub(led, text) for text in texts[::2]]
    return "".join(texts)


def links(text):
    """Targets of a page's links that are no addresses."""
    return [match[1] for match in LINK.findall(FENCED.sub("", text))]


def target_of(link, page):
    """What a page links to as a path of the repository; None if it is not there."""
    path = os.path.normpath(os.path.join(os.path.dirname(page), link))
    return path if (ROOT / path).exists() and not path.startswith("..") else None


def page_of(target):
    """The path of the page that shows a file or folder of the repository."""
    place = ROOT / target
    if place.is_dir():
        return f"{target}/{'README.md' if (place / 'README.md').exists() else LISTING}"
    shown = place.suffix in (".ipynb", *LANGUAGES) and "cards" not in place.parts
    return f"{target}.md" if shown else target


def source(path):
    """A page that shows a file."""
    language = LANGUAGES[Path(path).suffix]
    return f"# {path}\n\n````{language}\n{(ROOT / path).read_text('utf-8')}````\n"


def listing(folder):
    """A page that lists a folder."""
    names = sorted(each.name + "/" * each.is_dir() for each in (ROOT / folder).iterdir())
    return "\n".join([f"# {folder}", "", *(f"- [{name}]({name})" for name in names), ""])


def notebook(path):
    """A notebook as a page: its texts, its code, and what that printed and drew."""
    parts = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        parts += filter(None, map(shown, cell.get("outputs", [])))
    parts[1:1] = [f"<a href='{path.name}' download>{path.name}</a>"]
    return "\n\n".join(parts) + "\n"


def shown(output):
    """An output of a cell as Markdown; None of what is not for readers."""
    if output["output_type"] == "stream":
        return f"```text\n{''.join(output['text'])}```"
    picture = output.get("data", {}).get("image/png")
    if picture is None:
        return None
    return f'<img alt="" src="data:image/png;base64,{"".join(picture).replace(chr(10), "")}">'
