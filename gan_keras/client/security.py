"""How a client makes sure of its server, and the server of its client."""

from pathlib import Path

from gan_keras.errors import UsageError


class Security:
    """TLS and a token, for both transports.

    Args:
        tls: Whether the connection is encrypted.
        ca_cert: PEM file of the certificates to trust, which means `tls`; None: the system's.
        token: What each request brings; None for nothing.

    Raises:
        UsageError: the file cannot be read or holds no certificate, or the token cannot be sent.
    """

    def __init__(self, tls: bool, ca_cert: str | Path | None, token: str | None) -> None:
        self.tls = bool(tls or ca_cert)
        self._ca_cert = ca_cert
        if token is not None and not (token and token.isascii() and token.isprintable()):
            raise UsageError("token must be printable ASCII text, and not empty")
        # In small letters, as gRPC wants them.
        self.headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        if ca_cert:
            try:
                self._pem = Path(ca_cert).read_bytes()
            except OSError as error:
                raise UsageError(f"ca_cert {ca_cert} cannot be read: {error.strerror}") from None
            self.context()  # or grpc would find out at the first request, without a word

    def context(self):
        """Returns an ssl.SSLContext that checks certificate and host name."""
        import ssl

        try:
            return ssl.create_default_context(cafile=self._ca_cert)
        except ssl.SSLError as error:
            raise UsageError(
                f"ca_cert {self._ca_cert}: no certificate in PEM: {error.reason or error}"
            ) from None

    def credentials(self):
        """Returns grpc's credentials of the channel."""
        import grpc

        return grpc.ssl_channel_credentials(self._pem if self._ca_cert else None)
