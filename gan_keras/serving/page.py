"""The page at `/`: pictures of the served models, for people to look at.

One file without outside resources, which asks the REST API as any client does. What the API does
not tell - which models there are, the names of their classes, their model cards - it reads from
`/page/`, of this server only.
"""

import json
from urllib.parse import quote

from aiohttp import web

from gan_keras.drawing import pages
from gan_keras.exporting import contract
from gan_keras.serving.request_error import not_found

MODELS = "/page/models"


def routes(models):
    """Returns the routes of the page and of what it reads.

    Args:
        models: The Models.
    """
    text, headers = pages.read("gan_keras.serving")

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
        web.get(MODELS + r"/{model}/versions/{version:\d{1,19}}/model_card.json", card),
    ]


def _described(model):
    """One model as the page needs it: the versions that can be asked, the newest first."""
    name = model.settings.name
    versions = []
    for number in sorted(model.versions, reverse=True):
        servable = model.versions[number].servable
        if servable is None:
            continue
        classes = (servable.card or {}).get("classes")
        versions.append(
            {
                "version": number,
                "labels": contract.PNG_LABEL_SIGNATURE in servable.signature_defs,
                "walk": contract.SEED_LATENTS_SIGNATURE in servable.signature_defs,
                "classes": [str(each) for each in classes] if isinstance(classes, list) else [],
                "card": f"{MODELS}/{quote(name, safe='')}/versions/{number}/model_card.json"
                if servable.card is not None
                else None,
            }
        )
    return {"name": name, "versions": versions}


def _readable(value):
    return json.dumps(value, indent=2)
