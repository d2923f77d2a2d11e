"""TensorFlow Serving's REST API: predict, status and metadata under /v1/models/."""

import json
import re
import threading
from urllib.parse import unquote

import grpc
from aiohttp import web
from google.protobuf import json_format

from gan_keras.serving import grpc_service, json_tensors
from gan_keras.serving import page as pages
from gan_keras.serving.batches import SMALL
from gan_keras.serving.bodies import Bodies, BodyTooLarge
from gan_keras.serving.reports import rarely
from gan_keras.serving.request_error import RequestError, invalid, not_found, one_line
from gan_keras.serving.settings import MAX_VERSION

HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}

# TensorFlow Serving's own (model_servers/http_rest_api_util.cc); a query string matches neither,
# or becomes a part of the model's name.
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
PATHS = {
    "POST": re.compile(
        rf"/v1/models/(?P<model>[^/:]+){_VERSION}:(?P<verb>classify|regress|predict)", re.ASCII
    ),
    "GET": re.compile(
        rf"/v1/models(?:/(?P<model>[^/:]+))?{_VERSION}(?P<verb>/metadata)?", re.ASCII
    ),
}

# One body at a time: Python parses no faster in two threads, and memory is bounded by one.
_PARSING = threading.Lock()


def application(
    models, workers, batches, limits, connections, page=True, counters=None, access=None
):
    """Returns the aiohttp application.

    Args:
        models: The Models.
        workers: The Workers for predictions.
        batches: The Batches, of these workers.
        limits: The Limits.
        connections: The Connections.
        page: Whether `/` is a page to look at.
        counters: The Counters, which are shown then; None for none.
        access: The Access; None for everybody's.
    """
    bodies = Bodies(limits, limits.connections)

    async def answer(request):
        path = _path(request)
        if path is None:
            return web.Response()  # to a browser's preflight, as TensorFlow Serving without CORS
        model, label = models.model(unquote(path["model"])), path["label"]
        version = int(path["version"][:100]) if path["version"] else None
        if version is not None and version > MAX_VERSION:
            raise invalid(f"version {path['version'][:100]} is beyond int64")
        if request.method == "GET" and path["verb"] is None:
            return _reply(_as_json(model.status(version, label)))
        servable = model.find(version, label)
        if path["verb"] == "/metadata":
            return _reply(_metadata(servable))
        if path["verb"] != "predict":
            raise invalid(f":{path['verb']} is for models of another kind; POST to :predict")
        if (request.content_length or 0) > limits.body_bytes:
            raise web.HTTPRequestEntityTooLarge(limits.body_bytes, request.content_length)
        body = None
        try:
            async with bodies.receive(request.content.readany) as body:
                with connections.answering(request.transport):
                    async with workers.admit():
                        return _reply(await predict(servable, body))
        except BodyTooLarge:
            raise web.HTTPRequestEntityTooLarge(limits.body_bytes, 0) from None
        except RequestError as error:
            if error.code == grpc.StatusCode.DEADLINE_EXCEEDED and body is None:
                raise web.HTTPRequestTimeout(text=str(error)) from None
            raise

    async def predict(servable, body):
        """Returns the JSON text of the reply; what takes long happens in a thread."""
        if len(body) > SMALL:
            signature, arrays, by_row = await workers.run(_parsed_alone, servable, limits, body)
        else:
            signature, arrays, by_row = _parsed(servable, limits, body)
        if len(body) > SMALL or not signature.joins:
            return await workers.run(_predict, signature, arrays, by_row)
        results = await batches.predict(signature, arrays)
        if sum(map(_weight, results.values())) > SMALL:
            return await workers.run(json_tensors.reply, results, by_row)
        return json_tensors.reply(results, by_row)

    middlewares = [_errors]
    if counters:
        middlewares.insert(0, counters.middleware(_predicted))
    if access:
        middlewares[:0] = access.middlewares(free=["/"] if page else [])
    app = web.Application(client_max_size=limits.body_bytes, middlewares=middlewares)
    if page:
        app.router.add_routes(pages.routes(models))
    if counters:
        app.router.add_routes([counters.route()])
    app.router.add_route("*", r"/{path:[\s\S]*}", answer)
    return app


def _path(request):
    """Returns the match of a request's path; None for a preflight of a browser.

    Raises:
        RequestError: there is none; TensorFlow Serving answers 400 below /v1/, and 404 elsewhere.
    """
    # As it was sent: an encoded slash is part of a name, and no name has one.
    raw = request.rel_url.raw_path_qs
    if not raw.startswith("/v1/"):
        raise not_found(
            f"{request.path} is not served here; POST /v1/models/<model>:predict,"
            " GET /v1/models/<model> and GET /v1/models/<model>/metadata are"
        )
    if request.method == "OPTIONS" and "Origin" in request.headers:
        return None
    path = PATHS[request.method].fullmatch(raw) if request.method in PATHS else None
    if not path:
        raise invalid(
            f"Malformed request: {request.method} {raw}; POST /v1/models/<model>:predict,"
            " GET /v1/models/<model> and GET /v1/models/<model>/metadata are served"
        )
    if path["model"] is None:
        raise invalid("Missing model name in request: GET /v1/models/<model> is served")
    return path


def _predicted(request):
    """The name of the model that a request wants predictions of; None if it wants something else.

    What is no prediction at all is not counted, as a stranger's probes would be.
    """
    path = PATHS["POST"].fullmatch(request.rel_url.raw_path_qs)
    asked = path and request.method == "POST" and path["verb"] == "predict"
    return unquote(path["model"]) if asked else None


@web.middleware
async def _errors(request, handler):
    """Makes every failure a JSON object with the right status."""
    try:
        return await handler(request)
    except RequestError as error:
        return _error(HTTP_STATUS.get(error.code, 500), str(error))
    except web.HTTPRequestEntityTooLarge:
        return _error(413, f"the body is larger than {request.client_max_size:,} bytes")
    except web.HTTPException as error:
        return _error(error.status, error.text or error.reason)
    except web.RequestPayloadError as error:
        refused = _error(400, f"the body cannot be read: {error}")
        refused.force_close()  # where the next request begins is not known
        return refused
    except Exception as error:
        kind = type(error).__name__
        rarely(("REST", kind), "REST: the server failed: %s: %s", kind, one_line(error))
        return _error(500, f"the server failed: {type(error).__name__}")


def _parsed(servable, limits, body):
    """Returns what a body asks for: signature, arrays by name, whether the reply is by row."""
    request = json_tensors.parse(body, limits.values)
    signature = servable.signature(request.get("signature_name"), limits)
    return signature, json_tensors.arrays(signature, request), "instances" in request


def _parsed_alone(servable, limits, body):
    with _PARSING:
        return _parsed(servable, limits, body)


def _predict(signature, arrays, by_row):
    return json_tensors.reply(signature(arrays), by_row)


def _weight(array):
    """About the bytes of an array in JSON."""
    return sum(map(len, array.ravel())) if array.dtype == object else 8 * array.size


def _metadata(servable):
    """The model's signatures in the reply's shape: without protobuf's type annotation."""
    model_spec, signatures = grpc_service.described(servable)
    return json.dumps(
        {
            "model_spec": json.loads(_as_json(model_spec)),
            "metadata": {"signature_def": json.loads(_as_json(signatures))},
        }
    )


def _as_json(message):
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _reply(text):
    return web.Response(text=text, content_type="application/json")


def _error(status, message):
    return web.json_response({"error": message}, status=status)
