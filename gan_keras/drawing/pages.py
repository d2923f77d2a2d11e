"""Pages for a browser: one file without outside resources, and the headers that hold it to that."""

import base64
import hashlib
import importlib.resources
import re


def read(package, name="page.html"):
    """Reads a page that ships with the package.

    Args:
        package: Dotted name of the package that the file is in.
        name: The file's name. It has one `<script>` and one `<style>`, both without attributes. A
            line `/* NAME.js */` in it stands for the text of that file beside it.

    Returns:
        The page's text, and a dict of headers to send with it: no script or style but the page's
        own, no other host, no frame of another page around it.
    """
    folder = importlib.resources.files(package)
    text = re.sub(
        r"^/\* (\w+\.js) \*/\n",
        lambda found: folder.joinpath(found[1]).read_text("utf-8"),
        folder.joinpath(name).read_text("utf-8"),
        flags=re.MULTILINE,
    )
    return text, {
        "Content-Security-Policy": _policy(text),
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _policy(text):
    def digest(tag):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        sum256 = hashlib.sha256(content.encode()).digest()
        return f"'sha256-{base64.b64encode(sum256).decode()}'"

    return (
        f"default-src 'none'; script-src {digest('script')}; style-src {digest('style')};"
        " img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
