"""The fields that Kubernetes' and KServe's APIs have, as far as `serving/kubernetes/` uses them."""

# Fields of the Kubernetes API that the files use or may use, by the kind of object: a name alone
# is a plain value, a name with another kind an object, a list of them with [].
ANY = None
SCHEMA = {
    "ConfigMap": {"data": ANY},
    "Deployment": {"spec": "DeploymentSpec"},
    "DeploymentSpec": {
        "replicas": int,
        "selector": "Selector",
        "strategy": "Strategy",
        "template": "Template",
    },
    "Strategy": {"type": str, "rollingUpdate": "RollingUpdate"},
    "RollingUpdate": {"maxUnavailable": int, "maxSurge": int},
    "Selector": {"matchLabels": ANY},
    "Template": {"metadata": "Metadata", "spec": "Pod"},
    "Metadata": {"name": str, "labels": ANY, "annotations": ANY},
    "Pod": {
        "automountServiceAccountToken": bool,
        "enableServiceLinks": bool,
        "terminationGracePeriodSeconds": int,
        "securityContext": "PodSecurity",
        "topologySpreadConstraints": ["Spread"],
        "containers": ["Container"],
        "volumes": ["Volume"],
    },
    "PodSecurity": {
        "runAsNonRoot": bool,
        "runAsUser": int,
        "runAsGroup": int,
        "fsGroup": int,
        "seccompProfile": "Seccomp",
    },
    "Seccomp": {"type": str},
    "Spread": {
        "maxSkew": int,
        "topologyKey": str,
        "whenUnsatisfiable": str,
        "labelSelector": "Selector",
    },
    "Container": {
        "name": str,
        "image": str,
        "command": [str],
        "args": [str],
        "ports": ["ContainerPort"],
        "startupProbe": "Probe",
        "readinessProbe": "Probe",
        "livenessProbe": "Probe",
        "lifecycle": "Lifecycle",
        "resources": "Resources",
        "securityContext": "ContainerSecurity",
        "volumeMounts": ["Mount"],
    },
    "ContainerPort": {"name": str, "containerPort": int},
    "Probe": {
        "httpGet": "HttpGet",
        "exec": "Exec",
        "periodSeconds": int,
        "timeoutSeconds": int,
        "failureThreshold": int,
    },
    "HttpGet": {"path": str, "port": str},
    "Exec": {"command": [str]},
    "Lifecycle": {"preStop": "Handler"},
    "Handler": {"exec": "Exec"},
    "Resources": {"requests": ANY, "limits": ANY},
    "ContainerSecurity": {
        "allowPrivilegeEscalation": bool,
        "readOnlyRootFilesystem": bool,
        "capabilities": "Capabilities",
    },
    "Capabilities": {"drop": [str]},
    "Mount": {"name": str, "mountPath": str, "readOnly": bool},
    "Volume": {
        "name": str,
        "persistentVolumeClaim": "Claim",
        "configMap": "Named",
        "emptyDir": "EmptyDir",
    },
    "Claim": {"claimName": str, "readOnly": bool},
    "Named": {"name": str},
    "EmptyDir": {"sizeLimit": str},
    "Service": {"spec": "ServiceSpec"},
    "ServiceSpec": {"selector": ANY, "ports": ["ServicePort"], "type": str},
    "ServicePort": {"name": str, "port": int, "targetPort": str},
    "NetworkPolicy": {"spec": "Policy"},
    "Policy": {
        "podSelector": "Selector",
        "policyTypes": [str],
        "ingress": ["Ingress"],
    },
    "Ingress": {"from": ["Peer"], "ports": ["PolicyPort"]},
    "Peer": {"podSelector": "Selector", "namespaceSelector": "Selector"},
    "PolicyPort": {"port": str},
    "PodDisruptionBudget": {"spec": "Budget"},
    "Budget": {"minAvailable": int, "selector": "Selector"},
    "HorizontalPodAutoscaler": {"spec": "Autoscaler"},
    "Autoscaler": {
        "scaleTargetRef": "Reference",
        "minReplicas": int,
        "maxReplicas": int,
        "metrics": ["Metric"],
        "behavior": "Behavior",
    },
    "Reference": {"apiVersion": str, "kind": str, "name": str},
    "Metric": {"type": str, "pods": "PodsMetric", "resource": "ResourceMetric"},
    "PodsMetric": {"metric": "Named", "target": "Target"},
    "ResourceMetric": {"name": str, "target": "Target"},
    "Target": {"type": str, "averageValue": str, "averageUtilization": int},
    "Behavior": {"scaleDown": "Scaling"},
    "Scaling": {"stabilizationWindowSeconds": int},
    "InferenceService": {"spec": "Inference"},
    "Inference": {"predictor": "Predictor"},
    "Predictor": {
        "minReplicas": int,
        "maxReplicas": int,
        "scaleMetric": str,
        "scaleTarget": int,
        "timeout": int,
        "automountServiceAccountToken": bool,
        "securityContext": "PodSecurity",
        "model": "Model",
    },
    "Model": {
        "modelFormat": "Named",
        "runtimeVersion": str,
        "storageUri": str,
        "resources": "Resources",
    },
}
VERSIONS = {
    "ConfigMap": "v1",
    "Service": "v1",
    "Deployment": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "InferenceService": "serving.kserve.io/v1beta1",
}


def check(value, kind, where):
    """Fails unless the value has no other fields and types than its kind."""
    if kind is ANY:
        return
    if isinstance(kind, list):
        assert isinstance(value, list), where
        for number, each in enumerate(value):
            check(each, kind[0], f"{where}[{number}]")
    elif isinstance(kind, type):
        assert type(value) is kind, f"{where}: {value!r}"
    else:
        assert isinstance(value, dict), where
        for name, each in value.items():
            assert name in SCHEMA[kind], f"{where}.{name}: unknown field"
            check(each, SCHEMA[kind][name], f"{where}.{name}")


def check_document(document):
    document = dict(document)
    kind = document.pop("kind")
    assert document.pop("apiVersion") == VERSIONS[kind]
    check(document.pop("metadata"), "Metadata", f"{kind}.metadata")
    check(document, kind, kind)
