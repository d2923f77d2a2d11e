"""The live view: a page on this machine that shows a game on points, and holds its buttons.

`controls` is what the training and the readers of the page share, `server` the HTTP side of it,
`page.html` the page. What a frame shows is made in `callbacks.live_frames`, and `callbacks.live`
brings all of it between the steps.
"""

from gan_keras.training.live.controls import BUTTONS, FRAME_SECONDS, Controls
from gan_keras.training.live.server import serve

__all__ = ["BUTTONS", "FRAME_SECONDS", "Controls", "serve"]
