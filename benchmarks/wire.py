"""What a client of a server sends and reads, byte by byte: gRPC's and aiohttp's cost more.

Each of the two has `hello`, the bytes to send first; `request(seeds)` returns the bytes that ask
for PNGs of the signature `png`; `replies(data)` takes what was received and returns how many
replies are complete with it, and adds to `send` what has to be sent back. A refusal is a
ValueError.
"""

import struct

import numpy as np

from gan_keras.client import messages
from gan_keras.exporting import contract

# RFC 9113, section 6: kinds of frames, and the flags that are read or sent.
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
LARGEST_WINDOW = 2**31 - 1


class Rest:
    """HTTP/1.1, one request after the other."""

    hello = b""

    def __init__(self, server):
        path = f"/v1/models/{contract.MODEL_NAME}:predict"
        self._start = f"POST {path} HTTP/1.1\r\nHost: {server}\r\n"
        self._start += "Content-Type: application/json\r\nContent-Length: "
        self._received, self.send = b"", b""

    def request(self, seeds):
        body = f'{{"signature_name": "{contract.PNG_SIGNATURE}", "inputs": {seeds}}}'
        return f"{self._start}{len(body)}\r\n\r\n{body}".encode()

    def replies(self, data):
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return 0
        if b" 200 " not in head[:16]:
            raise ValueError(self._received[:300])
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return 0
        self._received = b""
        return 1


class Grpc:
    """HTTP/2 (RFC 9113), one stream after the other."""

    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    def __init__(self, server):
        self.hello += frame(SETTINGS, 0, 0, struct.pack(">HI", 4, LARGEST_WINDOW))
        self.hello += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST_WINDOW - 65535))
        texts = (":path", messages.PREDICT, ":authority", server)
        texts += ("content-type", "application/grpc", "te", "trailers")
        # RFC 7541: POST and http by their numbers, the others as plain texts.
        pairs = zip(texts[::2], texts[1::2], strict=True)
        self._headers = b"\x83\x86" + b"".join(
            b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in pair) for pair in pairs
        )
        self._stream, self._received, self._data, self.send = -1, b"", False, b""

    def request(self, seeds):
        self._stream += 2
        message = predict_request(seeds)
        message = b"\0" + struct.pack(">I", len(message)) + message
        headers = frame(HEADERS, END_HEADERS, self._stream, self._headers)
        return headers + frame(DATA, END_STREAM, self._stream, message)

    def replies(self, data):
        received, done = self._received + data, 0
        while len(received) >= 9:
            end = 9 + int.from_bytes(received[:3], "big")
            if len(received) < end:
                break
            kind, flags, payload = received[3], received[4], received[9:end]
            received = received[end:]
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.send += frame(kind, ACK, 0, payload if kind == PING else b"")
            elif kind == DATA:
                self._data = True
            elif kind in (RST_STREAM, GOAWAY) or (kind == HEADERS and flags & END_STREAM):
                if not self._data:  # an error comes as trailers alone
                    raise ValueError(payload[:300])
                self._data, done = False, done + 1
        self._received = received
        return done


WIRES = {"grpc": Grpc, "rest": Rest}


def predict_request(seeds):
    """Returns a PredictRequest as bytes, as this package's client makes it."""
    inputs = {contract.SEED: np.array(seeds, np.int64)}
    names = (contract.MODEL_NAME, None, None, contract.PNG_SIGNATURE)
    return messages.request(*names, inputs, contract.PNG_BYTES)


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload
