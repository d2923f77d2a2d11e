"""The devices and processes that train together.

`strategy` makes a `tf.distribute` strategy; `cluster`, which needs no TensorFlow, reads TF_CONFIG
and waits for the other workers.
"""
