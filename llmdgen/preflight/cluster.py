"""A live cluster, read through the official Kubernetes client: plain JSON objects, and nothing written.

The client is imported when a cluster is connected, so that nobody else waits for it or needs it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llmdgen.preflight.answer import ClusterError, Forbidden

TIMEOUT = (5.0, 30.0)  # seconds to connect, and to wait for each piece of an answer
BUSY = (429, 503)  # what an API server answers that has too much to do, with the seconds to wait in Retry-After
TRIES, LONGEST_WAIT = 3, 5.0
GONE = 410  # a list took so long that its continue token is no longer known
PAGE = 500  # objects of a list in one answer; large clusters have tens of thousands of pods
LEFT = "status.phase!=Succeeded,status.phase!=Failed"  # pods that still hold what they requested
Object = dict[str, Any]


class Cluster:
    """What one context of a kubeconfig leads to. Every method raises ClusterError where the cluster gives no answer,
    and Forbidden where it refuses one; answers are kept, since several plans ask the same."""

    def __init__(self, api_client: Any, title: str) -> None:
        self.title = title
        self._client = api_client
        self._lists: dict[str, list[Object]] = {}

    def crd(self, name: str) -> Object | None:
        """A CustomResourceDefinition, None where it does not exist."""
        return self._one(
            "ApiextensionsV1Api", "customresourcedefinitions", "read_custom_resource_definition", name=name
        )

    def gateway_class(self, name: str) -> Object | None:
        """A GatewayClass, None where it, or its kind, does not exist."""
        place = {"group": "gateway.networking.k8s.io", "version": "v1", "plural": "gatewayclasses"}
        return self._one("CustomObjectsApi", "gatewayclasses", "get_cluster_custom_object", name=name, **place)

    def namespace(self, name: str) -> Object | None:
        """A namespace, None where it does not exist."""
        return self._one("CoreV1Api", "namespaces", "read_namespace", name=name)

    def secret_keys(self, namespace: str, name: str) -> dict[str, bool] | None:
        """The keys of a Secret and whether each has a value, None where it does not exist. Values are dropped here."""
        secret = self._one("CoreV1Api", "secrets", "read_namespaced_secret", name=name, namespace=namespace)
        return None if secret is None else {key: bool(value) for key, value in (secret.get("data") or {}).items()}

    def claim(self, namespace: str, name: str) -> Object | None:
        """A PersistentVolumeClaim, None where it does not exist."""
        resource, method = "persistentvolumeclaims", "read_namespaced_persistent_volume_claim"
        return self._one("CoreV1Api", resource, method, name=name, namespace=namespace)

    def storage_class(self, name: str) -> Object | None:
        """A StorageClass, None where it does not exist."""
        return self._one("StorageV1Api", "storageclasses", "read_storage_class", name=name)

    def nodes(self) -> list[Object]:
        """All nodes."""
        return self._all("CoreV1Api", "nodes", "list_node")

    def pods(self) -> list[Object]:
        """The pods of all namespaces that have not ended."""
        return self._all("CoreV1Api", "pods", "list_pod_for_all_namespaces", field_selector=LEFT)

    def daemon_sets(self) -> list[Object]:
        """The DaemonSets of all namespaces."""
        return self._all("AppsV1Api", "daemonsets", "list_daemon_set_for_all_namespaces")

    def _one(self, api: str, resource: str, method: str, **place: str) -> Object | None:
        found = self._answer("get", resource, self._call(api, method), **place)
        if found is not None and not _is_object(found):
            raise ClusterError(f"{self.title} answers to get {resource} with no Kubernetes object", REACH)
        return found

    def _call(self, api: str, method: str) -> Callable[..., Any]:
        from kubernetes import client

        found: Callable[..., Any] = getattr(getattr(client, api)(self._client), method)
        return found

    def _all(self, api: str, resource: str, method: str, **options: str) -> list[Object]:
        if resource not in self._lists:
            read = self._call(api, method)
            try:
                found = self._pages(resource, read, options)
            except _Gone:
                found = self._pages(resource, read, options)
            if not all(map(_is_object, found)):
                raise ClusterError(f"{self.title} answers to list {resource} with no Kubernetes objects", REACH)
            self._lists[resource] = found
        return self._lists[resource]

    def _pages(self, resource: str, read: Callable[..., Any], options: dict[str, str]) -> list[Object]:
        found: list[Object] = []
        token: str | None = ""
        while token is not None:
            page = {"limit": PAGE, **options, **({"_continue": token} if token else {})}
            answer = self._answer("list", resource, read, **page)
            if answer is None:
                raise ClusterError(f"{self.title} knows no {resource}", "name a context of a Kubernetes cluster")
            items, metadata = answer.get("items") or [], answer.get("metadata") or {}
            if not isinstance(items, list) or not isinstance(metadata, dict):
                raise ClusterError(f"{self.title} answers to list {resource} with no list", REACH)
            found += items
            token = metadata.get("continue") or None
        return found

    def _answer(self, verb: str, resource: str, read: Callable[..., Any], **arguments: Any) -> Object | None:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            response = _patiently(read, arguments)
            answer = json.loads(response.data)
        except ApiException as error:
            if error.status == 404:
                return None
            raise self._refusal(verb, resource, error.status) from error
        except (HTTPError, OSError) as error:  # OSError: a certificate or key that cannot be read
            raise ClusterError(f"{self.title} does not answer: {_reason(error)}", REACH) from error
        except ValueError as error:
            says = f"{self.title} answers to {verb} {resource} with something other than JSON"
            raise ClusterError(says, REACH) from error
        if not isinstance(answer, dict):
            raise ClusterError(f"{self.title} answers to {verb} {resource} with something other than an object", REACH)
        return answer

    def _refusal(self, verb: str, resource: str, status: int | None) -> Exception:
        if status == 403:
            return Forbidden(verb, resource)
        if status == GONE:
            return _Gone(f"{self.title} no longer knows where the list of {resource} was", "try again")
        if status == 401:
            fix = "log in again, and try `kubectl auth whoami`"
            return ClusterError(f"{self.title} does not accept the credentials", fix)
        return ClusterError(f"{self.title} answers to {verb} {resource} with status {status}", "try again later")


class _Gone(ClusterError):
    """A list has to be read again from its start."""


def _patiently(read: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """The answer to a question; a server that is busy is asked again, after the time that it names."""
    from kubernetes.client.exceptions import ApiException

    for left in range(TRIES - 1, -1, -1):
        try:
            return read(_preload_content=False, _request_timeout=TIMEOUT, **arguments)
        except ApiException as error:
            if error.status not in BUSY or not left:
                raise
            named = str((error.headers or {}).get("Retry-After") or "1")
            time.sleep(min(float(named) if named.isdigit() else 1.0, LONGEST_WAIT))
    raise AssertionError("the last try returns or raises")


def _is_object(value: Any) -> bool:
    """Whether this has the parts of a Kubernetes object that are looked into."""
    return isinstance(value, dict) and all(
        isinstance(value.get(part, {}), (dict, type(None))) for part in ("metadata", "spec", "status")
    )


REACH = "see whether `kubectl get nodes` works with the same context"


def connect(context: str | None = None, kubeconfig: str | None = None) -> Cluster:
    """The cluster of a context, or of the kubeconfig's current one. `kubeconfig` is one file, or several as in
    KUBECONFIG; None is ~/.kube/config, and where that is not there either, the service account of the pod that this
    runs in. Nothing is sent yet, and the file is never changed.

    Raises ClusterError where the client is not installed or the kubeconfig leads nowhere.
    """
    try:
        from kubernetes import client, config
        from yaml import YAMLError
    except ImportError as error:
        raise ClusterError("the Python package kubernetes is not installed", "pip install kubernetes") from error
    file = kubeconfig or "~/.kube/config"
    settings = client.Configuration()
    settings.retries = False
    load: Any = config.load_kube_config
    in_pod = kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ
    if in_pod and not os.path.exists(os.path.expanduser(file)):
        file = "the service account of this pod"
        in_cluster: Any = config.load_incluster_config

        def load(client_configuration: Any, **_: Any) -> None:
            in_cluster(client_configuration=client_configuration)

    try:
        with _complaints() as heard:
            load(config_file=file, context=context, client_configuration=settings, persist_config=False)
    except (config.ConfigException, YAMLError, OSError, TypeError, ValueError, AttributeError) as error:
        where = f"context {context!r} of {file}" if context else file
        fix = "see `kubectl config get-contexts`, then give one with --context, or set KUBECONFIG"
        raise ClusterError(f"{where} leads to no cluster: {_reason(error)}", fix) from error
    if heard and not settings.api_key and not settings.cert_file:
        # Without credentials the cluster would take us for anonymous, and refuse every question as if by RBAC.
        says = f"{context or 'the current context'} of {file} gives no credentials: {' '.join(heard[0].split())}"
        fix = "install the program that its exec names, such as aws, log in, and try `kubectl auth whoami`"
        raise ClusterError(says, fix)
    return Cluster(client.ApiClient(settings), f"the cluster at {settings.host}")


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
