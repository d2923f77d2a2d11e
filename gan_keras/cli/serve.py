"""`gan-keras-serve`: TensorFlow Serving's API in one process, for machines without Docker."""

import contextlib
import dataclasses
import logging
import os
import sys

from absl import flags as absl_flags

from gan_keras.cli import addresses, flags, tokens
from gan_keras.errors import UsageError
from gan_keras.exporting import contract
from gan_keras.serving.limits import Limits

logger = logging.getLogger(__name__)

PROGRAM = "gan-keras-serve"
SUMMARY = (
    "Serves exported models with TensorFlow Serving's API, in one process. The flags are those of"
    " tensorflow_model_server, but for --address, --page, --ssl_*, --token_file, --insecure,"
    " --allow_foreign_models and --max_*."
)
# What gRPC and asyncio take; more would end in a trace after the models are loaded.
MOST = 2**31 - 1


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _serve(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string(
        "model_config_file",
        None,
        "Text file of a ModelServerConfig; --model_name and --model_base_path are then ignored.",
        flag_values=values,
    )
    absl_flags.DEFINE_integer(
        "model_config_file_poll_wait_seconds",
        1,
        "Seconds between two looks at --model_config_file; 0 looks at the start only, which is the"
        " default of tensorflow_model_server.",
        lower_bound=0,
        upper_bound=contract.MOST_SECONDS,
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "model_name", contract.MODEL_NAME, "Name of the model in requests.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "model_base_path",
        None,
        "Folder of the versions, the --export_dir of gan-keras-export.",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "address",
        "127.0.0.1",
        "Address to listen on; 0.0.0.0 lets other machines in, with TLS or --insecure only.",
        flag_values=values,
    )
    for name, text in (
        ("ssl_cert", "PEM file of the server's certificate, for TLS on both ports."),
        ("ssl_key", "PEM file of its private key."),
        (
            "token_file",
            "File with a token that every request has to bring: Authorization: Bearer <token>.",
        ),
    ):
        absl_flags.DEFINE_string(name, None, text, flag_values=values)
    absl_flags.DEFINE_boolean(
        "insecure",
        False,
        "Listen without TLS on an --address that other machines reach, behind a proxy say.",
        flag_values=values,
    )
    for name, default, protocol in (
        ("port", contract.GRPC_PORT, "gRPC"),
        ("rest_api_port", contract.REST_PORT, "REST"),
    ):
        absl_flags.DEFINE_integer(
            name,
            default,
            f"Port for {protocol}; 0 turns it off.",
            lower_bound=0,
            upper_bound=65535,
            flag_values=values,
        )
    absl_flags.DEFINE_integer(
        "file_system_poll_wait_seconds",
        1,
        "Seconds between two looks for new versions; 0 looks at the start only.",
        lower_bound=0,
        upper_bound=contract.MOST_SECONDS,
        flag_values=values,
    )
    for limit in dataclasses.fields(Limits):
        is_float = limit.type is float
        define = absl_flags.DEFINE_float if is_float else absl_flags.DEFINE_integer
        define(
            f"max_{limit.name}",
            limit.default,
            limit.metadata["help"],
            lower_bound=0.1 if is_float else 1,
            upper_bound=contract.MOST_SECONDS if is_float else MOST,
            flag_values=values,
        )
    absl_flags.DEFINE_boolean(
        "allow_version_labels_for_unavailable_models",
        False,
        "Accept version labels that point at a version that is not loaded.",
        flag_values=values,
    )
    absl_flags.DEFINE_boolean(
        "page",
        True,
        "Show pictures on a page at / of the REST port. It links to the model card, which says "
        "where the model comes from.",
        flag_values=values,
    )
    absl_flags.DEFINE_boolean(
        "allow_foreign_models",
        False,
        "Load models whose signatures gan-keras-export does not make. A model can run any code:"
        " serve only those that you trust.",
        flag_values=values,
    )


def _serve(values):
    # Logged, not printed: a terminal that is gone, or a full disk, must not end a server.
    logger.info(
        "gan-keras-serve is the embedded server, for machines without Docker;"
        " TensorFlow Serving is the production server (see serving/README.md)"
    )
    if not (values.port or values.rest_api_port):
        raise UsageError("--port=0 and --rest_api_port=0: both are off; give one of them a port")
    if values.port == values.rest_api_port:
        raise UsageError(f"--port and --rest_api_port are both {values.port}; change one of them")
    from gan_keras.serving import access, server, settings

    allowed = access.Access(values.ssl_cert, values.ssl_key, tokens.read(values.token_file))
    addresses.check(values.address, allowed.certificate, values.insecure)
    if values.model_config_file:
        models = settings.from_file(values.model_config_file)
    else:
        models = settings.from_flags(values.model_name, values.model_base_path)
    for model in models:
        settings.check_folder(model)
    # Before the seconds that TensorFlow takes, so that a taken port is reported at once.
    grpc_at = server.reserve(values.address, values.port, "port")
    rest_at = server.reserve(values.address, values.rest_api_port, "rest_api_port")
    flags.import_tensorflow()
    limits = dataclasses.fields(Limits)
    hanging = server.run(
        models,
        grpc_at,
        rest_at,
        values.file_system_poll_wait_seconds,
        limits=Limits(**{each.name: values[f"max_{each.name}"].value for each in limits}),
        allow_unavailable_labels=values.allow_version_labels_for_unavailable_models,
        allow_foreign_models=values.allow_foreign_models,
        config_file=values.model_config_file,
        config_seconds=values.model_config_file_poll_wait_seconds,
        page=values.page,
        access=allowed,
    )
    logger.info("stopped")
    if hanging:
        logger.warning("left behind: %s, which does not end", ", ".join(hanging))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)
