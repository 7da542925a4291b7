"""EFA interfaces of a pod: its share of what the node really has attached."""

from __future__ import annotations


def share(attached: int, gpus_of_node: int, gpus_of_pod: int) -> int:
    """(interfaces of the node / its GPUs) x GPUs of the pod, rounded down, at least one where the node has any.

    Where a node has fewer interfaces than GPUs, small pods get one each for as long as there are any; the placement
    then puts fewer pods on a node than it has GPUs for.
    """
    if not attached or not gpus_of_node:
        return 0
    return max(1, attached * gpus_of_pod // gpus_of_node)
