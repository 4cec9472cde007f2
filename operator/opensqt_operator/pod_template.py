"""What the Pods of bots and connectors have in common: restricted Pod security, probes, resources, a scratch folder."""

from opensqt.api.meta import Journal, Quantities, Resources
from opensqt.api.process import DSN_ENV, HEALTH_PORT, METRICS_PORT, Process
from opensqt_operator.names import Object

_USER = 65532


def container(
    name: str,
    process: Process,
    *,
    image: str,
    pull_policy: str,
    port: int,
    readiness: str,
    resources: Resources,
    journal: Journal | None,
) -> Object:
    """A container that passes the restricted Pod security standard; `readiness` names its health service."""
    env: list[Object] = [{"name": name, "value": value} for name, value in sorted(process.env.items())]
    if journal is not None:
        secret = journal.dsn_secret_ref
        env.append({"name": DSN_ENV, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}})
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": list(process.command),
        "env": env,
        "ports": [
            {"name": "grpc", "containerPort": port, "protocol": "TCP"},
            {"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "resources": {"requests": _quantities(resources.requests), "limits": _quantities(resources.limits)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "startupProbe": _probe("liveness", period=2, failures=60),
        "livenessProbe": _probe("liveness", period=10, failures=6),
        "readinessProbe": _probe(readiness, period=5, failures=2),
        # The last words of a process that fails say why; they surface in our conditions.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a path in the container
    }


def pod_spec(the_container: Object, *, grace: int, pull_secrets: tuple[str, ...]) -> Object:
    spec: Object = {
        "containers": [the_container],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": grace,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
    }
    if pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in pull_secrets]
    return spec


def _probe(service: str, *, period: int, failures: int) -> Object:
    return {
        "grpc": {"port": HEALTH_PORT, "service": service},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _quantities(quantities: Quantities) -> Object:
    return quantities.to_json_object()
