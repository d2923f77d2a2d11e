"""TensorFlow Serving's gRPC services: predictions, signatures and status."""

import functools
import logging

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from gan_keras.serving.request_error import RequestError, invalid

SIGNATURES_FIELD = "signature_def"


def server(models, workers, limits):
    """Returns a grpc.aio server with both services, without a port.

    Args:
        models: The Models.
        workers: The Workers for predictions.
        limits: The Limits.
    """
    made = grpc.aio.server(
        interceptors=[_Parsing()],
        # A message is in memory before `workers` can refuse it: this bounds them.
        maximum_concurrent_rpcs=2 * limits.requests,
        options=[
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            # Or a second server on the same port would start, and get half of the requests.
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(models, workers, limits), made
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(models), made)
    return made


def described(servable):
    """Returns a version's ModelSpec and its SignatureDefMap."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    return _spec(servable), signatures


class _Parsing(grpc.aio.ServerInterceptor):
    """Answers what is no message of its kind with INVALID_ARGUMENT; grpc itself says UNKNOWN."""

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is None:
            return None

        async def answer(raw, context):
            try:
                request = handler.request_deserializer(raw)
            except DecodeError as error:
                message = str(invalid(f"not a message of this method: {error}"))
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer, response_serializer=handler.response_serializer
        )


def _answered(method):
    """Lets a method raise a RequestError."""

    @functools.wraps(method)
    async def answer(self, request, context):
        try:
            return await method(self, request)
        except RequestError as error:
            await context.abort(error.code, str(error))
        except Exception as error:
            logging.exception(method.__name__)
            message = f"the server failed: {type(error).__name__}"
            await context.abort(grpc.StatusCode.INTERNAL, message)

    return answer


@_answered
async def _unimplemented(self, request):
    name = type(request).__name__
    raise RequestError(grpc.StatusCode.UNIMPLEMENTED, f"{name} is not served by gan-keras-serve")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata."""

    def __init__(self, models, workers, limits):
        self._models, self._workers, self._limits = models, workers, limits

    @_answered
    async def Predict(self, request):
        servable = _chosen(self._models, request, "find")
        async with self._workers.admit():
            return await self._workers.run(_predict, servable, self._limits, request)

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

    Classify = Regress = MultiInference = _unimplemented


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus."""

    def __init__(self, models):
        self._models = models

    @_answered
    async def GetModelStatus(self, request):
        return _chosen(self._models, request, "status")

    HandleReloadConfigRequest = _unimplemented


def _chosen(models, request, what):
    """Calls a Model's `find` or `status` for the version that a request's model_spec names."""
    if not request.HasField("model_spec"):
        raise invalid("model_spec is missing")
    spec = request.model_spec
    choice = spec.WhichOneof("version_choice")
    return getattr(models.model(spec.name), what)(
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
    )


def _predict(servable, limits, request, manager=None):
    signature = servable.signature(request.model_spec.signature_name, limits)
    results = signature(signature.decode(request.inputs), request.output_filter, manager)
    response = predict_pb2.PredictResponse(model_spec=_spec(servable, signature.name))
    for name, array in results.items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
    return response


def _spec(servable, signature_name=""):
    spec = model_pb2.ModelSpec(name=servable.name, signature_name=signature_name)
    spec.version.value = servable.version
    return spec
