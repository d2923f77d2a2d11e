"""A training with a live view: the page beside its steps, and the game played again.

A game follows from its seed, so that to start again means to see the same game once more. The run's
folder has it already: nothing is written, and nothing lost, until the step is reached at which the
folder is; there the run resumes from its checkpoint, as after any stop.
"""

import contextlib
import logging

from gan_keras import checkpoints, game
from gan_keras import config as configs
from gan_keras.distribution import strategy as strategies
from gan_keras.errors import UsageError
from gan_keras.training import callbacks, live, not_finite

# How long a call of the training graph may last, in seconds: a button is answered, and a frame is
# there, in less than that and a tenth of a second.
PACE = {"seconds": 0.05}

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def opened(plan, port, caught):
    """Yields the View of a training, or None where no page is asked for.

    Args:
        plan: The Plan.
        port: Port of the page, 0 for any that is free, or None.
        caught: The list of signals that were caught (`signals.caught`).

    Raises:
        UsageError: what is trained cannot be shown.
        UserError: the port cannot be had.
    """
    if port is None:
        yield None
        return
    configs.check_live(plan.config)
    if not strategies.is_alone(plan.strategy):
        raise UsageError("--live: workers of a cluster cannot wait for a page; train with one")
    controls = live.Controls(stop=lambda: bool(caught))
    with live.serve(controls, port) as address:
        logger.info("live view: %s", address)
        yield View(plan, controls, address)


class View:
    """What `train` does for its page.

    Args:
        plan: The Plan.
        controls: The `live.Controls`.
        address: Where the page is.
    """

    def __init__(self, plan, controls, address):
        self.plan = plan
        self.controls = controls
        self.address = address

    def remember(self, gan):
        """Remembers a GAN that no step has changed, to start again from."""
        self.initial = [(each, each.numpy()) for each in game.variables(gan)]

    def begin(self, gan, points):
        """Lets the page know what the game is, as it stands before the first step of this call."""
        config, plan = self.plan.config, self.plan
        self.gan = gan
        self.first = gan.step
        self.frames = callbacks.LiveFrames(points, gan, config.log_every)
        self.callback = callbacks.Live(self.controls, self.frames)
        about = {
            "dataset": config.dataset,
            "loss": config.generator_loss,
            "seed": config.seed,
            "last": plan.last,
            "workdir": str(plan.workdir),
        }
        self.controls.begin(self.frames.game(about))
        self.controls.show(self.frames.frame)

    def beside(self, others):
        """Returns the callbacks of the page.

        Args:
            others: Callbacks, of which some measure a speed: a pause does not count in it.
        """
        self.callback.clocks = [each for each in others if hasattr(each, "restart_clock")]
        return [self.callback]

    def play_again(self, reached, saved, fit, play):
        """Starts the game again as often as the page asks for it.

        After the last step it waits for that, or for a signal, if anybody has opened the page or
        if there was nothing to train.

        Args:
            reached: The step at which the run's folder is.
            saved: Its Checkpoints.
            fit: Function that trains from a step to a step with some callbacks.
            play: Function that trains from a step to the last as `train` does; returns the step
                that was reached.

        Returns:
            The step at which the folder is afterwards.
        """
        while self._is_wished(reached):
            if self._replay(reached, saved, fit) and reached < self.plan.last:
                reached = play(reached)
        self.controls.ending = (
            f"gan-keras-train has ended; the run is saved at step {reached:,}, in "
            f"{self.plan.workdir}. The same command opens it again."
        )
        return reached

    def _is_wished(self, reached):
        if self.controls.start_again():
            return True
        if self.controls.stop() or self.gan.step < self.plan.last:
            return False
        if not self.controls.opened and reached > self.first:
            return False
        logger.info("live view: step %s is the last; Ctrl-C ends the page", f"{reached:,}")
        self.controls.hold(self.frames.frame)
        return self.controls.start_again()

    def _replay(self, reached, saved, fit):
        """Plays the steps from 0 to `reached` again; returns whether all were played."""
        config, controls = self.plan.config, self.controls
        logger.info(
            "live view: the same game again, from step 0; nothing is written until step %s",
            f"{reached:,}",
        )
        for variable, value in self.initial:
            variable.assign(value)
        self.frames.start_again(recorded=reached)
        controls.between(self.frames.frame)
        if controls.over:
            return False
        progress = callbacks.Progress(reached, config.batch_size)
        with not_finite.reported(config, saved):
            fit(
                0,
                reached,
                [
                    callbacks.StepsPerCall(reached, [config.log_every], controls.stop, **PACE),
                    progress,
                    callbacks.Restart(config.log_every),
                    *self.beside([progress]),
                ],
            )
        if self.gan.step < reached:
            return False
        self.frames.recorded = None
        # The same numbers, unless a device adds up in another order each time.
        checkpoints.restore_latest(saved, set_aside=False)
        return True
