"""Who may ask: TLS for both protocols, and a token that every request has to bring."""

import hmac
import ssl
from pathlib import Path

import grpc
from aiohttp import web

from gan_keras.errors import UsageError

REFUSED = "a token is required: Authorization: Bearer <token>"


class Access:
    """How connections are encrypted and requests recognised.

    Args:
        certificate: PEM file of the server's certificate and the chain above it; None for no TLS.
        key: PEM file of its private key, without a password; None exactly where there is no
            certificate.
        token: What a request has to bring; None for none.

    Raises:
        UsageError: one file is missing, or they are no pair.
    """

    def __init__(self, certificate=None, key=None, token=None):
        for flag, given, other in (("ssl_cert", certificate, key), ("ssl_key", key, certificate)):
            if given and not other:
                missing = "ssl_key" if flag == "ssl_cert" else "ssl_cert"
                raise UsageError(f"--{flag}={given}: give --{missing} too")
        self.certificate, self._token = certificate, token
        self.context = None
        if certificate:
            self._pair = [_read("ssl_key", key), _read("ssl_cert", certificate)]
            self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            try:
                self.context.load_cert_chain(certificate, key, password=_no_password)
            except (ssl.SSLError, ValueError) as error:
                raise UsageError(
                    f"--ssl_cert={certificate} and --ssl_key={key}: no certificate in PEM and its"
                    f" key without a password: {getattr(error, 'reason', None) or error}"
                ) from None

    def credentials(self):
        """Returns grpc's credentials of the port; None for no TLS."""
        return grpc.ssl_server_credentials([self._pair]) if self.context else None

    def interceptors(self):
        """Returns grpc.aio's interceptors, to come before all others."""
        return [_Guard(self)] if self._token else []

    def middlewares(self, free=()):
        """Returns aiohttp's middlewares, to come before all others.

        Args:
            free: Paths that anybody may get.
        """
        if not self._token:
            return []

        @web.middleware
        async def guard(request, handler):
            if request.path in free and request.method in ("GET", "HEAD"):
                return await handler(request)
            if self.admits(request.headers.get("Authorization")):
                return await handler(request)
            refused = web.json_response(
                {"error": REFUSED}, status=401, headers={"WWW-Authenticate": "Bearer"}
            )
            refused.force_close()  # nobody reads the body that may follow
            return refused

        return [guard]

    def admits(self, authorization):
        """Whether this value of an Authorization header, or None, brings the token."""
        scheme, _, brought = (authorization or "").partition(" ")
        # In a time that tells nothing of how much of it is right.
        sent = brought.strip().encode("utf-8", "surrogateescape")  # as it came, text or not
        right = hmac.compare_digest(sent, self._token.encode())
        return right and scheme.lower() == "bearer"


class _Guard(grpc.aio.ServerInterceptor):
    def __init__(self, access):
        self._access = access

    async def intercept_service(self, continuation, handler_call_details):
        for name, value in handler_call_details.invocation_metadata:
            if name == "authorization" and self._access.admits(value):
                return await continuation(handler_call_details)
        return grpc.stream_unary_rpc_method_handler(_refuse)


async def _refuse(_, context):
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSED)


def _read(flag, path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"--{flag}={path}: cannot be read: {error.strerror}") from None


def _no_password():
    raise ValueError("the key has a password")
