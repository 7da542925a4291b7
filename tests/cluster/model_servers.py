"""Stand-ins for model servers: each pod's address is one of loopback, where somebody answers what schedulers ask."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

# What vLLM says of itself, as far as the scheduler's scorers read it.
METRICS = """\
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{model_name="m"}} {waiting}
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{model_name="m"}} {running}
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{model_name="m"}} {usage}
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{{block_size="16",num_gpu_blocks="10000"}} 1
"""


class ModelServers:
    """The load that each address tells, and how often each was asked for it."""

    def __init__(self) -> None:
        self.load: dict[str, tuple[int, int, float]] = {}
        self.asked: Counter[str] = Counter()

    def metrics(self, address: str) -> str:
        self.asked[address] += 1
        waiting, running, usage = self.load.get(address, (0, 0, 0.0))
        return METRICS.format(waiting=waiting, running=running, usage=usage)


@contextmanager
def serving(endpoints: list[tuple[str, int]]) -> Iterator[ModelServers]:
    """Model servers at these addresses and ports."""
    found = ModelServers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("text/plain", found.metrics(self.connection.getsockname()[0]))

        def do_POST(self) -> None:
            self._answer("application/json", json.dumps({"choices": [], "usage": {}}))

        def _answer(self, kind: str, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            with suppress(ConnectionError):  # whoever asked may have given up
                self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    servers = [ThreadingHTTPServer(endpoint, Handler) for endpoint in endpoints]
    threads = [Thread(target=each.serve_forever, kwargs={"poll_interval": 0.05}) for each in servers]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
