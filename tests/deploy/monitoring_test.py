"""Prometheus with docker/monitoring's configuration beside a server that works.

Every query of the dashboard must give data, every alert must know its metrics,
and docs/operating.md must list them all.
"""

import json
import math
import pathlib
import re
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

import programs
import yaml

DOCKER = programs.ROOT / "docker"
ROWS = {"dense": {"shape": [2, 4], "values": [1, 0, 0, 1, 0, 1, 1, 0]}}
START = {
    "model_name": "bits",
    "data_spec": {"family": "FAMILY_BERNOULLI", "dimension": 4},
    "products": [{"groups": [{"num_experts": 2, "bernoulli_units": {}}]}],
}


def get(url):
    with urllib.request.urlopen(url, timeout=programs.SECONDS) as answer:
        return answer.read().decode()


def post(url, *messages, media_type="application/json"):
    """Posts messages as JSON; the status of the answer."""
    body = "\n".join(map(json.dumps, messages)).encode()
    request = urllib.request.Request(url, body, {"Content-Type": media_type})
    try:
        with urllib.request.urlopen(request, timeout=programs.SECONDS) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def call_everything(server):
    """Calls that the dashboard shows, one that fails, and one that is refused."""
    url = f"http://{server.http}"
    request = {"model": {"name": "bits"}, "observations": ROWS}
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 0, 0, 1]}
    assert post(f"{url}/v1/score", request) == 200
    assert post(f"{url}/v1/reconstruct", request) == 200
    assert post(f"{url}/v2/models/bits/infer", {"inputs": [tensor]}) == 200
    assert post(f"{url}/v1/score", {"model": {"name": "none"}}) == 404
    assert post(f"{url}/v1/score", request, media_type="text/plain") == 415


def start_prometheus(folder, target):
    """Prometheus by the repository's files, asking `target` twice a second."""
    config = yaml.safe_load((DOCKER / "monitoring/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [
        str(DOCKER / "monitoring" / name) for name in config["rule_files"]
    ]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    return programs.Program(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        "--web.listen-address=127.0.0.1:0",
    )


class MonitoringTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        cls.server = programs.Server(
            f"--repository={folder / 'models'}",
            "--listen=localhost:0",
            "--http=localhost:0",
        )
        cls.addClassCleanup(cls.server.end)
        status = post(
            f"http://{cls.server.http}/v1/train",
            {"start": START},
            {"chunk": {"observations": ROWS}},
            media_type="application/x-ndjson",
        )
        assert status == 200, status
        prometheus = start_prometheus(folder, cls.server.http)
        cls.addClassCleanup(prometheus.end)
        cls.prometheus = prometheus.await_output(r'Listening on" address=(\S+)\n')
        prometheus.await_output("(Server is ready)")

    def ask_prometheus(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        url = f"http://{self.prometheus}/api/v1/{path}?{query}"
        try:
            return json.loads(get(url))["data"]
        except urllib.error.HTTPError as error:
            self.fail(f"{url}: {error.read().decode()}")

    def await_labels(self, query):
        """The labels that all series of the query have, once there are numbers."""

        def labels():
            call_everything(self.server)
            series = self.ask_prometheus("query", query=query)["result"]
            if all(math.isnan(float(one["value"][1])) for one in series):
                return None
            return set.intersection(*(set(one["metric"]) for one in series))

        return programs.await_result(labels, query)

    def test_the_target_is_up(self):
        self.await_labels(f'up{{job="poe",instance="{self.server.http}"}} == 1')

    def test_every_query_of_the_dashboard_gives_data_with_its_labels(self):
        dashboard = json.loads((DOCKER / "monitoring/dashboard.json").read_text())
        (variable,) = dashboard["templating"]["list"]
        metric, label = re.fullmatch(
            r"label_values\((\w+), (\w+)\)", variable["query"]["query"]
        ).groups()
        self.assertIn(label, self.await_labels(metric))
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$instance", ".+")
                query = query.replace("$__rate_interval", "10s")
                with self.subTest(panel["title"], query=query):
                    labels = self.await_labels(query)
                    for name in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                        self.assertIn(name, labels)

    def test_every_alert_knows_its_metrics_and_none_fires(self):
        (group,) = self.ask_prometheus("rules")["groups"]
        written = yaml.safe_load((DOCKER / "monitoring/alerts.yml").read_text())
        self.assertEqual(len(group["rules"]), len(written["groups"][0]["rules"]))
        for rule in group["rules"]:
            with self.subTest(rule["name"]):
                self.assertNotEqual(rule["state"], "firing")
                # What there is without faults: any error, at any number.
                query = re.sub(r'(code|reason)=~?"[^"]+"', r'\1=~".+"', rule["query"])
                query = re.sub(r" (==|>|<) \S+$", "", query)
                labels = self.await_labels(query)
                summary = rule["annotations"]["summary"]
                for name in re.findall(r"\$labels\.(\w+)", summary):
                    self.assertIn(name, labels)

    def test_the_autoscaler_has_its_metric(self):
        manifests = (DOCKER / "kubernetes/serving.yaml").read_text()
        (autoscaler,) = (
            manifest
            for manifest in yaml.safe_load_all(manifests)
            if manifest["kind"] == "HorizontalPodAutoscaler"
        )
        for metric in autoscaler["spec"]["metrics"]:
            metric = metric["pods"]["metric"]
            labels = metric["selector"]["matchLabels"].items()
            matchers = ",".join(f'{name}="{value}"' for name, value in labels)
            self.await_labels(f"{metric['name']}{{{matchers}}}")

    def test_the_page_lists_every_metric(self):
        call_everything(self.server)
        metrics = get(f"http://{self.server.http}/metrics")
        page = (programs.ROOT / "docs/operating.md").read_text()
        rows = re.findall(r"^\| (`(?:poe|process)_.*?) \|", page, re.MULTILINE)
        self.assertEqual(
            set(re.findall(r"^# TYPE (\w+)", metrics, re.MULTILINE)),
            set(re.findall(r"`(\w+)`", " ".join(rows))),
        )


if __name__ == "__main__":
    programs.need("prometheus")
    unittest.main()
