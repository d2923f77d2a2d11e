"""Scores while training: one that cannot be had costs a warning, and never the run."""

import logging

import keras
import tensorflow as tf

from gan_keras import checkpoints, evaluation
from gan_keras.config import best_score
from gan_keras.errors import UserError
from gan_keras.evaluation import score_cards

logger = logging.getLogger(__name__)


def judge_of(config):
    """Returns the Judge of a run while it trains; after a warning None, where there can be none.

    Raises:
        UserError: there can be none, and `keep_best` chooses by its scores.
    """
    try:
        return evaluation.judge_while_training(config)
    except UserError as error:
        told = f"--evaluate_every={config.evaluate_every}: no scores while training: {error}"
        if config.keep_best:
            raise type(error)(f"{told}; or leave it and --keep_best out") from None
        logger.warning("%s", told)
        return None


def evaluate_as(config, judge, workdir, writer, saved):
    """Returns the `Evaluate` of a run.

    Args:
        config: A Config; of it count `evaluate_every` and `keep_best`.
        judge: An `evaluation.Judge`.
        workdir: Folder of the run, a Path.
        writer: The `CheckedSummaryWriter` of the run.
        saved: The `Checkpoints` of the run.
    """
    best = None
    if config.keep_best:
        metric = best_score.full_name(config.keep_best)
        best = checkpoints.Best(saved.checkpoint, workdir, metric, judge.better(metric))
    folder, run = workdir / score_cards.FOLDER, workdir.resolve().name
    return Evaluate(writer, folder, config.evaluate_every, judge, run, best)


def lacks_scores(config, workdir, step):
    """Whether a run has no scores of a step, as one that was killed after its checkpoint.

    Unlike `Judge.has_judged` it needs no Judge, which loads data: a complete run that is begun
    again is to end at once.
    """
    if not config.evaluate_every or step % config.evaluate_every:
        return False
    return not score_cards.any_of_step(workdir / score_cards.FOLDER, step)


class Evaluate(keras.callbacks.Callback):
    """Scores the generator every so many steps: cards, and scalars `scores/<metric>`.

    Args:
        writer: The `CheckedSummaryWriter` of the run.
        folder: Folder of the cards.
        every: Steps between two evaluations.
        judge: An `evaluation.Judge`.
        run: Name of the run, for the cards.
        best: A `checkpoints.Best`, which gets the scores of its metric, or None.
    """

    def __init__(self, writer, folder, every, judge, run, best=None):
        super().__init__()
        self.writer = writer
        self.folder = folder
        self.every = every
        self.judge = judge
        self.run = run
        self.best = best

    def on_train_begin(self, logs=None):
        # A run that was killed after this step's checkpoint may not have come to its scores.
        step = self.model.step
        if step and step % self.every == 0 and not self.judge.has_judged(step, self.folder):
            self._evaluate(step)

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step % self.every == 0:
            self._evaluate(self.model.step)

    def _evaluate(self, step):
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
            # The card last: where there is one, nothing is left to be done.
            for keep in (self._offer, self._save):
                try:
                    keep(card)
                except UserError as error:
                    logger.warning("%s", error)

    def _save(self, card):
        score_cards.save(card, self.folder)

    def _offer(self, card):
        if self.best is None or card.metric != self.best.metric:
            return
        if self.best.offer(card.step, card.value, card.measured_by):
            name = card.metric.replace("_", " ")
            logger.info("step %s: %s %.4g, the best so far", f"{card.step:,}", name, card.value)
