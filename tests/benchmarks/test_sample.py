"""`benchmarks.sample`: all methods make the same pictures, and the table has their speeds."""

import itertools

import numpy as np
import pytest

from benchmarks import commands, contestants, load, sample, serve, workload
from benchmarks.sample import BATCH_SIZES, METHODS
from gan_keras import config as configs
from gan_keras import exporting, training
from gan_keras.config.random_streams import SERVED
from gan_keras.drawing import images
from gan_keras.exporting import contract
from gan_keras.game import PRIORS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What `benchmarks.sample` measures, after two steps."""
    folder = tmp_path_factory.mktemp("sample")
    config = configs.from_preset(**workload.overrides(steps=2))
    training.train(config, folder / commands.RUN)
    for name, dtype in ((commands.EXPORT, "float32"), (commands.EXPORT_BFLOAT16, "bfloat16")):
        exporting.export(folder / commands.RUN, folder / name, dtype=dtype)
    return folder


def test_the_peers_of_sampling_have_keras_s_own_layers(folder):
    modules = {type(layer).__module__ for layer in sample.generator(folder).layers}
    assert {module.split(".")[0] for module in modules} == {"keras"}


@pytest.mark.parametrize("name", METHODS)
def test_all_methods_make_the_same_pictures(name, folder):
    """As those of Keras' own layers, in the process itself."""
    method, model = METHODS[name], sample.generator(folder)
    drawn = [PRIORS["normal"](model.input_shape[1:], seed=[seed, SERVED]) for seed in range(3)]
    made = method.load(folder)(np.arange(3) if method.of_seeds else np.stack(drawn))
    expected = model(np.stack(drawn), training=False).numpy()
    # A sum in another order may move a pixel across the border between two levels.
    limit = 0.1 if name == "exported-bfloat16" else 1e-5
    if method.of_seeds:
        expected, limit = np.round((expected - contract.PIXEL_MIN) * 127.5), 1
    if name == "exported-png":
        made = np.stack([images.decode_png(file) for file in made])
    np.testing.assert_allclose(made.astype(np.float64), expected, rtol=0, atol=limit)


def test_fastapi_answers_the_clients_of_the_server(folder):
    for library in ("fastapi", "uvicorn"):
        pytest.importorskip(library, reason=f"needs `{contestants.INSTALL}`")
    with serve.started(serve.PREDICT, str(folder)) as addresses:
        ticks = itertools.count().__next__
        spans, _ = load.load(addresses["rest"], "rest", [0, 1], 2, 0, 9, now=ticks)
    assert len(spans) >= 2


def test_each_batch_size_is_measured(folder):
    for name in ("exported", "exported-sample"):
        speeds = sample.measure(name, str(folder), 0, 0, batch_sizes=(1, 3))
        assert list(speeds) == ["1", "3"]
        assert min(speeds.values()) > 0


def test_sample_reports_ratios_at_each_batch_size():
    def result(speed):
        return {str(size): speed * size for size in BATCH_SIZES}

    # Only `exported` changes from round to round: 4, 1 and 2 times the others.
    rounds = [
        {name: result(times if name == "exported" else 1.0) for name in METHODS}
        for times in (4.0, 1.0, 2.0)
    ]
    lines = object.__new__(sample.Sample).table(rounds).splitlines()
    heads = [line for line in lines if line.startswith("| dcgan ")]
    sizes = [head.split("|")[2].split()[1] for head in heads]
    assert sizes == ["1,", "16,", "256,"]
    of_16 = lines[lines.index(heads[1]) :]
    row = next(line for line in of_16 if line.startswith("| exported "))
    ratio = "2.00 (1.00–4.00)"
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    assert cells == ["32 (16–64)", ratio, ratio, ratio, "1.00"]
