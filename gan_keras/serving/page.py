"""The page at `/`: pictures of the served models, for people to look at.

One file without outside resources, which asks the REST API as any client does. What the API does
not tell - which models there are, the names of their classes, their model cards - it reads from
`/page/`, of this server only.
"""

import base64
import hashlib
import importlib.resources
import json
import re
from urllib.parse import quote

from aiohttp import web

from gan_keras.exporting import contract
from gan_keras.serving.request_error import not_found

MODELS = "/page/models"


def routes(models):
    """Returns the routes of the page and of what it reads.

    Args:
        models: The Models.
    """
    text = importlib.resources.files("gan_keras.serving").joinpath("page.html").read_text("utf-8")
    headers = {
        "Content-Security-Policy": _policy(text),
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    async def page(request):
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)

    async def listing(request):
        return web.json_response({"models": [_described(models.model(n)) for n in models.names()]})

    async def card(request):
        model = models.model(request.match_info["model"])
        servable = model.find(version=int(request.match_info["version"]))
        if servable.card is None:
            raise not_found(f"model `{servable.name}` version {servable.version} has no model card")
        return web.json_response(servable.card, dumps=_readable)

    return [
        web.get("/", page),
        web.get(MODELS, listing),
        web.get(MODELS + r"/{model}/versions/{version:\d{1,18}}/model_card.json", card),
    ]


def _policy(text):
    """A Content-Security-Policy: only the page's own script and style, and no other host."""

    def digest(tag):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        sum256 = hashlib.sha256(content.encode()).digest()
        return f"'sha256-{base64.b64encode(sum256).decode()}'"

    return (
        f"default-src 'none'; script-src {digest('script')}; style-src {digest('style')};"
        " img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


def _described(model):
    """One model as the page needs it: the versions that can be asked, the newest first."""
    name = model.settings.name
    versions = []
    for number in sorted(model.versions, reverse=True):
        servable = model.versions[number].servable
        if servable is None:
            continue
        classes = (servable.card or {}).get("classes") or []
        versions.append(
            {
                "version": number,
                "labels": contract.PNG_LABEL_SIGNATURE in servable.signature_defs,
                "walk": contract.SEED_LATENTS_SIGNATURE in servable.signature_defs,
                "classes": [str(each) for each in classes],
                "card": f"{MODELS}/{quote(name, safe='')}/versions/{number}/model_card.json"
                if servable.card is not None
                else None,
            }
        )
    return {"name": name, "versions": versions}


def _readable(value):
    return json.dumps(value, indent=2)
