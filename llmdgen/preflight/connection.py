"""The way to a live cluster: address and credentials as the official Kubernetes client finds them, and requests that
only read, each bounded in bytes and seconds, for the other end may be anything.

The client is imported when a cluster is connected, so that nobody else waits for it or needs it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from llmdgen.preflight.answer import ClusterError, Forbidden
from llmdgen.quantities import MIB

CONNECT_SECONDS = 5.0
ANSWER_SECONDS, ALL_SECONDS = 30.0, 300.0  # of one answer from the question to its last byte, and of all
ANSWER_BYTES, ALL_BYTES = 16 * MIB, 512 * MIB
BUSY = (429, 503)  # what an API server answers that has too much to do, with the seconds to wait in Retry-After
TRIES, LONGEST_WAIT = 3, 5.0
REACH = "see whether `kubectl get nodes` works with the same context"


class Gone(ClusterError):
    """A list has to be read again from its start."""


class Response(Struct, frozen=True):
    """An answer: its status, the seconds after which a busy server wants to be asked again, and its bytes."""

    status: int
    wait: str
    body: bytes


class Connection:
    """An API server: `title` is what messages call it, `send` asks it for a path."""

    def __init__(self, title: str, send: Callable[[str], Response]) -> None:
        self.title = title
        self._send = send
        self._until = time.monotonic() + ALL_SECONDS
        self._bytes = ALL_BYTES

    def get(self, verb: str, resource: str, path: str, query: Mapping[str, str]) -> bytes | None:
        """What the server answers, None where there is no such thing. `verb` and `resource` are as RBAC names them.
        Raises ClusterError, and Forbidden where the user may not read it."""
        url = f"{path}?{urlencode(query)}" if query else path
        for left in range(TRIES - 1, -1, -1):
            answer = self._ended(url)
            if answer.status not in BUSY or not left:
                break
            time.sleep(min(float(answer.wait) if answer.wait.isdecimal() else 1.0, LONGEST_WAIT))
        if len(answer.body) > ANSWER_BYTES or self._bytes < 0:
            says = f"{self.title} answers to {verb} {resource} with more than {ANSWER_BYTES // MIB} MiB"
            if self._bytes < 0:
                says = f"{self.title} needs more than {ALL_BYTES // MIB} MiB to answer"
            raise ClusterError(says, REACH)
        if answer.status == 200:
            return answer.body
        if answer.status == 404:
            return None
        if answer.status == 403:
            raise Forbidden(f"{verb} {resource}")
        if answer.status == 410:
            raise Gone(f"{self.title} no longer knows where the list of {resource} was", "try again")
        if answer.status == 401:
            fix = "log in again, and try `kubectl auth whoami`"
            raise ClusterError(f"{self.title} does not accept the credentials", fix)
        fix = REACH if answer.status < 400 else "try again later"
        raise ClusterError(f"{self.title} answers to {verb} {resource} with status {answer.status}", fix)

    def _ended(self, url: str) -> Response:
        """A whole answer, asked for in a thread of its own: a server that sends a byte now and then would keep every
        single read from timing out. A thread that is given up ends with the process."""
        from urllib3.exceptions import HTTPError

        answer: Future[Response] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._send(url))
            except Exception as error:
                answer.set_exception(error)

        Thread(target=ask, daemon=True).start()
        seconds = max(0.0, min(ANSWER_SECONDS, self._until - time.monotonic()))
        try:
            found = answer.result(seconds)
        except TimeoutError as error:
            says = f"{self.title} does not answer: no end after {seconds:.0f} seconds"
            raise ClusterError(says, REACH) from error
        except (HTTPError, OSError, ValueError) as error:  # also: a certificate, a key, an address that is none
            raise ClusterError(f"{self.title} does not answer: {_reason(error)}", REACH) from error
        self._bytes -= len(found.body)
        return found


def connect(context: str | None = None, kubeconfig: str | None = None) -> Connection:
    """The cluster of a context, or of the kubeconfig's current one. `kubeconfig` is one file, or several as in
    KUBECONFIG; None is ~/.kube/config, and where that is not there either, the service account of the pod that this
    runs in. Nothing is sent yet, and the file is never changed.

    Raises ClusterError where the client is not installed or the kubeconfig leads nowhere.
    """
    try:
        from kubernetes import client, config
        from kubernetes.client.rest import RESTClientObject
        from urllib3.exceptions import HTTPError
        from yaml import YAMLError
    except ImportError as error:
        raise ClusterError("the Python package kubernetes is not installed", "pip install kubernetes") from error
    file = kubeconfig or "~/.kube/config"
    settings = client.Configuration()
    load: Any = config.load_kube_config
    in_pod = kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ
    if in_pod and not os.path.exists(os.path.expanduser(file)):
        file = "the service account of this pod"
        in_cluster: Any = config.load_incluster_config

        def load(client_configuration: Any, **_: Any) -> None:
            in_cluster(client_configuration=client_configuration)

    wrong = (config.ConfigException, YAMLError, HTTPError, OSError, RecursionError)
    # What the client and its YAML reader stumble over where a file is not made as they expect.
    surprised = (TypeError, ValueError, AttributeError, LookupError, AssertionError)
    try:
        with _complaints() as heard:
            load(config_file=file, context=context, client_configuration=settings, persist_config=False)
        if not str(settings.host).startswith(("https://", "http://")):
            raise ValueError(f"its server {settings.host!r} is no https:// address")
        pool = RESTClientObject(settings).pool_manager
        credentials: Any = settings.auth_settings()
        headers = {each["key"]: each["value"] for each in credentials.values()}
    except (*wrong, *surprised) as error:
        where = f"context {context!r} of {file}" if context else file
        fix = "see `kubectl config get-contexts`, then give one with --context, or set KUBECONFIG"
        raise ClusterError(f"{where} leads to no cluster: {_reason(error)}", fix) from error
    if heard and not settings.api_key and not settings.cert_file:
        # Without credentials the cluster would take us for anonymous, and refuse every question as if by RBAC.
        says = f"{context or 'the current context'} of {file} gives no credentials: {' '.join(heard[0].split())}"
        fix = "install the program that its exec names, such as aws, log in, and try `kubectl auth whoami`"
        raise ClusterError(says, fix)

    def send(path: str) -> Response:
        """No redirect is followed, which would take the credentials elsewhere, and nothing is unpacked."""
        from urllib3 import Timeout

        response = pool.request(
            "GET",
            f"{settings.host}{path}",
            headers={**headers, "Accept": "application/json"},
            preload_content=False,
            redirect=False,
            retries=False,
            timeout=Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
        )
        try:
            body = response.read(ANSWER_BYTES + 1, decode_content=False)
            return Response(response.status, response.headers.get("Retry-After", ""), body)
        finally:
            response.close()

    return Connection(f"the cluster at {settings.host}", send)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the client says of a credential plugin that fails: it only logs that, and goes on without credentials."""
    heard: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield heard
    finally:
        logging.getLogger().removeHandler(handler)


def _reason(error: Exception) -> str:
    """An error as one line."""
    return " ".join(str(error).split()) or type(error).__name__
