"""A SavedModel in a session: the same as its functions, and what else a folder may hold."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from gan_keras.exporting import contract, stored
from gan_keras.serving import sessions

PATIENCE = 120  # seconds; reached only where a test fails


def functions(folder, **options):
    graph = stored.Stored(folder, stored.meta_graph(folder))
    session = sessions.load(graph)
    return session, {
        name: sessions.Function(session, definition, **options)
        for name, definition in graph.signatures.items()
    }


def test_the_bytes_are_those_of_the_saved_models_functions(exported):
    """Of all signatures of an export, at a lone row and at several."""
    _, made = functions(exported)
    loaded = tf.saved_model.load(str(exported)).signatures
    assert made.keys() == loaded.keys()
    for name, function in made.items():
        specs = loaded[name].structured_input_signature[1]
        assert {key: spec.shape for key, spec in function.inputs.items()} == {
            key: spec.shape for key, spec in specs.items()
        }
        for rows in (1, 4, 7):
            arrays = {
                key: np.random.default_rng(rows).normal(size=(rows, *spec.shape[1:]))
                if key == contract.LATENTS
                else np.arange(rows) % 10
                for key, spec in specs.items()
            }
            arrays = {key: arrays[key].astype(specs[key].dtype.as_numpy_dtype) for key in arrays}
            expected = loaded[name](**{key: tf.constant(array) for key, array in arrays.items()})
            answer = function(arrays)
            assert answer.keys() == expected.keys()
            for key, array in answer.items():
                assert array.tolist() == expected[key].numpy().tolist(), (name, key)
                assert tf.as_dtype(array.dtype) == expected[key].dtype


def test_a_graph_without_an_end_is_ended(saved):
    _, made = functions(saved / "odd", seconds=0.1)
    with pytest.raises(tf.errors.DeadlineExceededError):
        made["spin"]({"turns": np.array([2**62])})
    assert made["spin"]({"turns": np.array([3])})["turns"].tolist() == [3]


def test_the_end_of_a_session_ends_what_it_runs(saved):
    session, made = functions(saved / "odd")
    begun, ended = threading.Event(), []

    def spin():
        begun.set()
        try:
            made["spin"]({"turns": np.array([2**62])})
        except (tf.errors.CancelledError, RuntimeError) as error:  # while it ran, or before
            ended.append(error)

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    assert begun.wait(PATIENCE)
    session.close()
    thread.join(PATIENCE)
    assert len(ended) == 1


def test_tables_and_their_files_are_loaded(tmp_path):
    """Of foreign models: they are filled when the version is loaded."""
    words = tmp_path / "words.txt"
    words.write_text("zero\none\n")

    class Vocabulary(tf.Module):
        def __init__(self):
            self.words = tf.saved_model.Asset(str(words))
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    self.words,
                    tf.string,
                    tf.lookup.TextFileIndex.WHOLE_LINE,
                    tf.int64,
                    tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                -1,
            )

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def number(self, text):
            return {"number": self.table.lookup(text)}

    model = Vocabulary()
    tf.saved_model.save(model, str(tmp_path / "1"), signatures={"number": model.number})
    words.unlink()
    _, made = functions(tmp_path / "1")
    given = np.array([b"one", b"two", b"zero"], object)
    assert made["number"]({"text": given})["number"].tolist() == [1, -1, 0]


def test_a_folder_without_its_variables_is_refused(saved, tmp_path):
    """TensorFlow Serving serves it, and answers 400 for ever."""
    (tmp_path / "saved_model.pb").write_bytes((saved / "first" / "saved_model.pb").read_bytes())
    with pytest.raises(tf.errors.NotFoundError, match="variables"):
        functions(tmp_path)
