import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.data.ops import iterator_ops

from gan_keras import data
from gan_keras.config import config
from gan_keras.data import batches, densities, storage
from gan_keras.errors import UsageError


def numbered(count):
    """Images 1x1x3 whose pixels tell their number: (number, 255 - number, 7)."""
    number = np.arange(count, dtype=np.uint8)
    pixels = np.stack([number, 255 - number, np.full(count, 7, np.uint8)], axis=-1)
    rows = storage.Memory(pixels[:, None, None, :])
    return batches.Images("numbered", rows, read_labels=lambda: number.astype(np.int64) // 10)


def numbers(pixels):
    """The numbers of images, from their pixels."""
    return pixels[:, 0, 0, 0].astype(int)


def taken(dataset, steps):
    """The first steps as one array: (steps, per_step, batch, height, width, channels)."""
    return np.array([step if isinstance(step, tuple) else (step,) for step in dataset.take(steps)])


def seen(images, steps, batch_size, seed=0, **more):
    """The numbers of the images in the order in which they come."""
    pixels = taken(images.batches(batch_size, seed, **more), steps)
    return np.rint((pixels[..., 0] + 1) * 127.5).astype(int).ravel()


@pytest.mark.parametrize(
    ("count", "batch_size", "per_step"), [(20, 4, 1), (21, 4, 1), (20, 7, 3), (3, 8, 1), (1, 2, 2)]
)
def test_every_image_comes_once_per_epoch(count, batch_size, per_step):
    per_call = batch_size * per_step
    order = seen(numbered(count), -(-3 * count // per_call), batch_size, per_step=per_step)
    epochs = order[: 3 * count].reshape(3, count)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), [range(count)] * 3)


@pytest.mark.parametrize(
    ("count", "batch_size", "per_step"), [(20, 4, 1), (21, 4, 1), (20, 7, 3), (3, 8, 1), (1, 2, 2)]
)
@pytest.mark.parametrize("start", [1, 5, 6])
def test_a_start_gives_what_an_uninterrupted_run_sees(count, batch_size, per_step, start):
    images = numbered(count)
    whole = taken(images.batches(batch_size, 3, per_step=per_step), start + 4)
    resumed = taken(images.batches(batch_size, 3, start=start, per_step=per_step), 4)
    np.testing.assert_array_equal(resumed, whole[start:])


@pytest.mark.parametrize("made", [numbered(9), densities.Points("ring")], ids=["images", "points"])
def test_no_thread_tunes_what_training_reads(made):
    """The thread that may not hear for a minute that it is to end."""
    assert made.batches(3, 0).options().autotune.enabled is False


@pytest.mark.parametrize(
    "strategy",
    [tf.distribute.OneDeviceStrategy, lambda cpu: tf.distribute.MirroredStrategy([cpu])],
    ids=["one device", "mirrored"],
)
def test_nor_what_stands_before_a_device(strategy, monkeypatch):
    """TensorFlow makes datasets of its own there, which do not have the options of ours."""
    made, create = [], iterator_ops.OwnedIterator._create_iterator

    def watched(iterator, dataset):
        made.append(dataset.options().autotune.enabled)
        return create(iterator, dataset)

    monkeypatch.setattr(iterator_ops.OwnedIterator, "_create_iterator", watched)
    iter(strategy("CPU:0").experimental_distribute_dataset(numbered(9).batches(3, 0)))
    assert made == [False]


def test_several_batches_per_step_are_the_same_stream():
    images = numbered(50)
    alone, together = seen(images, 12, 5), seen(images, 4, 5, per_step=3)
    np.testing.assert_array_equal(together, alone)


def test_the_seed_decides_the_order():
    images = numbered(100)
    np.testing.assert_array_equal(seen(images, 5, 20, seed=1), seen(images, 5, 20, seed=1))
    assert (seen(images, 5, 20, seed=1) != seen(images, 5, 20, seed=2)).any()


def test_a_far_step_costs_no_more_and_stays_exact():
    # The position is beyond int32.
    order = seen(numbered(10), 1, 10, start=2**40)
    np.testing.assert_array_equal(np.sort(order), range(10))


def test_pixels_become_exactly_x_over_127_5_minus_1():
    every_byte = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    images = batches.Images("bytes", storage.Memory(every_byte))
    (batch,) = images.batches(1, 0).take(1)
    assert batch.dtype == tf.float32
    expected = np.arange(256, dtype=np.float32) / np.float32(127.5) - np.float32(1)
    np.testing.assert_array_equal(batch.numpy().ravel(), expected)
    assert (batch.numpy().min(), batch.numpy().max()) == (-1.0, 1.0)


def test_shapes_are_static_and_the_batches_have_no_end():
    images = data.load(config.from_preset("digits", image_size=8))
    spec = tf.TensorSpec((16, 8, 8, 1), tf.float32)
    assert images.batches(16, 0).element_spec == spec
    assert images.batches(16, 0, per_step=3).element_spec == (spec, spec, spec)
    assert images.batches(16, 0).cardinality() == tf.data.INFINITE_CARDINALITY


def test_first_images_are_from_all_over_and_always_the_same():
    images = numbered(200)
    first = images.first(50)
    assert first.dtype == np.uint8
    assert first.shape == (50, 1, 1, 3)
    number = first[:, 0, 0, 0].astype(int)
    assert len(set(number)) == 50
    assert number.min() < 50
    assert number.max() >= 150
    np.testing.assert_array_equal(images.first(50), first)
    np.testing.assert_array_equal(numbered(3).first(7)[:3, 0, 0, 2], [7, 7, 7])


def test_values_come_in_the_order_of_the_images():
    images = numbered(50)
    values = np.stack([np.arange(50), np.arange(50) ** 2], axis=-1)
    for start in (0, 7):
        steps = images.batches_of(values, 8, seed=3, start=start).take(12)
        together = np.concatenate([step.numpy() for step in steps])
        order = seen(images, 12, 8, seed=3, start=start)
        np.testing.assert_array_equal(together, values[order])


@pytest.mark.parametrize("per_step", [1, 3])
@pytest.mark.parametrize("start", [0, 7])
def test_labelled_batches_are_the_same_images_with_their_own_labels(start, per_step):
    """A label is the image's number by tens: so each tells that it is at its place."""
    images = numbered(50)
    arguments = {"start": start, "per_step": per_step}
    dataset = images.batches(4, 3, labels=True, **arguments)
    pairs = [pair for step in dataset.take(9) for pair in (step if per_step > 1 else [step])]
    pixels = np.concatenate([pixels.numpy() for pixels, _ in pairs])
    labels = np.concatenate([labels.numpy() for _, labels in pairs])
    order = np.rint((pixels[:, 0, 0, 0] + 1) * 127.5).astype(int)
    np.testing.assert_array_equal(order, seen(images, 9, 4, seed=3, **arguments))
    np.testing.assert_array_equal(labels, order // 10)
    spec = tf.TensorSpec((4, 1, 1, 3), tf.float32), tf.TensorSpec((4,), tf.int64)
    assert dataset.element_spec == (spec if per_step == 1 else (spec,) * per_step)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY


def test_a_picture_of_the_data_by_class():
    found = numbers(numbered(25).by_class([2, 0], columns=6))
    np.testing.assert_array_equal(found // 10, [2] * 6 + [0] * 6)
    # Of class 2 there are five, of which one comes again.
    assert len(set(found[:6])) == 5
    assert len(set(found[6:])) == 6


def test_labels():
    np.testing.assert_array_equal(numbered(25).labels(), np.repeat([0, 1, 2], [10, 10, 5]))
    without = batches.Images("numbered", numbered(3).rows)
    with pytest.raises(UsageError, match=r"^--dataset=numbered: has no classes; choose digits"):
        without.labels()
    assert without.only(np.array([1])).read_labels is None


def test_a_part_is_a_data_set_of_its_own():
    part = numbered(30).only(np.array([4, 3, 29]))
    assert (part.name, part.count, part.shape, part.in_memory) == ("numbered", 3, (1, 1, 3), True)
    np.testing.assert_array_equal(numbers(part.rows.read(np.arange(3))), [4, 3, 29])
    np.testing.assert_array_equal(part.labels(), [0, 0, 2])
    np.testing.assert_array_equal(np.sort(seen(part, 1, 3)), [3, 4, 29])
    assert part.batches(3, 0).element_spec == numbered(30).batches(3, 0).element_spec
    again = part.only(np.array([2, 0]))
    np.testing.assert_array_equal(numbers(again.rows.read(np.arange(2))), [29, 4])
    np.testing.assert_array_equal(again.labels(), [2, 0])


def test_a_sample_is_of_different_images_and_has_its_seed():
    images = numbered(200)
    some = images.sample(50, seed=4)
    assert some.dtype == np.uint8
    assert some.shape == (50, 1, 1, 3)
    assert len(set(numbers(some))) == 50
    np.testing.assert_array_equal(images.sample(80, seed=4)[:50], some)
    assert (images.sample(50, seed=5) != some).any()
    for n in (200, 201):
        np.testing.assert_array_equal(np.sort(numbers(images.sample(n, seed=4))), range(200))


def test_a_worker_reads_its_own_images_and_no_others(monkeypatch):
    images, read = numbered(50), []
    gather = images.rows._gather

    def recording(numbers):
        tf.numpy_function(lambda n: read.extend(n.tolist()), [numbers], [])
        return gather(numbers)

    monkeypatch.setattr(images.rows, "_gather", recording)
    share = (1, 2, 2)  # Worker 1 of 2, which has two replicas: rows 4, 5 and rows 6, 7 of 8.
    dataset = images.batches(8, 3, start=2, share=share)
    mine = [numbers(np.rint((b.numpy() + 1) * 127.5)) for b in dataset.take(6)]
    order = seen(numbered(50), 3, 8, seed=3, start=2).reshape(3, 8)
    np.testing.assert_array_equal(np.concatenate(mine).reshape(3, 4), order[:, 4:])
    assert set(read) <= set(seen(numbered(50), 9, 8, seed=3, start=2).reshape(9, 8)[:, 4:].ravel())


def test_mirrored_images_come_as_often_as_the_images():
    """Twice the data, in one order; pixels, labels and what is read for pictures agree."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (10, 3, 4, 1), np.uint8)
    classes = np.arange(10) // 4
    images = batches.Images("random", storage.Memory(pixels), read_labels=lambda: classes)
    mirrored = images.mirrored()
    assert mirrored.count == 20
    both = np.concatenate([pixels, pixels[:, :, ::-1]])
    np.testing.assert_array_equal(mirrored.rows.read(np.arange(20)), both)
    np.testing.assert_array_equal(mirrored.labels(), np.tile(classes, 2))
    steps = list(mirrored.batches(5, seed=3, labels=True).take(4))
    found = np.rint((np.concatenate([x for x, _ in steps]) + 1) * 127.5).astype(np.uint8)
    labels = np.concatenate([y for _, y in steps])
    order = [next(i for i in range(20) if np.array_equal(both[i], image)) for image in found]
    assert sorted(order) == list(range(20))
    np.testing.assert_array_equal(labels, np.tile(classes, 2)[order])
