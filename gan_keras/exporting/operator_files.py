"""Rules of the operator's files: models, batching, monitoring, TLS, and the server's flags.

No TensorFlow. Three of the messages are not in tensorflow-serving-api; they are declared here,
from the fields that TensorFlow Serving's session_bundle_config.proto, monitoring_config.proto and
ssl_config.proto have, so that an unknown field or a wrong type is an error here as it is there.
The field numbers are our own: text form does not use them.
"""

import dataclasses
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import wrappers_pb2 as wrappers

from gan_keras.errors import UsageError
from gan_keras.exporting import contract, model_config
from gan_keras.exporting.conformance import Broken, Finding, Rules, run

MODELS, BATCHING = "models.config", "batching.config"
MONITORING, TLS = "monitoring.config", "ssl.config"
_MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": ".google.protobuf.Int64Value",
        "batch_timeout_micros": ".google.protobuf.Int64Value",
        "max_enqueued_batches": ".google.protobuf.Int64Value",
        "num_batch_threads": ".google.protobuf.Int64Value",
        "thread_pool_name": ".google.protobuf.StringValue",
        "allowed_batch_sizes": "repeated int64",
        "pad_variable_length_inputs": "bool",
    },
    "PrometheusConfig": {"enable": "bool", "path": "string"},
    "MonitoringConfig": {"prometheus_config": ".operator_files.PrometheusConfig"},
    "SSLConfig": {
        "server_key": "string",
        "server_cert": "string",
        "custom_ca": "string",
        "client_verify": "bool",
    },
}


