"""`gan-keras-train`: trains a GAN into a folder, from the start or from where it stopped."""

import dataclasses
import os
from pathlib import Path

from absl import flags as absl_flags

from gan_keras import config as configs
from gan_keras.cli import flags
from gan_keras.cli.moving_sign import moving_sign
from gan_keras.errors import visible

# What belongs together in the help.
GROUPS = {
    "Run": ("preset", "workdir", "dry_run", "steps", "seed", "live", "live_port"),
    "Data": (
        "dataset",
        "data_dir",
        "held_out",
        "image_size",
        "channels",
        "conditional",
        "clusters",
        "flip",
        "batch_size",
    ),
    "Networks": ("network", "width", "latent_dim", "prior"),
    "Game": (
        "generator_loss",
        "discriminator_steps",
        "instance_noise",
        "instance_noise_steps",
        "r1_weight",
        "r2_weight",
        "penalty_every",
        "augment",
        "augment_target",
        "ema_decay",
        "ema_half_life",
        "on_collapse",
    ),
    "Optimisation": (
        "optimizer",
        "learning_rate",
        "discriminator_learning_rate",
        "learning_rate_decay",
        "learning_rate_schedule",
        "beta_1",
        "beta_2",
        "momentum",
        "final_momentum",
        "momentum_steps",
    ),
    "Devices": (
        "mixed_precision",
        "tf32",
        "jit_compile",
        "deterministic",
        "strategy",
        "cross_device_ops",
        "virtual_devices",
        "cluster_timeout",
    ),
    "Reporting": (
        "log_every",
        "sample_every",
        "checkpoint_every",
        "evaluate_every",
        "keep_best",
        "keep_checkpoints",
    ),
}

PICTURES, FOLDER = "pictures", "folder:"  # The preset of a person's own pictures; their prefix.

PROGRAM = "gan-keras-train"
SUMMARY = (
    "Trains a generative adversarial network into a folder. Ctrl-C saves and stops; "
    "the same command resumes the run."
)


def run(argv=None):
    """Runs the command and returns its exit status."""
    return flags.guarded(PROGRAM, lambda: _train(_parse(argv)))


def _parse(argv):
    return flags.parse(argv, PROGRAM, SUMMARY, _define, GROUPS)


def _define(values):
    absl_flags.DEFINE_string(
        "workdir",
        None,
        "Folder of the run (default: runs/<preset>; for --dataset=folder:PATH alone, runs/ and the "
        "folder's name).",
        flag_values=values,
    )
    absl_flags.DEFINE_boolean(
        "dry_run",
        False,
        "Print the configuration, data, networks and devices; train nothing.",
        flag_values=values,
    )
    absl_flags.DEFINE_boolean(
        "live",
        False,
        "Show points, D and V during training on a page of this machine, with pause, step and "
        "reset; for data sets of points. Reset saves the run and replays it from step 0; nothing "
        "is written until the saved step is reached again. After the last step the page stays "
        "until Ctrl-C, if anybody has opened it.",
        flag_values=values,
    )
    absl_flags.DEFINE_integer(
        "live_port",
        8765,
        "Port of that page, on 127.0.0.1 only; 0: any free port.",
        lower_bound=0,
        upper_bound=65535,
        flag_values=values,
    )
    define = {
        bool: absl_flags.DEFINE_boolean,
        int: absl_flags.DEFINE_integer,
        float: absl_flags.DEFINE_float,
        str: absl_flags.DEFINE_string,
    }
    for item in dataclasses.fields(configs.Config):
        # No default, so that a flag that was not given is known: the preset has its value.
        define[item.type](item.name, None, _help(item), flag_values=values)


def _help(item):
    """A field's help with its choices and its value in each preset."""
    text = item.metadata["help"]
    if item.metadata["choices"]:
        text += f" One of {', '.join(map(str, item.metadata['choices']))}."
    if item.name == "preset":
        return f"{text} One of {', '.join(configs.PRESETS)} (default: {item.default})."
    others = [
        f"{preset}: {fields[item.name]}"
        for preset, fields in configs.PRESETS.items()
        if item.name in fields and fields[item.name] not in (item.default, "")
    ]
    default = ([f"default: {item.default}"] if item.default != "" else []) + others
    return f"{text} ({'; '.join(default)})" if default else text


