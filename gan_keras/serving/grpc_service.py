"""TensorFlow Serving's gRPC services: predictions, signatures and status."""

import functools

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from gan_keras.serving import batches, tensors
from gan_keras.serving.bodies import Bodies, BodyTooLarge
from gan_keras.serving.counters import counted
from gan_keras.serving.reports import rarely
from gan_keras.serving.request_error import RequestError, invalid, one_line

SIGNATURES_FIELD = "signature_def"
IDLE_SECONDS, OLD_SECONDS = 300, 3600  # of a connection; clients connect again by themselves


def server(models, workers, batches, limits, counters=None, access=None):
    """Returns a grpc.aio server with both services, without a port.

    Args:
        models: The Models.
        workers: The Workers for predictions.
        batches: The Batches, of these workers.
        limits: The Limits.
        counters: The Counters; None for none.
        access: The Access; None for everybody's.
    """
    made = grpc.aio.server(
        # A bound of the requests under way would count those whose message never comes.
        interceptors=[
            *(access.interceptors() if access else []),
            _Receiving(Bodies(limits, 2 * limits.requests)),
        ],
        options=[
            ("grpc.max_concurrent_streams", limits.requests),  # of one connection
            ("grpc.max_allowed_incoming_connections", limits.connections),
            ("grpc.server_handshake_timeout_ms", round(1000 * limits.body_seconds)),
            ("grpc.max_connection_idle_ms", 1000 * IDLE_SECONDS),
            ("grpc.max_connection_age_ms", 1000 * OLD_SECONDS),
            ("grpc.max_connection_age_grace_ms", round(1000 * limits.seconds)),
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            # Or a second server on the same port would start, and get half of the requests.
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(models, workers, batches, limits, counters), made
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(models), made)
    return made


def described(servable):
    """Returns a version's ModelSpec and its SignatureDefMap."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    return _spec(servable), signatures


class _Receiving(grpc.aio.ServerInterceptor):
    """Receives the messages itself: grpc would wait for ever for one that does not come.

    It also answers what is no message of its kind with INVALID_ARGUMENT; grpc says UNKNOWN.
    """

    def __init__(self, bodies):
        self._bodies = bodies
        self._made = {}  # handlers by method

    async def intercept_service(self, continuation, handler_call_details):
        method = handler_call_details.method
        if method not in self._made:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None  # nor kept: a caller may think of any number of names
            self._made[method] = self._receiving(handler)
        return self._made[method]

    def _receiving(self, handler):
        async def answer(_, context):
            try:
                async with self._bodies.receive(_message(context)) as raw:
                    request = _parsed(handler.request_deserializer, raw)
                    return await handler.unary_unary(request, context)
            except BodyTooLarge:  # not reached: grpc's own limit is the same
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the message is too large")
            except RequestError as error:
                await context.abort(error.code, str(error))

        return grpc.stream_unary_rpc_method_handler(
            answer, response_serializer=handler.response_serializer
        )


def _message(context):
    """Returns what a Body is read with: the one message, then the end."""
    received = []

    async def read():
        if received:
            return b""
        received.append(await context.read())
        if received[0] is grpc.aio.EOF:
            raise invalid("the message is missing")
        return received[0]

    return read


def _parsed(deserializer, raw):
    try:
        return deserializer(bytes(raw))
    except DecodeError as error:
        raise invalid(f"not a message of this method: {error}") from None


def _answered(method):
    """Lets a method raise a RequestError."""

    @functools.wraps(method)
    async def answer(self, request, context):
        try:
            return await method(self, request)
        except RequestError as error:
            await context.abort(error.code, str(error))
        except Exception as error:
            kind = type(error).__name__
            rarely(("gRPC", kind), "gRPC: the server failed: %s: %s", kind, one_line(error))
            await context.abort(grpc.StatusCode.INTERNAL, f"the server failed: {kind}")

    return answer


def _code(error):
    """The name of the status that an exception is answered with."""
    if isinstance(error, RequestError):
        return error.code.name
    return "INTERNAL" if isinstance(error, Exception) else "CANCELLED"


@_answered
async def _of_other_models(self, request):
    raise invalid(f"{type(request).__name__} is for models of another kind; call Predict")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata."""

    def __init__(self, models, workers, batches, limits, counters=None):
        self._models, self._workers, self._batches = models, workers, batches
        self._limits, self.counters = limits, counters

    @_answered
    @counted(_code)
    async def Predict(self, request):
        servable = _chosen(self._models, request, "find")
        async with self._workers.admit():
            signature = servable.signature(request.model_spec.signature_name, self._limits)
            if not signature.joins or request.ByteSize() > batches.SMALL:
                return await self._workers.run(_predict, servable, signature, request)
            arrays = signature.decode(request.inputs)
            chosen = signature.choose(request.output_filter)
            outputs = await self._batches.predict(signature, arrays)
            return _response(servable, signature, {name: outputs[name] for name in chosen})

    @_answered
    async def GetModelMetadata(self, request):
        servable = _chosen(self._models, request, "find")
        if set(request.metadata_field) != {SIGNATURES_FIELD}:
            raise invalid(
                f'metadata_field must be ["{SIGNATURES_FIELD}"], not {list(request.metadata_field)}'
            )
        model_spec, signatures = described(servable)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=model_spec)
        response.metadata[SIGNATURES_FIELD].Pack(signatures)
        return response

    Classify = Regress = MultiInference = _of_other_models


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus."""

    def __init__(self, models):
        self._models = models

    @_answered
    async def GetModelStatus(self, request):
        return _chosen(self._models, request, "status")

    @_answered
    async def HandleReloadConfigRequest(self, request):
        if not request.HasField("config"):
            raise invalid("ReloadConfigRequest: config is missing")
        raise RequestError(
            grpc.StatusCode.UNIMPLEMENTED,
            "ReloadConfigRequest is not served by gan-keras-serve; edit its --model_config_file",
        )


def _chosen(models, request, what):
    """Calls a Model's `find` or `status` for the version that a request's model_spec names."""
    if not request.HasField("model_spec"):
        raise invalid("model_spec is missing")
    spec = request.model_spec
    if not spec.name and what == "find":
        raise invalid("model_spec has no name")
    choice = spec.WhichOneof("version_choice")
    return getattr(models.model(spec.name), what)(
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
    )


def _predict(servable, signature, request):
    results = signature(signature.decode(request.inputs), request.output_filter)
    return _response(servable, signature, results)


def _response(servable, signature, results):
    response = predict_pb2.PredictResponse(model_spec=_spec(servable, signature.name))
    for name, array in results.items():
        tensors.fill(response.outputs[name], array)
    return response


def _spec(servable, signature_name=""):
    spec = model_pb2.ModelSpec(name=servable.name, signature_name=signature_name)
    spec.version.value = servable.version
    return spec
