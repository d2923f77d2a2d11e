"""Pictures from a served generator, over gRPC or REST."""

from gan_keras.client.client import Client

__all__ = ["Client"]
