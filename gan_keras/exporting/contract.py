"""Names and ranges that cross a process boundary: exporter, servers, clients, operators.

Whatever stands here also stands in a saved model, in `serving/*.config` or in somebody's
client; changing it breaks them. Nothing is imported, so that every process can afford to.
"""

MODEL_NAME = "generator"

# Signatures of the exported SavedModel: name, inputs, its one output. A conditional generator
# takes `label` beside `latents`, and has the two signatures that end in `_label` and `classes` too.
LATENTS_SIGNATURE = "serving_default"  # latents float32 (batch, latent_dim) -> images float32
SEED_LATENTS_SIGNATURE = "latents"  # seed int64 (batch,) -> latents float32 (batch, latent_dim)
SAMPLE_SIGNATURE = "sample"  # seed int64 (batch,) -> images uint8
PNG_SIGNATURE = "png"  # seed int64 (batch,) -> png_bytes, one PNG file per row
SAMPLE_LABEL_SIGNATURE = "sample_label"  # seed and label, int64 (batch,) -> images uint8
PNG_LABEL_SIGNATURE = "png_label"  # seed and label, int64 (batch,) -> png_bytes
CLASSES_SIGNATURE = "classes"  # label int64 (batch,) -> name_bytes, empty where there is no class

LATENTS = "latents"
SEED = "seed"
LABEL = "label"  # number of a class, from 0; the names of all classes are in the model card
NAME_BYTES = "name_bytes"  # a class's name in UTF-8
IMAGES = "images"
# TF Serving writes a string output as {"b64": ...} only if its name ends in `_bytes`.
PNG_BYTES = "png_bytes"

# Pixels of the float signature and of everything inside the package.
PIXEL_MIN, PIXEL_MAX = -1.0, 1.0

# `serving/batching.config`, the warm-up requests and the client's splitting agree on these.
ALLOWED_BATCH_SIZES = (1, 4, 16, 64)
MAX_BATCH_SIZE = 64

GRPC_PORT, REST_PORT = 8500, 8501
MOST_SECONDS = 10**6  # of any time-out: gRPC, asyncio and threads count no further than some weeks

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
MODEL_CARD_FILE = "model_card.json"
SAMPLE_GRID_FILE = "sample_grid.png"  # the pictures of seeds 0 to MAX_BATCH_SIZE - 1
