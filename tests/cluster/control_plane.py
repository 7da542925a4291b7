"""A control plane on loopback: etcd, kube-apiserver, the scheduler, controllers, kwok, and LeaderWorkerSet's.

Everything that it writes is in one folder, every port is free when it starts, and whatever happens its processes end
with the context. A program that ends early, or does not answer in time, is an error with the end of its log.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llmdgen.yaml_text import dump

from .api import Api, ApiError
from .programs import program, stages

ADMIN, GUEST = "admin-token", "guest-token"  # of everything, and of nobody to whom RBAC gives anything
STARTS = 90.0  # seconds that a program may take until it answers
ENDS = 10.0  # seconds that it may take to end
PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>
TAIL = 30  # lines of a log in an error
PODS = "127.1.0.1/16"  # addresses of pods: of this machine, so that somebody can answer there


class Failed(Exception):
    """A program of the control plane ended, or does not answer."""


class Process:
    """A running program, whose output goes to a file."""

    def __init__(
        self, folder: Path, name: str, arguments: list[str], environment: dict[str, str] | None = None
    ) -> None:
        path = program(name)
        if path is None:
            raise Failed(f"there is no {name}: make cluster-tools")
        self.name, self.log = name, folder / f"{name}.log"
        # A group of its own, so that nothing that it started stays behind.
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(path), *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env={**os.environ, "TMPDIR": str(folder), **(environment or {})},
                start_new_session=True,
                # Python 3.12 warns of code between fork and exec where there are threads.
                preexec_fn=_ends_with_its_parent if threading.active_count() == 1 else None,
            )

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Come back when it is ready. Raises Failed where it ends before that, or takes too long."""
        end = time.monotonic() + STARTS
        while not ready():
            self.check()
            if time.monotonic() > end:
                raise Failed(f"{self.name} was not ready after {STARTS:.0f} s:\n{self.tail()}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raises Failed where it has ended."""
        if self._process.poll() is not None:
            raise Failed(f"{self.name} ended with {self._process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-TAIL:])

    def end(self) -> None:
        """End it and everything that it started."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sign)
            except ProcessLookupError:
                break
            try:
                self._process.wait(ENDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()


def _ends_with_its_parent() -> None:
    """Let Linux kill this process where the tests are killed themselves, and can end nothing."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class ControlPlane:
    """What runs: `api` asks as an administrator, `kubeconfig` is a file for others who do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[Process] = []
        self.port, self.webhook_port = free_port(), free_port()
        self.address = f"https://127.0.0.1:{self.port}"
        self.api = Api(self.address, ADMIN)
        self.kubeconfig = self.kubeconfig_of(ADMIN)

    def kubeconfig_of(self, token: str) -> Path:
        """A kubeconfig whose only context asks with that token."""
        file = self.folder / f"kubeconfig-{token}"
        cluster = {"server": self.address, "insecure-skip-tls-verify": True}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "here", "user": {"token": token}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
            "current-context": "here",
        }
        file.write_text(dump(document), "utf-8")
        file.chmod(0o600)
        return file

    def run(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> Process:
        """Start a program that ends with the control plane."""
        process = Process(self.folder, name, list(arguments), environment)
        self._processes.append(process)
        return process

    def start(self) -> None:
        """Start everything and wait for it. Raises Failed."""
        self._certificates()
        peers, clients = free_port(), free_port()
        etcd = self.run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-cluster=default=http://127.0.0.1:{peers}",
            f"--listen-client-urls=http://127.0.0.1:{clients}",
            f"--advertise-client-urls=http://127.0.0.1:{clients}",
            "--unsafe-no-fsync",
        )
        etcd.wait_until(lambda: listens(clients))
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f"{ADMIN},admin,admin,system:masters\n{GUEST},guest,guest\n")
        server = self.run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{clients}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self.folder / 'apiserver'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            f"--token-auth-file={tokens}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'key.pem'}",
            f"--service-account-signing-key-file={self.folder / 'key.pem'}",
            "--allow-privileged=true",
            "--profiling=false",
        )
        server.wait_until(self._is_ready)
        config = f"--kubeconfig={self.kubeconfig}"
        self.run(
            "kube-controller-manager",
            config,
            "--leader-elect=false",
            "--secure-port=0",
            "--use-service-account-credentials=false",
            f"--service-account-private-key-file={self.folder / 'key.pem'}",
            "--node-monitor-grace-period=1h",  # nobody sends heartbeats
            "--kube-api-qps=500",
            "--kube-api-burst=500",
        )
        self.run(
            "kube-scheduler",
            config,
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=500",
            "--kube-api-burst=500",
        )
        kwok = ["--manage-all-nodes=true", f"--cidr={PODS}", f"--server-address=127.0.0.1:{free_port()}"]
        kwok += [f"--config={file}" for file in stages()]
        self.run("kwok", config, *kwok)

    def start_lws(self) -> None:
        """Start the LeaderWorkerSet controller, whose kinds are there already."""
        settings = {
            "apiVersion": "config.lws.x-k8s.io/v1alpha1",
            "kind": "Configuration",
            "leaderElection": {"leaderElect": False},
            "internalCertManagement": {"enable": False},
            "webhook": {"port": self.webhook_port, "host": "127.0.0.1", "certDir": str(self.folder)},
            "metrics": {"bindAddress": "0"},
            "health": {"healthProbeBindAddress": "0"},
        }
        file = self.folder / "lws.yaml"
        file.write_text(dump(settings), "utf-8")
        lws = self.run(
            "lws", f"--config={file}", "--metrics-bind-address=0", environment={"KUBECONFIG": str(self.kubeconfig)}
        )
        lws.wait_until(lambda: listens(self.webhook_port))

    def check(self) -> None:
        """Raises Failed where a program has ended."""
        for process in self._processes:
            process.check()

    def end(self) -> None:
        """End everything, the last first."""
        self.api.close()
        while self._processes:
            self._processes.pop().end()

    def _is_ready(self) -> bool:
        try:
            return listens(self.port) and self.api.text("/readyz") == "ok"
        except (ApiError, OSError):
            return False

    def _certificates(self) -> None:
        """A key, and a certificate of it for this machine: of service accounts, and of webhooks."""
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7", "-subj", "/CN=127.0.0.1"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "tls.crt"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"openssl: {done.stderr}")
        (self.folder / "tls.key").write_bytes((self.folder / "key.pem").read_bytes())


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """A control plane whose files are in a folder that exists; it runs as long as the context."""
    plane = ControlPlane(folder)
    try:
        plane.start()
        yield plane
    finally:
        plane.end()


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as asking:
        asking.settimeout(1)
        return asking.connect_ex(("127.0.0.1", port)) == 0
