"""A live cluster, read through the official Kubernetes client: plain JSON objects, and nothing written.

The client is imported when a cluster is connected, so that nobody else waits for it or needs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from llmdgen.preflight.answer import ClusterError, Forbidden

TIMEOUT = (5.0, 30.0)  # seconds to connect, and to wait for each piece of an answer
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
        from kubernetes.client import ApiextensionsV1Api

        read = ApiextensionsV1Api(self._client).read_custom_resource_definition
        return self._one("customresourcedefinitions", read, name=name)

    def gateway_class(self, name: str) -> Object | None:
        """A GatewayClass, None where it, or its kind, does not exist."""
        from kubernetes.client import CustomObjectsApi

        read = CustomObjectsApi(self._client).get_cluster_custom_object
        place = {"group": "gateway.networking.k8s.io", "version": "v1", "plural": "gatewayclasses"}
        return self._one("gatewayclasses", read, name=name, **place)

    def namespace(self, name: str) -> Object | None:
        """A namespace, None where it does not exist."""
        from kubernetes.client import CoreV1Api

        return self._one("namespaces", CoreV1Api(self._client).read_namespace, name=name)

    def secret_keys(self, namespace: str, name: str) -> dict[str, bool] | None:
        """The keys of a Secret and whether each has a value, None where it does not exist. Values are dropped here."""
        from kubernetes.client import CoreV1Api

        secret = self._one("secrets", CoreV1Api(self._client).read_namespaced_secret, name=name, namespace=namespace)
        return None if secret is None else {key: bool(value) for key, value in (secret.get("data") or {}).items()}

    def claim(self, namespace: str, name: str) -> Object | None:
        """A PersistentVolumeClaim, None where it does not exist."""
        from kubernetes.client import CoreV1Api

        read = CoreV1Api(self._client).read_namespaced_persistent_volume_claim
        return self._one("persistentvolumeclaims", read, name=name, namespace=namespace)

    def nodes(self) -> list[Object]:
        """All nodes."""
        from kubernetes.client import CoreV1Api

        return self._all("nodes", CoreV1Api(self._client).list_node)

    def pods(self) -> list[Object]:
        """The pods of all namespaces that have not ended."""
        from kubernetes.client import CoreV1Api

        return self._all("pods", CoreV1Api(self._client).list_pod_for_all_namespaces, field_selector=LEFT)

    def daemon_sets(self) -> list[Object]:
        """The DaemonSets of all namespaces."""
        from kubernetes.client import AppsV1Api

        return self._all("daemonsets", AppsV1Api(self._client).list_daemon_set_for_all_namespaces)

    def _one(self, resource: str, read: Callable[..., Any], **place: str) -> Object | None:
        return self._answer("get", resource, read, **place)

    def _all(self, resource: str, read: Callable[..., Any], **options: str) -> list[Object]:
        if resource not in self._lists:
            found: list[Object] = []
            token: str | None = ""
            while token is not None:
                page = {"limit": PAGE, **options, **({"_continue": token} if token else {})}
                answer = self._answer("list", resource, read, **page)
                if answer is None:
                    raise ClusterError(f"{self.title} knows no {resource}", "name a context of a Kubernetes cluster")
                found += answer.get("items") or []
                token = (answer.get("metadata") or {}).get("continue") or None
            self._lists[resource] = found
        return self._lists[resource]

    def _answer(self, verb: str, resource: str, read: Callable[..., Any], **arguments: Any) -> Object | None:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            response = read(_preload_content=False, _request_timeout=TIMEOUT, **arguments)
            answer = json.loads(response.data)
        except ApiException as error:
            if error.status == 404:
                return None
            raise self._refusal(verb, resource, error.status) from error
        except HTTPError as error:
            raise ClusterError(f"{self.title} does not answer: {_reason(error)}", REACH) from error
        except ValueError as error:
            raise ClusterError(f"{self.title} answers to {verb} {resource} with what is no JSON", REACH) from error
        if not isinstance(answer, dict):
            raise ClusterError(f"{self.title} answers to {verb} {resource} with what is no object", REACH)
        return answer

    def _refusal(self, verb: str, resource: str, status: int | None) -> Forbidden | ClusterError:
        if status == 403:
            return Forbidden(verb, resource)
        if status == 401:
            return ClusterError(
                f"{self.title} does not accept the credentials", "log in again, and try `kubectl auth whoami`"
            )
        return ClusterError(f"{self.title} answers to {verb} {resource} with status {status}", "try again later")


REACH = "see whether `kubectl get nodes` works with the same context"


def connect(context: str | None = None, kubeconfig: str | None = None) -> Cluster:
    """The cluster of a context, or of the kubeconfig's current one. `kubeconfig` is one file, or several as in
    KUBECONFIG; None is ~/.kube/config. Nothing is sent yet, and the file is never changed.

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
    try:
        load(config_file=file, context=context, client_configuration=settings, persist_config=False)
    except (config.ConfigException, YAMLError, OSError, TypeError, ValueError, AttributeError) as error:
        where = f"context {context!r} of {file}" if context else file
        raise ClusterError(
            f"{where} leads to no cluster: {_reason(error)}",
            "see `kubectl config get-contexts`, then give one with --context, or set KUBECONFIG",
        ) from error
    return Cluster(client.ApiClient(settings), f"the cluster at {settings.host}")


def _reason(error: Exception) -> str:
    """An error as one line."""
    return " ".join(str(error).split()) or type(error).__name__
