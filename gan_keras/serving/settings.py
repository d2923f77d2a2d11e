"""Which models to serve: from two flags or from TensorFlow Serving's configuration file."""

import dataclasses
import heapq
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from gan_keras.errors import UsageError, UserError

MAX_VERSION = 2**63 - 1  # int64 in the protocols
PLATFORM = "tensorflow"


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

    def wanted(self):
        """Returns the folders of the versions to serve, by version.

        Raises:
            OSError: the base path cannot be listed.
        """
        found = {}
        for folder in sorted(self.base_path.iterdir()):
            name = folder.name
            if not (name.isascii() and name.isdigit() and _may_be_folder(folder)):
                continue
            version = int(name) if len(name) < 100 else MAX_VERSION + 1
            # `1` and `001` are the same version: the plain spelling wins.
            if version <= MAX_VERSION and (version not in found or name == str(version)):
                found[version] = folder
        if self.specific is not None:
            return {version: found[version] for version in self.specific & found.keys()}
        chosen = found if self.newest is None else heapq.nlargest(self.newest, found)
        return {version: found[version] for version in chosen}


def _may_be_folder(path):
    """Whether a path is a folder, or cannot be looked at: then loading it tells why."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def from_flags(name, base_path):
    """Returns the settings that --model_name and --model_base_path ask for.

    Raises:
        UsageError: a flag is missing or has a value that cannot be used.
    """
    if not base_path:
        raise UsageError(
            "--model_base_path: required, or --model_config_file; it is the folder that"
            " gan-keras-export --export_dir wrote"
        )
    if not name or re.search("[/:]", name):
        raise UsageError(f"--model_name={name}: must be a name without / and :")
    return (ModelSettings(name, Path(base_path).absolute()),)


def from_file(path):
    """Returns the settings of all models of a text ModelServerConfig.

    Raises:
        UsageError: the file cannot be read, or TensorFlow Serving would not accept it.
    """
    where = f"--model_config_file={path}"
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file in UTF-8"
        raise UsageError(f"{where}: cannot be read: {reason}") from None
    try:
        parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{where}: not a ModelServerConfig: line and column {reason}") from None
    if not parsed.model_config_list.config:
        raise UsageError(f"{where}: names no model; add model_config_list {{ config {{ ... }} }}")
    models = {}
    for config in parsed.model_config_list.config:
        settings = _from_config(config, f"{where}: model `{config.name}`")
        if settings.name in models:
            raise UsageError(f"{where}: two models are named `{settings.name}`; rename one")
        models[settings.name] = settings
    return tuple(models.values())


def _from_config(config, where):
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
    newest, specific = 1, None
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


def check_folder(settings):
    """Raises a UserError unless the model's base path has a version to serve."""
    where = f"model `{settings.name}`: {settings.base_path}"
    export = (
        f"export a version with gan-keras-export --workdir <run> --export_dir {settings.base_path}"
    )
    try:
        if settings.wanted():
            return
    except FileNotFoundError:
        raise UserError(f"{where} does not exist; {export}") from None
    except OSError as error:
        raise UserError(f"{where} cannot be listed: {error.strerror}; {export}") from None
    if settings.specific is not None:
        raise UserError(f"{where} has none of the versions {sorted(settings.specific)}; {export}")
    raise UserError(f"{where} has no version, a folder named by a whole number; {export}")
