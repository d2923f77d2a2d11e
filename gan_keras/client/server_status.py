"""What a server says of a model's versions and labels, over REST."""

import json
import time
from types import SimpleNamespace
from urllib.parse import quote

from gan_keras.client import over_rest
from gan_keras.client.security import Security
from gan_keras.errors import UserError

SECONDS = 5.0  # for one answer
MOST_BYTES = 2**20  # of one


class ServerStatus:
    """Asks TensorFlow Serving, or the embedded server, about one model.

    Args:
        server: HOST:PORT of the REST port.
        model: Name of the model.
        tls: Encrypt, and check the server's certificate.
        ca_cert: PEM file of the certificate that signed the server's; means `tls`.
        token: What the server wants as a bearer token.

    Raises:
        UsageError: as `Security`.
    """

    def __init__(
        self,
        server: str,
        model: str,
        tls: bool = False,
        ca_cert: str | None = None,
        token: str | None = None,
    ) -> None:
        self.where = server
        self._model = f"/v1/models/{quote(model, safe='')}"
        self._security = Security(tls, ca_cert, token)
        scheme = "https" if self._security.tls else "http"
        self._url = server if "://" in server else f"{scheme}://{server}"

    def state(self, version: int) -> str:
        """Returns the state of a version, as `AVAILABLE`; or why it has none.

        Raises:
            UserError: the server cannot be reached.
        """
        status, answer = self._get(f"/versions/{version}")
        try:
            if status == 200:
                return str(answer["model_version_status"][0]["state"])
            return str(answer["error"])
        except (KeyError, IndexError, TypeError):
            return f"HTTP {status}"

    def labelled(self, label: str) -> int | None:
        """Returns the version that a label means to the server; None: it does not know it.

        TensorFlow Serving's status ignores labels, its metadata do not.

        Raises:
            UserError: the server cannot be reached.
        """
        status, answer = self._get(f"/labels/{label}/metadata")
        try:
            return int(answer["model_spec"]["version"]) if status == 200 else None
        except (KeyError, TypeError, ValueError):
            return None

    def _get(self, path):
        import urllib3

        end = time.monotonic() + SECONDS
        try:
            url = urllib3.util.parse_url(self._url)
            context = self._security.context() if url.scheme == "https" else None
            with over_rest.pool(self._url, SimpleNamespace(end=end), SECONDS, context) as pool:
                answer = pool.request(
                    "GET",
                    f"{(url.path or '').rstrip('/')}{self._model}{path}",
                    headers=self._security.headers,
                    preload_content=False,
                )
                data = over_rest.read(answer, end, MOST_BYTES)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            told = " ".join(str(getattr(reason, "__cause__", None) or reason).split())
            raise UserError(
                f"--server={self.where}: cannot be asked: {told}; give HOST:PORT of the REST port"
            ) from None
        try:
            return answer.status, json.loads(data)
        except (ValueError, RecursionError):
            return answer.status, {}
