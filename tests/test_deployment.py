"""The files that run TensorFlow Serving elsewhere: Kubernetes, KServe, Prometheus, Grafana.

They are compared with the fields that the APIs have, so that a misspelt one is found here, and
with what the rest of `serving/` says.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from gan_keras.exporting import contract
from gan_keras.serving import counters
from tests.kubernetes_fields import check, check_document

SERVING = Path(__file__).parent.parent / "serving"
KUBERNETES = SERVING / "kubernetes"
COMPOSE = yaml.safe_load((SERVING / "docker-compose.yml").read_text("utf-8"))["services"]
FLAGS = dict(flag.removeprefix("--").split("=") for flag in COMPOSE["serving"]["command"])
DOCUMENTS = {
    document["kind"]: document
    for document in yaml.safe_load_all((KUBERNETES / "serve.yaml").read_text("utf-8"))
}
POD = DOCUMENTS["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
NAMESPACE = "kubernetes.io/metadata.name"  # The label that Kubernetes gives each with its name.
# The series of TensorFlow Serving that dashboards and alerts may ask for, with their labels.
SERIES = {
    ":tensorflow:serving:request_count": {"model_name", "status"},
    ":tensorflow:serving:request_latency": {"model_name", "API", "entrypoint"},
    ":tensorflow:serving:batching_session:queuing_latency": {"thread_pool_name"},
    "process_resident_memory_bytes": set(),
    "up": set(),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_kubernetes_knows_every_field(kind):
    check_document(DOCUMENTS[kind])


def test_a_misspelt_field_would_be_noticed():
    for changed in ({"contaners": []}, {"containers": [{"image": 5}]}, {"volumes": {}}):
        with pytest.raises(AssertionError):
            check(POD | changed, "Pod", "pod")


def parsed(text):
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


def uncommented(text):
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


def test_the_config_map_has_the_files_of_compose():
    data = DOCUMENTS["ConfigMap"]["data"]
    assert set(data) == {"models.config", "batching.config", "monitoring.config"}
    for name, text in data.items():
        assert uncommented(text) == uncommented((SERVING / name).read_text("utf-8")), name
    (model,) = parsed(data["models.config"]).model_config_list.config
    mounts = {mount["mountPath"]: mount for mount in CONTAINER["volumeMounts"]}
    assert mounts[model.base_path]["readOnly"] is True
    assert mounts["/serving"]["readOnly"] is True


def test_kubernetes_gives_the_flags_of_compose():
    flags = dict(flag.removeprefix("--").split("=") for flag in CONTAINER["args"])
    assert flags.pop("port") == str(contract.GRPC_PORT)
    assert flags == FLAGS
    assert CONTAINER["image"] == COMPOSE["serving"]["image"]


def test_names_in_kubernetes_fit_together():
    labels = DOCUMENTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert DOCUMENTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert DOCUMENTS["Service"]["spec"]["selector"] == labels
    assert DOCUMENTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert ports == {"grpc": contract.GRPC_PORT, "rest": contract.REST_PORT}
    served = {port["targetPort"]: port["port"] for port in DOCUMENTS["Service"]["spec"]["ports"]}
    assert served == ports
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == set(volumes)
    assert volumes["exports"]["persistentVolumeClaim"]["readOnly"] is True
    name = DOCUMENTS["ConfigMap"]["metadata"]["name"]
    assert volumes["config"]["configMap"] == {"name": name}
    target = DOCUMENTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == DOCUMENTS["Deployment"]["metadata"]["name"]
    annotations = DOCUMENTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(contract.REST_PORT)
    assert annotations["prometheus.io/path"] == counters.PATH


def test_only_who_is_named_reaches_a_pod_and_nothing_goes_out():
    policy = DOCUMENTS["NetworkPolicy"]["spec"]
    assert policy["podSelector"] == DOCUMENTS["Deployment"]["spec"]["selector"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy  # No rule: none goes.
    clients, prometheus = policy["ingress"]
    # A rule without "from", or an empty selector, would let everybody in.
    ((client,), (monitoring,)) = clients["from"], prometheus["from"]
    assert client == {"podSelector": {"matchLabels": {"generator-client": "true"}}}
    assert list(monitoring) == ["namespaceSelector"]
    assert len(monitoring["namespaceSelector"]["matchLabels"]) == 1
    named = [port["name"] for port in CONTAINER["ports"]]
    assert [port["port"] for port in clients["ports"]] == named
    assert prometheus["ports"] == [{"port": "rest"}]
    for page in ("README.md", "README.zh.md"):
        text = (SERVING / page).read_text("utf-8")
        assert '`generator-client: "true"`' in text
        assert f"`{monitoring['namespaceSelector']['matchLabels'][NAMESPACE]}`" in text


def test_no_root_and_limits():
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["runAsUser"] > 0
    security = CONTAINER["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert set(CONTAINER["resources"]["limits"]) == {"cpu", "memory"}


def test_probes_ask_for_the_status():
    path = f"/v1/models/{contract.MODEL_NAME}"
    for probe in ("startupProbe", "livenessProbe"):
        assert CONTAINER[probe]["httpGet"] == {"path": path, "port": "rest"}
    ready = CONTAINER["readinessProbe"]["exec"]["command"]
    assert ready == COMPOSE["serving"]["healthcheck"]["test"][1:]


def test_the_autoscaler_asks_for_what_the_adapter_makes():
    adapter = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text("utf-8"))
    (rule,) = adapter["rules"]["custom"]
    metrics = DOCUMENTS["HorizontalPodAutoscaler"]["spec"]["metrics"]
    (pods,) = [metric["pods"] for metric in metrics if metric["type"] == "Pods"]
    assert rule["name"]["as"] == pods["metric"]["name"]
    series = re.search(r'__name__="(.*?)_bucket"', rule["seriesQuery"])[1]
    assert series in SERIES
    assert rule["metricsQuery"].endswith("/ 1000")  # microseconds to milliseconds
    for part in ("<<.Series>>", "<<.LabelMatchers>>", "<<.GroupBy>>"):
        assert part in rule["metricsQuery"]


def test_kserve_serves_the_model_of_the_contract():
    service = yaml.safe_load((KUBERNETES / "kserve.yaml").read_text("utf-8"))
    check_document(service)
    assert service["metadata"]["name"] == contract.MODEL_NAME
    model = service["spec"]["predictor"]["model"]
    claim = POD["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert model["storageUri"] == f"pvc://{claim}"
    assert CONTAINER["image"].endswith(f":{model['runtimeVersion']}")


KUBECTL = shutil.which("kubectl")


@pytest.mark.skipif(not KUBECTL, reason="kubectl is not installed")
def test_the_gpu_variant_is_the_same_with_a_gpu():
    def built(folder):
        done = subprocess.run(
            [KUBECTL, "kustomize", str(SERVING / folder)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}

    plain, gpu = built("kubernetes"), built("kubernetes-gpu")
    assert plain == DOCUMENTS
    (container,) = gpu["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert container["image"] == f"{CONTAINER['image']}-gpu"
    for document in gpu.values():
        check_document(document)
    gpu["Deployment"] = plain["Deployment"]
    assert gpu == plain


def test_compose_has_a_gpu_variant():
    services = yaml.safe_load((SERVING / "docker-compose.gpu.yml").read_text("utf-8"))["services"]
    assert set(services) == {"serving"}
    assert services["serving"]["image"] == f"{COMPOSE['serving']['image']}-gpu"
    (device,) = services["serving"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_only_the_proxy_is_open_to_others():
    for name, service in COMPOSE.items():
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:") is (name != "proxy"), name
    proxy = COMPOSE["proxy"]
    config = (SERVING / "proxy" / "nginx.conf").read_text("utf-8")
    mounted = {volume["target"]: volume for volume in proxy["volumes"]}
    assert all(volume["read_only"] for volume in mounted.values())
    assert proxy["command"][2] == "/etc/nginx/proxy/nginx.conf"
    for path in re.findall(r"/etc/nginx/\w+", config):
        assert path in mounted
    # Without -c it would look for the process of the image's own file.
    assert f"exec proxy \\\n#     nginx -c {proxy['command'][2]} -s reload" in config
    # What has another address after a change would not be found.
    assert proxy["depends_on"] == {"serving": {"condition": "service_healthy", "restart": True}}
    assert proxy["ports"] == ["${PROXY_PORT:-8443}:8443"]
    assert "listen 8443 ssl;" in config
    assert f"server serving:{FLAGS['rest_api_port']};" in config
    assert (proxy["read_only"], proxy["tmpfs"], proxy["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    # What strangers send takes neither all of the memory nor all of the disk.
    assert (proxy["mem_limit"], proxy["logging"]) == ("2g", {"driver": "local"})
    # Keys do not get into the folder that other containers see.
    assert mounted["/etc/nginx/tls"]["source"] == "${TLS_DIR:-../tls}"


def test_prometheus_asks_the_server_of_compose():
    config = yaml.safe_load((SERVING / "prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == counters.PATH
    assert job["static_configs"] == [{"targets": [f"serving:{FLAGS['rest_api_port']}"]}]
    (mount, _) = COMPOSE["prometheus"]["volumes"]
    assert (mount["source"], mount["read_only"]) == (".", True)
    for path in config["rule_files"]:
        folder, _, name = path.rpartition("/")
        assert folder == mount["target"]
        assert (SERVING / name).is_file()
    assert COMPOSE["prometheus"]["command"][0] == (
        f"--config.file={mount['target']}/prometheus.yml"
    )


def alerts():
    (group,) = yaml.safe_load((SERVING / "alerts.yml").read_text("utf-8"))["groups"]
    return group["rules"]


def panels():
    return json.loads((SERVING / "grafana-dashboard.json").read_text("utf-8"))["panels"]


def expressions():
    yield from ((rule["alert"], rule["expr"]) for rule in alerts())
    for panel in panels():
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


@pytest.mark.parametrize(("where", "text"), list(expressions()))
def test_what_is_asked_for_is_there(where, text):
    """Series and labels of TensorFlow Serving, and balanced brackets."""
    asked = re.findall(r"(:?[a-z][\w:]*?)(?:_(?:bucket|count|sum))?\{(.*?)\}", text, re.DOTALL)
    assert asked
    for name, matchers in asked:
        # A counter may end as a histogram's series do.
        series = name if name in SERIES else f"{name}_count"
        assert series in SERIES, name
        labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", matchers))
        assert labels <= SERIES[series] | {"job", "le"}, labels
    for opening, closing in ("()", "{}", "[]"):
        assert text.count(opening) == text.count(closing)


def test_what_is_said_of_both_servers_is_in_the_embedded_ones_counters():
    made = counters.Counters(lambda: ["generator"])
    made.add("generator", "REST", "OK", 0.001)
    text = made.text().decode()
    for panel in panels():
        if "TensorFlow Serving with batching only" in panel["description"]:
            continue
        for target in panel["targets"]:
            for name in re.findall(r"(:?[a-z][\w:]*)\{", target["expr"]):
                assert f"\n{name}{{" in text or f"\n{name} " in text, name


def test_every_alert_says_what_to_do():
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names) == 5
    jobs = yaml.safe_load((SERVING / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    for rule in alerts():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert set(rule["annotations"]) == {"summary", "remedy"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert f'job="{jobs[0]["job_name"]}"' in rule["expr"]
