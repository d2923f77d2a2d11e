"""The requests that a server runs when it loads a version, so that no caller meets a slow one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from gan_keras.exporting import contract

MOST_RECORDS = 1_000  # TensorFlow Serving's limit


def write(folder: Path, signatures: Mapping[str, Any]) -> None:
    """Writes the file into a version's folder: each signature, each batch size.

    Args:
        folder: Of the version.
        signatures: Functions by name, each with its `input_signature`.
    """
    path = folder / contract.WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in contract.ALLOWED_BATCH_SIZES:
            for name, function in sorted(signatures.items()):
                request = predict_pb2.PredictRequest()
                request.model_spec.name = contract.MODEL_NAME
                request.model_spec.signature_name = name
                for spec in function.input_signature:
                    value = tf.zeros([size, *spec.shape[1:]], spec.dtype)
                    request.inputs[spec.name].CopyFrom(tf.make_tensor_proto(value))
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())


def records(file: Path) -> Iterator[bytes]:
    """Yields the records of such a file, each a PredictionLog.

    Raises:
        tf.errors.OpError: it is no TFRecord file without compression.
    """
    options = tf.data.Options()
    options.autotune.enabled = False  # As in data/pipeline.py, which a server does not load.
    yield from tf.data.TFRecordDataset(str(file)).with_options(options).as_numpy_iterator()
