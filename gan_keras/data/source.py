"""What every source of images hands over, whatever it reads."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """Images that have still to be read.

    Attributes:
        name: The data set, as the user wrote it.
        size: Height and width of the images.
        channels: 1 or 3.
        most: How many images there can be; broken ones make it fewer.
        chunks: Function that returns an iterator of (read, pixels): how many images were tried,
            and what came of them, (n, size, size, channels) uint8 with n <= read.
        identity: Text that changes whenever the pixels would; empty where they never do.
        slow: Whether the work is worth keeping for the next run.
        skipped: Filled with (file, reason) while the chunks are read.
        labels: Function that returns the classes of the images that could be read, (n,) int64
            from 0 on; called when `skipped` is filled. None where there are no classes.
        class_names: Names of the classes in the order of their labels; empty where there are none.
        files: What the identity is made of where a person may change it: [path, bytes, time of
            change in ns] of every file, in the order in which they are read.
    """

    name: str
    size: int
    channels: int
    most: int
    chunks: Callable
    identity: str
    slow: bool
    skipped: list = field(default_factory=list)
    labels: Callable | None = None
    class_names: list = field(default_factory=list, repr=False)
    files: list = field(default_factory=list, repr=False)

    @property
    def shape(self):
        """(height, width, channels)."""
        return (self.size, self.size, self.channels)

    @property
    def most_bytes(self):
        """Bytes that `most` images take as uint8."""
        return self.most * self.size * self.size * self.channels
