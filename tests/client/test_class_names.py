"""Classes by their names, which a client asks the served model for."""

import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from gan_keras.client.client import Client
from gan_keras.drawing import images
from gan_keras.errors import UsageError
from gan_keras.exporting import contract
from tests.client.fakes import Fake, FakeGrpc, picture


def named(fake, monkeypatch, names):
    """Lets a server answer `classes` too."""

    def answer(signature, key, rows):
        if signature != contract.CLASSES_SIGNATURE:
            return Fake.answer(fake, signature, key, rows)
        fake.asked.append((signature, key, rows))
        return [names[row].encode() if row < len(names) else b"" for row in rows]

    monkeypatch.setattr(fake, "answer", answer)


@pytest.mark.parametrize("count", [3, 64, 150])
def test_names_of_classes_are_asked_for_once(fake, client, monkeypatch, count):
    names = [f"é {number}" for number in range(count)]
    named(fake, monkeypatch, names)
    assert client.classes() == client.classes() == names
    asked = [rows.tolist() for _, _, rows in fake.asked]
    assert [number for numbers in asked for number in numbers] == list(
        range(64 * (count // 64 + 1))
    )


class Labelled(FakeGrpc):
    """Answers `png_label` with pictures of the labels."""

    def Predict(self, request, context):
        reply = predict_pb2.PredictResponse()
        labels = np.frombuffer(request.inputs["label"].tensor_content, "<i8")
        names = ("cat", "Dog", "dog", "7")
        if request.model_spec.signature_name == contract.CLASSES_SIGNATURE:
            values = [names[i].encode() if i < len(names) else b"" for i in labels]
            reply.outputs[contract.NAME_BYTES].string_val.extend(values)
        else:
            assert request.model_spec.signature_name == contract.PNG_LABEL_SIGNATURE
            files = [images.encode_png(picture(label)) for label in labels]
            reply.outputs[contract.PNG_BYTES].string_val.extend(files)
        return reply


def test_a_label_may_be_a_name():
    with Labelled().serving() as fake, Client(fake.address) as client:

        def labels(label, count=2):
            return client.sample(count, label=label).tolist()

        def drawn(*numbers):
            return [picture(number).tolist() for number in numbers]

        assert labels("cat") == labels("CAT") == labels(0) == drawn(0, 0)
        assert labels(["dog", 0]) == drawn(2, 0)
        assert labels("7") == drawn(3, 3)
        # `DOG` may be one or the other.
        for unknown in ("DOG", "bird"):
            with pytest.raises(
                UsageError,
                match=rf"^label '{unknown}': choose from cat, Dog, dog, 7, or .* from 0 to 3$",
            ):
                labels(unknown)


def test_a_model_without_names_is_said_to_be_one(fake, client):
    fake.failures = [fake.NO_SIGNATURE]
    fake.answer = lambda *asked: []
    with pytest.raises(UsageError, match=r"label 'cat': .* without labels \(train with --cond"):
        client.sample(1, label="cat")
