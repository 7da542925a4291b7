"""The rules of a preflight, for `llmdgen explain`: what is asked of the cluster, and why."""

from __future__ import annotations

from llmdgen.registry import declare

KIND = declare(
    "PRE101",
    "error",
    "a kind of object that the cluster does not serve",
    """Both releases make objects of kinds that Kubernetes learns from CustomResourceDefinitions. Helm stops at the
    first kind that the API server does not serve in the version that is written, so each one must be there before the
    first `helmfile apply`, established, with that version served.

    Fails:  a cluster without inferencepools.inference.networking.k8s.io, or with its v1alpha2 alone.
    Passes: the same after the prerequisites of the platform and gateway provider are installed.
    """,
)
GATEWAY_CLASS = declare(
    "PRE102",
    "error",
    "no controller for the GatewayClass",
    """A Gateway is only a wish until the controller of its GatewayClass acts on it. The class must exist and carry
    the condition Accepted, which its controller sets; otherwise the Gateway never gets an address.

    Fails:  gateway.provider: istio on a cluster where istiod is not installed.
    Passes: `kubectl get gatewayclass istio` with ACCEPTED True.
    """,
)
LOAD_BALANCER = declare(
    "PRE103",
    "error",
    "no AWS Load Balancer Controller",
    """A Service with the annotations of a Network Load Balancer is left alone by everything but the AWS Load
    Balancer Controller, which brings the kinds TargetGroupBinding and IngressClassParams of elbv2.k8s.aws.

    Fails:  gateway.loadBalancer on a cluster without these kinds.
    Passes: the same with the controller's chart installed; a gateway without a loadBalancer.
    """,
)
NODES = declare(
    "PRE110",
    "error",
    "too few usable nodes of an instance type",
    """Pods select nodes by the label node.kubernetes.io/instance-type (with ml. on HyperPod), on HyperPod by the
    health label Schedulable, by the zone and by `cluster.nodeSelector`. A node counts when it carries all these
    labels, is Ready, is not cordoned and has no taint that the pods do not tolerate. An autoscaler that makes nodes
    on demand has none to show before the pods are there.

    Fails:  a plan for 2 nodes of p5.48xlarge where one of two is cordoned.
    Passes: two Ready nodes.
    """,
)
GPUS = declare(
    "PRE111",
    "error",
    "a node that offers fewer GPUs than planned",
    """The plan packs pods by the GPUs of the instance type. A node with a failed GPU, or with MIG or time slicing,
    offers another number as allocatable nvidia.com/gpu, and pods of the planned size stay Pending.

    Fails:  p5.48xlarge nodes with 7 allocatable GPUs for pods that fill the node.
    Passes: 8 allocatable GPUs.
    """,
)
EFA = declare(
    "PRE112",
    "error",
    "a node that offers fewer EFA interfaces than planned",
    """What a node can allocate of vpc.amazonaws.com/efa is what was attached when it was launched, at most the
    maximum of its type. The plan counts on the maximum unless `cluster.efaPerNode` says otherwise.

    Fails:  p5.48xlarge nodes launched with 16 interfaces for pods that need 32 on one node.
    Passes: 32 interfaces; or `cluster: {efaPerNode: 16}`.
    """,
)
CPU = declare(
    "PRE113",
    "error",
    "a node that offers less cpu than planned",
    """The kubelet keeps cpu for itself, and clusters differ in how much. Where a node offers less than the pods
    planned for it ask for, some of them stay Pending.

    Fails:  nodes that offer 180 cpu for pods that ask for 190.
    Passes: nodes that offer 191 cpu; a smaller `resources.cpu`.
    """,
)
MEMORY = declare(
    "PRE114",
    "error",
    "a node that offers less memory than planned",
    """The kubelet, huge pages and HyperPod's agents keep memory for themselves, and clusters differ in how much.
    Where a node offers less than the pods planned for it ask for, some of them stay Pending.

    Fails:  nodes that offer 1800Gi for pods that ask for 1900Gi.
    Passes: a smaller `resources.memory`.
    """,
)
STORAGE = declare(
    "PRE118",
    "error",
    "a node that offers less ephemeral storage than planned",
    """Weights that each pod downloads fill the volume of the kubelet, and its pods request that room. On EKS and
    HyperPod this is the root or second EBS volume unless nodes put the kubelet on NVMe (nodeadm's localStorage RAID0,
    Karpenter's instanceStorePolicy RAID0): without the request the kubelet would evict them half way.

    Fails:  nodes with 80 GiB for pods that download 120Gi.
    Passes: a larger volume; weights on a claim (`model.uri: pvc://...`).
    """,
)
ROOM = declare(
    "PRE115",
    "error",
    "no room beside the pods that run already",
    """GPUs, interfaces, cpu and memory that running pods have requested are taken, whether they use them or not.
    All pods of the plan must fit into what is left on the usable nodes. Pods of an earlier rollout of the same
    deployment do not count, since the new ones take their place.

    Fails:  two nodes of 8 GPUs with another deployment on one, for a plan of 16 GPUs.
    Passes: the same after the other deployment is scaled down.
    """,
)
ONE_ZONE = declare(
    "PRE116",
    "error",
    "no availability zone with room for all pods",
    """EFA traffic does not leave an availability zone, so that pods which exchange KV cache or collectives are kept
    in one. Enough nodes spread over two zones are not enough.

    Fails:  a plan for 2 nodes with one node in us-east-1a and one in us-east-1b.
    Passes: both in us-east-1a.
    """,
)
ARCHITECTURE = declare(
    "PRE117",
    "error",
    "nodes of an architecture without an image",
    """A node pulls the image of its own CPU architecture, and llm-d's AWS image is not made for all. The node
    itself says what it is.

    Fails:  nodes that report arm64 with llm-d v0.5.1, whose image is amd64 only.
    Passes: nodes that report amd64.
    """,
)
GPU_PLUGIN = declare(
    "PRE120",
    "error",
    "nodes that advertise no GPUs",
    """Kubernetes knows of GPUs only through a device plugin on the node itself. Without one, allocatable has no
    nvidia.com/gpu and every model server stays Pending. Usual causes are a plugin that is not installed, or whose
    DaemonSet does not reach the node for its taints or node affinity.

    Fails:  GPU nodes without nvidia.com/gpu among their allocatable resources.
    Passes: the same with the NVIDIA device plugin, the GPU operator or EKS Auto Mode.
    """,
)
EFA_PLUGIN = declare(
    "PRE121",
    "error",
    "nodes that advertise no EFA interfaces",
    """Kubernetes knows of EFA interfaces only through the EFA device plugin on the node itself. The node affinity
    of its chart lists plain EC2 names, so that it reaches no ml. node by default, nor nodes with the taint
    nvidia.com/gpu. A node that was launched without EFA interfaces has none to advertise either.

    Fails:  p5.48xlarge nodes without vpc.amazonaws.com/efa among their allocatable resources.
    Passes: the same with the DaemonSet aws-efa-k8s-device-plugin on them.
    """,
)
NAMESPACE = declare(
    "PRE130",
    "error",
    "a namespace that takes no objects",
    """`helmfile apply` makes a namespace that is absent. One that is being deleted refuses new objects until it is
    gone.

    Fails:  a namespace in phase Terminating.
    Passes: an Active one, or none.
    """,
)
SECRET = declare(
    "PRE131",
    "error",
    "no Secret with the Hugging Face token",
    """Model servers read the token from the key HF_TOKEN of the Secret that `model.authSecretName` names, in the
    namespace of the deployment. Without it, containers stop with CreateContainerConfigError. Only the names of the
    keys are looked at and shown, never a value.

    Fails:  no such Secret; one whose key is called token; one whose HF_TOKEN is empty.
    Passes: `kubectl create secret generic NAME --from-file=HF_TOKEN=/dev/stdin`.
    """,
)
CLAIM = declare(
    "PRE132",
    "error",
    "a PersistentVolumeClaim that pods cannot mount",
    """A model of pvc:// and a cache tier on shared storage come from claims that exist before the deployment. Each
    must be Bound, and pods on several nodes need an access mode for many nodes.

    Fails:  no such claim; one in phase Pending; ReadWriteOnce for pods on two nodes.
    Passes: a Bound claim with ReadWriteMany, as FSx for Lustre and EFS give.
    """,
)
SECURITY = declare(
    "PRE133",
    "error",
    "a namespace that refuses the pods",
    """A namespace with the label pod-security.kubernetes.io/enforce takes only pods of that standard: baseline refuses
    the capability IPC_LOCK, which EFA needs, and hostPath volumes, restricted also root, which that capability needs,
    and every pod without a seccomp profile. The Deployment is made all the same, and its pods never appear.

    Fails:  enforce: restricted; enforce: baseline for model servers with EFA.
    Passes: no such label, or privileged; baseline for model servers without EFA and disk tier.
    """,
)
PULL_SECRET = declare(
    "PRE134",
    "error",
    "no Secret to pull images with",
    """The kubelet pulls model servers' images with the Secrets that `images.pullSecrets` names, in the namespace of the
    deployment. One that is missing is no error to it: it pulls without, and a private registry refuses. Only the names
    of the keys are looked at and shown, never a value.

    Fails:  images.pullSecrets: [ecr] and no such Secret; one without the key .dockerconfigjson.
    Passes: `kubectl create secret docker-registry ecr ...` in the namespace; no pullSecrets.
    """,
)
