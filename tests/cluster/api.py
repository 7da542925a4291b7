"""Questions to an API server: JSON over HTTPS, with a token."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT = 30.0  # seconds for an answer
TRIES, BUSY = 20, 429
Object = dict[str, Any]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refuses, with its status code and its reason."""

    def __init__(self, code: int, says: str) -> None:
        self.code = code
        super().__init__(f"{code}: {says}")


class Api:
    """An API server as one user sees it."""

    def __init__(self, address: str, token: str) -> None:
        self._token = token
        # The server makes its own certificate when it starts, and nobody else is on loopback.
        context = ssl._create_unverified_context()
        self._connection = http.client.HTTPSConnection(urlsplit(address).netloc, timeout=TIMEOUT, context=context)
        self.forget()

    def forget(self) -> None:
        """Ask anew which kinds there are."""
        self._resources = cache(self._discover)
        self._listed = cache(self._discover_listed)

    def close(self) -> None:
        """Close the connection, which is opened again by the next question."""
        self._connection.close()

    def text(self, path: str, method: str = "GET", body: str | None = None, form: str = "application/json") -> str:
        """The body of an answer. Raises ApiError where it is no success, OSError where there is none."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": form, "Accept": "application/json"}
        status, text = self._answer(method, path, body, headers)
        if status >= 300:
            raise ApiError(status, text)
        return text

    def _answer(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, str]:
        """The status and the body of an answer. Asked for again where the server has closed the connection, or is busy
        with what it serves anew."""
        for tries_left in reversed(range(TRIES)):
            try:
                self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
                text = answer.read().decode()
            except (http.client.HTTPException, OSError) as error:
                self.close()
                if not tries_left:
                    raise OSError(str(error)) from error
                continue
            if answer.status != BUSY or not tries_left:
                return answer.status, text
            time.sleep(1)
        raise AssertionError("no try is the last one")

    def get(self, path: str, **query: str) -> Object:
        """An object, or a list of them."""
        found: Object = json.loads(self.text(f"{path}?{urlencode(query)}" if query else path))
        return found

    def items(self, path: str, **query: str) -> list[Object]:
        """The objects of a list."""
        found: list[Object] = self.get(path, **query)["items"]
        return found

    def apply(self, document: Object, namespace: str = "") -> Object:
        """An object as `kubectl apply --server-side` applies it, its status too where it has one."""
        path = self.path_of(document, namespace)
        query = "?fieldManager=tests&force=true"
        made: Object = json.loads(self.text(path + query, "PATCH", json.dumps(document), APPLY))
        if "status" in document and document["kind"] != "CustomResourceDefinition":
            status = {key: document[key] for key in ("apiVersion", "kind", "status")}
            status["metadata"] = {"name": document["metadata"]["name"]}
            self.text(f"{path}/status{query}", "PATCH", json.dumps(status), APPLY)
        return made

    def patch(self, path: str, change: Mapping[str, Any]) -> Object:
        """An object after a change of some of its fields; None removes one."""
        changed: Object = json.loads(self.text(path, "PATCH", json.dumps(change), MERGE))
        return changed

    def delete(self, path: str, **options: Any) -> None:
        """Delete an object, or all of a list; nothing where it is not there."""
        try:
            self.text(path, "DELETE", json.dumps({"kind": "DeleteOptions", "apiVersion": "v1", **options}))
        except ApiError as error:
            if error.code != 404:
                raise

    def remove(self, path: str) -> None:
        """Delete an object and wait until it is gone: what still has finalizers would be found, and changed, by who
        makes it anew, and go all the same."""
        self.delete(path)
        end = time.monotonic() + TIMEOUT
        while self.has(path):
            if time.monotonic() > end:
                raise OSError(f"{path} was not gone after {TIMEOUT:.0f} s")
            time.sleep(0.05)

    def has(self, path: str) -> bool:
        """Whether an object is there."""
        try:
            self.text(path)
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True

    def path_of(self, document: Object, namespace: str = "") -> str:
        """The path of an object; one of a namespace that it does not name is in `namespace`."""
        version, kind = document["apiVersion"], document["kind"]
        plural, namespaced = self._resources(version)[kind]
        place = f"/namespaces/{document['metadata'].get('namespace') or namespace}" if namespaced else ""
        return f"{root(version)}{place}/{plural}/{document['metadata']['name']}"

    def everything(self, namespace: str) -> list[Object]:
        """All objects of a namespace, but for events and what Kubernetes puts into each namespace itself."""
        found = [
            {"kind": kind, "apiVersion": version, **item}
            for version, kind, plural in self._listed()
            for item in self.items(f"{root(version)}/namespaces/{namespace}/{plural}")
        ]
        own = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
        return [each for each in found if (each["kind"], each["metadata"]["name"]) not in own]

    def _discover_listed(self) -> list[tuple[str, str, str]]:
        """Version, kind and plural of everything that namespaces hold and that can be listed."""
        versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in self.get("/apis")["groups"])]
        return [
            (version, each["kind"], each["name"])
            for version in versions
            for each in self.get(root(version))["resources"]
            if each["namespaced"] and "list" in each["verbs"] and each["name"] != "events"
        ]

    def _discover(self, version: str) -> dict[str, tuple[str, bool]]:
        """Each kind of a version: its plural, and whether its objects are in namespaces."""
        found = self.get(root(version))["resources"]
        return {each["kind"]: (each["name"], each["namespaced"]) for each in found if "/" not in each["name"]}


def root(version: str) -> str:
    """Where the resources of an API version are."""
    return "/api/v1" if version == "v1" else f"/apis/{version}"
