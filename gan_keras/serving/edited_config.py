"""An edited --model_config_file, taken over while the server runs; a bad one changes nothing."""

import asyncio
import logging

from gan_keras.errors import UserError
from gan_keras.serving import settings
from gan_keras.serving.models import Look
from gan_keras.serving.request_error import one_line

logger = logging.getLogger(__name__)


async def follow(path, seconds, models, allow_unavailable_labels):
    """Reads the file again and again, for ever, and gives the models what stands there.

    As TensorFlow Serving's --model_config_file_poll_wait_seconds: a file that cannot be read, has
    a mistake or a label that may not be moved is logged, and what was served stays. A label is
    tried again at the next look, when its version may be loaded.

    Args:
        path: The file.
        seconds: Between two looks.
        models: The Models.
        allow_unavailable_labels: Accept new labels of versions that are not loaded.
    """
    look, trouble = Look(), None
    while True:
        await asyncio.sleep(seconds)
        try:
            found = await look(settings.from_file, path)
            await models.reload(found, allow_unavailable_labels)
            trouble = None
        except Exception as error:  # or a surprise would end the server
            told = str(error) if isinstance(error, UserError) else f"{path}: {one_line(error)}"
            if told != trouble:
                logger.warning("%s; what was served stays", told)
            trouble = told
