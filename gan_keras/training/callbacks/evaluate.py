"""Scores while training."""

import logging

import keras
import tensorflow as tf

from gan_keras.errors import UserError
from gan_keras.evaluation import score_cards

logger = logging.getLogger(__name__)


class Evaluate(keras.callbacks.Callback):
    """Scores the generator every so many steps: cards, and scalars `scores/<metric>`.

    Args:
        writer: The `CheckedSummaryWriter` of the run.
        folder: Folder of the cards.
        every: Steps between two evaluations.
        judge: An `evaluation.Judge`.
        run: Name of the run, for the cards.
    """

    def __init__(self, writer, folder, every, judge, run):
        super().__init__()
        self.writer = writer
        self.folder = folder
        self.every = every
        self.judge = judge
        self.run = run

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.step
        if step % self.every:
            return
        with self.writer.as_default(step):
            for card in self.judge.generator(self.model.sampler, step, self.run):
                tf.summary.scalar(f"scores/{card.metric}", card.value)
                try:
                    score_cards.save(card, self.folder)
                except UserError as error:  # A score can be had again, what was trained cannot.
                    logger.warning("%s", error)
