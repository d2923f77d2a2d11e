"""`gan-keras-promote`: lets a label, as `stable`, point at the version of another, as `canary`."""

import re

from absl import flags as absl_flags

from gan_keras.cli import flags, tokens
from gan_keras.errors import UsageError, UserError
from gan_keras.exporting import contract

PROGRAM = "gan-keras-promote"
SUMMARY = (
    "Compares the scores of two labelled versions, refuses a worse one, moves the label in the "
    "server's configuration, and waits until the server answers with the new version. --rollback "
    "moves it back."
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _promote(flags.parse(argv, PROGRAM, SUMMARY, _define)))


def _define(values):
    absl_flags.DEFINE_string("export_dir", None, "Folder of the versions.", flag_values=values)
    absl_flags.DEFINE_string(
        "model_config_file", None, "The server's configuration; it is edited.", flag_values=values
    )
    absl_flags.DEFINE_string(
        "from", "canary", "Label of the version to promote.", flag_values=values
    )
    absl_flags.DEFINE_string("to", "stable", "Label to move to that version.", flag_values=values)
    absl_flags.DEFINE_boolean(
        "rollback",
        False,
        "Move --to back to the version that it had before, without comparing scores.",
        flag_values=values,
    )
    absl_flags.DEFINE_boolean(
        "force", False, "Promote a version that is worse, or has no scores.", flag_values=values
    )
    absl_flags.DEFINE_list(
        "scores",
        [],
        "Runs, folders or files with score cards that were made after the export.",
        flag_values=values,
    )
    absl_flags.DEFINE_string(
        "server",
        f"127.0.0.1:{contract.REST_PORT}",
        "HOST:PORT of the server's REST port; empty: wait for no server.",
        flag_values=values,
    )
    tokens.define_for_clients(values)
    absl_flags.DEFINE_string(
        "model", contract.MODEL_NAME, "Name of the model on the server.", flag_values=values
    )
    absl_flags.DEFINE_float(
        "timeout",
        90.0,
        "Seconds to wait for the server; it reads its configuration every 30 s in "
        "serving/docker-compose.yml.",
        lower_bound=0.0,
        flag_values=values,
    )


def _promote(values):
    for name in ("export_dir", "model_config_file"):
        if not values[name].value:
            raise UsageError(f"--{name}: required; see {PROGRAM} --help")
    if not re.fullmatch("[a-zA-Z0-9_]+", values.to):
        raise UsageError(f"--to={values.to}: a label is made of letters, digits and _ only")
    # With NumPy and Pillow: not imported for who asks for help.
    from gan_keras.client import promotion

    labels = promotion.Labels(values.model_config_file, values.model)
    target, now = values.to, labels.settings.labels.get(values.to)
    version = labels.before(target) if values.rollback else labels.version(values["from"].value)
    if version == now:
        print(f"`{target}` is version {version} already; nothing to do")
        return 0
    labels.check_served(version, values.export_dir)
    if now is not None and not values.rollback:
        _compare(values, now, version)
    status = _status(values) if values.server else None
    if status:
        promotion.wait_available(status, version, values.timeout)
    labels.move(target, version, values.rollback)
    if status:
        promotion.wait_labelled(status, target, version, values.timeout)
    if not values.rollback:
        print(
            f"back:  {PROGRAM} --export_dir={values.export_dir}"
            f" --model_config_file={values.model_config_file} --to={target} --rollback"
        )
    return 0


def _status(values):
    from gan_keras.client.server_status import ServerStatus

    token = tokens.read(values.token_file)
    return ServerStatus(values.server, values.model, values.tls, values.ca_cert, token)


def _compare(values, now, version):
    from gan_keras.client import promotion

    try:
        verdicts = promotion.compare(values.export_dir, now, version, values.scores)
    except UserError as error:
        if not values.force:
            raise
        print(f"not compared: {error}")
        return
    promotion.refuse_worse(verdicts, version, values.force)