@dataclasses.dataclass(frozen=True)
class Operator:
    """What an operator gives a server.

    Attributes:
        folder: Folder of the files.
        versions: Folders of the exported versions, by version.
    """

    folder: Path
    versions: Mapping[int, Path]

    def read(self, file: str) -> str:
        """Returns a file's text; a Broken if it cannot be read."""
        try:
            return (self.folder / file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise Broken(f"{file}: cannot be read: {error}") from None

    def parsed(self, file: str, message: str) -> Any:
        """Returns a file as a message; a Broken if it is none."""
        text = self.read(file)
        if not re.sub(r"#.*", "", text).strip():
            raise Broken(f"{file}: is empty, which keeps a server from starting")
        try:
            return text_format.Parse(text, messages()[message]())
        except text_format.ParseError as error:
            raise Broken(f"{file}: no {message}: line and column {error}") from None


def check(folder: Path, versions: Mapping[int, Path]) -> list[Finding]:
    """Checks the files of a folder; only models.config has to be there.

    Args:
        folder: The folder.
        versions: Folders of the exported versions, by version.
    """
    operator = Operator(folder, versions)
    findings: list[Finding] = []
    for file, rules in RULES.items():
        if file == MODELS or (folder / file).exists():
            findings += run(rules, operator)
        else:
            findings += [Finding(rule, f"no {file}", None) for rule in rules]
    return findings + list(run(FLAGS, operator))


@functools.cache
def messages() -> dict[str, Any]:
    """Returns the classes of the declared messages, by name."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="operator_files.proto", package="operator_files", syntax="proto3"
    )
    file.dependency.append(wrappers.DESCRIPTOR.name)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, spelled) in enumerate(fields.items(), 1):
            many, _, type_name = spelled.rpartition(" ")
            declared = message.field.add(name=field, number=number)
            declared.label = kind.LABEL_REPEATED if many else kind.LABEL_OPTIONAL
            if type_name.startswith("."):
                declared.type, declared.type_name = kind.TYPE_MESSAGE, type_name
            else:
                declared.type = kind.Type.Value(f"TYPE_{type_name.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"operator_files.{name}"))
        for name in _MESSAGES
    }


def _models(operator):
    return model_config.from_text(operator.read(MODELS), MODELS)


def _accepted(operator):
    try:
        models = _models(operator)
    except UsageError as error:
        raise Broken(str(error)) from None
    names = [model.name for model in models]
    if contract.MODEL_NAME not in names:
        raise Broken(f"{MODELS}: no model `{contract.MODEL_NAME}`, which clients ask for")
    for model in models:
        if model.base_path.name.isdigit():
            raise Broken(f"{MODELS}: base_path {model.base_path} ends in a version's number")
    return ", ".join(f"`{name}`" for name in names)


def _labels(operator):
    """A label may only point at a loaded version."""
    model = next(each for each in _models(operator) if each.name == contract.MODEL_NAME)
    there = ", ".join(map(str, sorted(operator.versions))) or "none"
    for version in sorted(model.specific or ()):
        if version not in operator.versions:
            raise Broken(f"specific: version {version} is not there (versions: {there})")
    served = model.choose(operator.versions)
    for label, version in model.labels.items():
        if version not in served:
            which = "is not there" if version not in operator.versions else "is not served"
            raise Broken(f"label `{label}`: version {version} {which} (versions: {there})")
    told = ", ".join(f"`{label}`: {version}" for label, version in sorted(model.labels.items()))
    return told or "no labels"


def _batching(operator):
    batching = operator.parsed(BATCHING, "BatchingParameters")
    sizes, most = list(batching.allowed_batch_sizes), batching.max_batch_size.value
    if sizes != sorted(set(sizes)):
        raise Broken(f"allowed_batch_sizes {sizes} do not increase")
    if sizes and sizes[-1] != most:
        raise Broken(f"allowed_batch_sizes end at {sizes[-1]}, max_batch_size is {most}")
    if most != contract.MAX_BATCH_SIZE or tuple(sizes) != contract.ALLOWED_BATCH_SIZES:
        raise Broken(f"sizes {sizes} are not those of the warm-up, {contract.ALLOWED_BATCH_SIZES}")
    if batching.HasField("num_batch_threads") and batching.num_batch_threads.value < 1:
        raise Broken(f"num_batch_threads is {batching.num_batch_threads.value}, must be 1 or more")
    return f"{sizes} rows"


def _monitoring(operator):
    prometheus = operator.parsed(MONITORING, "MonitoringConfig").prometheus_config
    if not prometheus.enable or not prometheus.path.startswith("/"):
        raise Broken(f"{MONITORING}: enable is {prometheus.enable}, path is `{prometheus.path}`")
    return prometheus.path


def _tls(operator):
    config = operator.parsed(TLS, "SSLConfig")
    for field in ("server_key", "server_cert"):
        if not getattr(config, field).lstrip().startswith("-----BEGIN"):
            raise Broken(f"{TLS}: {field} is no PEM text; it takes the contents, not a path")
    return "PEM contents"


def _flags(operator):
    """Flags that contradict each other, wherever a container or a pod is described."""
    files = sorted(each for each in operator.folder.rglob("*") if each.suffix in (".yml", ".yaml"))
    checked = 0
    for path in files:
        text = operator.read(str(path.relative_to(operator.folder)))
        flags = dict(re.findall(r"^\s*- [\"']?--(\w+)=([^\s\"']*)", text, re.MULTILINE))
        if not {"model_config_file", "model_base_path"} & flags.keys():
            continue
        checked += 1
        labelled = "model_config_file" in flags and any(each.labels for each in _models(operator))
        for wrong, told in (
            (
                "batching_parameters_file" in flags and flags.get("enable_batching") != "true",
                "--batching_parameters_file without --enable_batching=true: it does not start",
            ),
            (
                "monitoring_config_file" in flags and "rest_api_port" not in flags,
                "--monitoring_config_file without --rest_api_port: nothing is counted",
            ),
            (
                flags.get("enable_serialization_as_tensor_content", "false") != "false",
                "--enable_serialization_as_tensor_content: it dies at a REST request",
            ),
            (
                labelled
                and flags.get("allow_version_labels_for_unavailable_models", "false") != "true",
                "labels without --allow_version_labels_for_unavailable_models=true:"
                " it does not start",
            ),
        ):
            if wrong:
                raise Broken(f"{path.name}: {told}")
    return f"{checked} file{'s' * (checked != 1)} with a server's flags"


RULES: dict[str, Rules] = {
    MODELS: {
        "models.config is accepted": _accepted,
        "labels point at versions": _labels,
    },
    BATCHING: {"batches are those of the warm-up": _batching},
    MONITORING: {"monitoring.config is accepted": _monitoring},
    TLS: {"ssl.config holds PEM contents": _tls},
}
FLAGS: Rules = {"the server's flags agree": _flags}
