"""Scores while training: one that cannot be had costs a warning, and never the run."""

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
        # Of whatever kind: a score can be had again, what was trained cannot.
        try:
            cards = self.judge.generator(self.model.sampler, step, self.run)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            logger.warning("step %s: no scores: %s: %s", f"{step:,}", type(error).__name__, reason)
            return
        with self.writer.as_default(step):
            for card in cards:
                tf.summary.scalar(f"scores/{card.metric}", card.value)
        for card in cards:
            try:
                score_cards.save(card, self.folder)
            except UserError as error:
                logger.warning("%s", error)