def _config(values):
    """Returns the Config that the flags ask for, and the folder of the run.

    Without --preset a folder that holds a run resumes with that run's configuration, and one of
    pictures is trained on with the preset for them.
    """
    given = {
        item.name: values[item.name].value
        for item in dataclasses.fields(configs.Config)
        if values[item.name].value is not None
    }
    of_folder = given.get("dataset", "").startswith(FOLDER)
    preset = given.get("preset") or (PICTURES if of_folder else "digits")
    workdir = values.workdir
    if not workdir and of_folder and "preset" not in given:
        folder = os.path.expanduser(given["dataset"].removeprefix(FOLDER))
        workdir = f"runs/{os.path.basename(os.path.abspath(folder)) or PICTURES}"
    if "preset" not in given and workdir and _holds_run(workdir):
        return dataclasses.replace(configs.load(workdir), **given), workdir
    return configs.from_preset(**{**given, "preset": preset}), workdir or f"runs/{preset}"


def _holds_run(workdir):
    return os.path.exists(Path(workdir, configs.CONFIG_FILE))


def _choose(config, workdir, values):
    """Lets a folder of pictures decide what no flag says, and prints why.

    Returns:
        The Config; the same one if the data are something else. A run that has begun keeps what
        it began with.
    """
    if config.preset != PICTURES or not config.dataset.startswith(FOLDER):
        return config
    # Who names the preset wants its pictures; whether they have labels the folder knows, and the
    # penalty follows from their size.
    fixed = configs.PRESETS[PICTURES].keys() - {"r1_weight"} if values["preset"].present else ()
    open_fields = {
        name
        for name in configs.folder_choice.FIELDS
        if values[name].value is None and name not in fixed
    }
    if config.clusters:  # In place of classes.
        open_fields.discard("conditional")
    if "augment" not in open_fields:
        open_fields.discard("augment_target")
    if _holds_run(workdir):
        stored = configs.load(workdir)
        return dataclasses.replace(config, **{name: getattr(stored, name) for name in open_fields})
    print(f"looking at {config.dataset}", flush=True)
    flags.import_tensorflow(onednn=True)  # Which reading pictures does not need, and its room does.
    from gan_keras import data

    given = {n: getattr(config, n) for n in ("image_size", "channels") if n not in open_fields}
    chosen = configs.folder_choice.choose(data.survey(config.dataset), config.held_out, **given)
    for name in sorted(open_fields):
        value, reason = chosen[name]
        print(f"chose {_flag(name, value)}: {visible(reason)}")
    return dataclasses.replace(config, **{name: chosen[name][0] for name in open_fields})


def _flag(name, value):
    """A field's value as one gives it on the command line."""
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    return f"--{name}={value}"


def _print_configuration(config, workdir):
    """Prints what differs from the defaults; `config.json` has all."""
    changed = configs.differences(config)
    print(f"preset: {config.preset}; all fields are in {Path(workdir, configs.CONFIG_FILE)}")
    lines = [f"{name}={value}" for name, value in changed.items() if name != "preset"]
    if lines:
        print(f"not at their defaults: {', '.join(lines)}")


def _train(values):
    config, workdir = _config(values)
    if values.live:
        configs.check_live(config)
    config = _choose(config, workdir, values)
    # A changed flag is refused before the seconds that TensorFlow takes.
    config, _ = configs.settle(config, workdir)
    _print_configuration(config, workdir)
    flags.import_tensorflow(onednn=True)
    from gan_keras import training

    if values.dry_run:
        with moving_sign():
            text = training.describe(config, workdir)
        print(text)
        if values.live:
            print(f"live view: on port {values.live_port or 'any that is free'} of 127.0.0.1")
        return
    outcome = training.train(config, workdir, live_port=values.live_port if values.live else None)
    if outcome.first_step == outcome.last_step:
        longer = "give a larger --steps to train on"
        if config.learning_rate_schedule == "cosine":
            longer = "its rates have fallen to 0, and more --steps need another --workdir"
        print(
            f"nothing to do: {workdir} has {outcome.last_step:,} of {config.steps:,} steps; "
            f"{longer}"
        )
    elif outcome.stopped:
        print(f"stopped and saved at step {outcome.last_step:,}; the same command resumes the run")
        return
    else:
        print(f"trained to step {outcome.last_step:,}: checkpoints, logs, samples in {workdir}")
    print(f"watch:  tensorboard --logdir {workdir}/logs")
    score = f"score:  gan-keras-evaluate --workdir {workdir}"
    if config.dataset in configs.DENSITIES:
        print(score)
        return
    from gan_keras import evaluation

    extractor = evaluation.extractor_for(config)
    print(score if extractor == "classifier" else f"{score} --extractor={extractor}")
    name = Path(workdir).name
    best = " --checkpoint=best" if config.keep_best else ""
    print(f"export: gan-keras-export --workdir {workdir} --export_dir exports/{name}{best}")
