"""Parts of an export that is made wrong on purpose."""

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from gan_keras.exporting import conformance, contract

LATENT_DIM = 6


def failures(findings):
    return {each.rule: each.found for each in conformance.failed(findings)}


def signature(graph, name="sample"):
    return graph.signature_def[name]


def request(name="sample", rows=1, dtype=tf.int64, key="seed"):
    made = predict_pb2.PredictRequest()
    made.model_spec.signature_name = name
    made.inputs[key].CopyFrom(tf.make_tensor_proto(tf.zeros([rows], dtype)))
    return made


def logged(made):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(made)
    return log


def write(folder, messages, options=""):
    with tf.io.TFRecordWriter(str(folder / contract.WARMUP_FILE), options) as records:
        for message in messages:
            records.write(message if isinstance(message, bytes) else message.SerializeToString())
