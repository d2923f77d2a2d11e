"""What one writes without a model server: FastAPI, `model.predict`, Pillow.

The path and the bodies are TF Serving's, so that the same clients can ask; what is in between is
the shortest that does it. FastAPI runs the function in threads of its own.
"""

import base64
import io
import socket
import sys

import fastapi
import numpy as np
import uvicorn
from PIL import Image

from benchmarks import sample
from gan_keras.exporting import contract


def main(folder, port):
    """Serves the generator of the run in `folder`, of `commands.exports`, for ever."""
    model = sample.generator(folder)
    app = fastapi.FastAPI()

    def latents(seed):
        return np.random.default_rng(seed).standard_normal(model.input_shape[-1], np.float32)

    def png(pixels):
        file = io.BytesIO()
        Image.fromarray(np.uint8(np.round((pixels + 1) * 127.5)).squeeze(-1)).save(file, "PNG")
        return {"b64": base64.b64encode(file.getvalue()).decode("ascii")}

    @app.post(f"/v1/models/{contract.MODEL_NAME}:predict")
    def predict(body: dict):
        pictures = model.predict(np.stack([latents(seed) for seed in body["inputs"]]), verbose=0)
        return {"outputs": [png(each) for each in pictures]}

    for count in (1, 16):  # the first calls trace
        predict({"inputs": range(count)})
    listening = socket.create_server(("127.0.0.1", int(port)), backlog=128)
    print("ready", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
