"""An export as it should be, and what of it a test makes wrong."""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from gan_keras import networks
from gan_keras.exporting import contract, served, version_files, warm_up
from tests.exporting.wrong_exports import LATENT_DIM


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Version folder 1 of an export as `saved_model.export` makes it."""
    folder = tmp_path_factory.mktemp("conformance") / "1"
    generator, _ = networks.build("mlp", shape=(4, 4, 1), latent_dim=LATENT_DIM, width=4, seed=0)
    module = served.Served(generator, "normal")
    signatures = module.signatures()
    tf.saved_model.save(module, str(folder), signatures=signatures)
    warm_up.write(folder, signatures)
    card = {"step": 3, "classes": [], "config": {"latent_dim": LATENT_DIM}}
    (folder / contract.MODEL_CARD_FILE).write_text(json.dumps(card))
    return folder


@pytest.fixture
def copy(good, tmp_path):
    """A copy of it, to be made wrong."""
    return Path(shutil.copytree(good, tmp_path / "exports" / "1"))


@pytest.fixture
def graph(good):
    """Its MetaGraphDef, to be made wrong."""
    return version_files.meta_graph(good)
