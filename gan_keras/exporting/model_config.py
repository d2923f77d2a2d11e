"""TensorFlow Serving's --model_config_file: which models, which versions, which labels.

A text ModelServerConfig, read by the same rules as TensorFlow Serving reads it. No TensorFlow.
"""

import dataclasses
import heapq
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from gan_keras.errors import UsageError

MAX_VERSION = 2**63 - 1  # int64 in the protocols
PLATFORM = "tensorflow"
FLAG = "--model_config_file"


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """One model: where its versions are, and which of them to serve.

    Args:
        name: The name in requests.
        base_path: Folder of the version folders.
        newest: Serve this many of the highest versions; None for all.
        specific: Serve just these versions, whatever `newest` says; None for no choice.
        labels: Other names of versions.
    """

    name: str
    base_path: Path
    newest: int | None = 1
    specific: frozenset[int] | None = None
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def wanted(self) -> dict[int, Path]:
        """Returns the folders of the versions to serve, by version.

        Raises:
            OSError: the base path cannot be listed.
        """
        return self.choose(versions(self.base_path))

    def choose(self, found: Mapping[int, Path]) -> dict[int, Path]:
        """Returns those of the folders, by version, that the policy serves."""
        if self.specific is not None:
            return {version: found[version] for version in self.specific & found.keys()}
        chosen = found if self.newest is None else heapq.nlargest(self.newest, found)
        return {version: found[version] for version in chosen}


def versions(base_path: Path) -> dict[int, Path]:
    """Returns the version folders in a base path, by version.

    Raises:
        OSError: the base path cannot be listed.
    """
    found: dict[int, Path] = {}
    for folder in sorted(base_path.iterdir()):
        name = folder.name
        if not (name.isascii() and name.isdigit() and _may_be_folder(folder)):
            continue
        version = int(name) if len(name) < 100 else MAX_VERSION + 1
        # `1` and `001` are the same version: the plain spelling wins.
        if version <= MAX_VERSION and (version not in found or name == str(version)):
            found[version] = folder
    return found


def _may_be_folder(path):
    """Whether a path is a folder, or cannot be looked at: then loading it tells why."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def read_text(path: str | Path) -> str:
    """Returns the text of a configuration file, with the ends of lines that it has.

    Raises:
        UsageError: it cannot be read, or is no text.
    """
    try:
        return Path(path).read_bytes().decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file in UTF-8"
        raise UsageError(f"{FLAG}={path}: cannot be read: {reason}") from None


def from_file(path: str | Path) -> tuple[ModelSettings, ...]:
    """Returns the settings of all models of a text ModelServerConfig.

    Raises:
        UsageError: the file cannot be read, or TensorFlow Serving would not accept it.
    """
    return from_text(read_text(path), f"{FLAG}={path}")


def from_text(text: str, where: str) -> tuple[ModelSettings, ...]:
    """Returns the settings of all models of a text ModelServerConfig.

    Args:
        text: The text.
        where: What messages begin with: where the text comes from.

    Raises:
        UsageError: TensorFlow Serving would not accept it.
    """
    parsed = _parse(text, where)
    if not parsed.model_config_list.config:
        raise UsageError(f"{where}: names no model; add model_config_list {{ config {{ ... }} }}")
    models: dict[str, ModelSettings] = {}
    for config in parsed.model_config_list.config:
        settings = _from_config(config, f"{where}: model `{config.name}`")
        if settings.name in models:
            raise UsageError(f"{where}: two models are named `{settings.name}`; rename one")
        models[settings.name] = settings
    return tuple(models.values())


def _parse(text: str, where: str) -> Any:
    try:
        return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{where}: not a ModelServerConfig: line and column {reason}") from None


def _from_config(config: Any, where: str) -> ModelSettings:
    """Checks one ModelConfig as TensorFlow Serving does."""
    if not config.name or re.search("[/:]", config.name):
        raise UsageError(f"{where}: name must not be empty or contain / or :")
    if not config.base_path.startswith("/"):
        raise UsageError(f"{where}: base_path `{config.base_path}` must be an absolute path")
    if config.model_type != 1 and config.model_platform != PLATFORM:  # model_type 1: TENSORFLOW
        raise UsageError(
            f"{where}: model_platform `{config.model_platform}` is unknown;"
            f' write model_platform: "{PLATFORM}"'
        )
    policy = config.model_version_policy
    newest: int | None = 1
    specific: frozenset[int] | None = None
    match policy.WhichOneof("policy_choice"):
        case "latest":
            newest = max(policy.latest.num_versions, 1)
        case "all":
            newest = None
        case "specific":
            specific = frozenset(policy.specific.versions)
            if not specific or min(specific) < 0:
                raise UsageError(
                    f"{where}: model_version_policy specific needs versions >= 0,"
                    f" not {sorted(specific)}"
                )
    labels = dict(config.version_labels)
    for label in labels:
        if not re.fullmatch("[a-zA-Z0-9_]+", label):
            raise UsageError(
                f"{where}: version label `{label}` must be of letters, digits and _ only"
            )
    return ModelSettings(config.name, Path(config.base_path), newest, specific, labels)
