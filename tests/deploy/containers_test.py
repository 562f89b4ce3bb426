"""The programs take what docker/ tells its containers to start them with.

On free ports and in a folder of the test's own, each server starts by the
arguments of its container, the probes find it well, and it ends well.
"""

import hashlib
import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import unittest

import programs
import yaml

DOCKER = programs.ROOT / "docker"
TOKEN = "a-token-of-the-test"


def make_secrets(folder):
    """What the pods find in /secrets, with a certificate that signs itself."""
    (folder / "tls").mkdir(parents=True)
    (folder / "tokens").mkdir()
    certificate = folder / "tls/tls.crt"
    request = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        " -days 1 -subj /CN=poe -addext subjectAltName=DNS:poe,DNS:localhost"
    ).split()
    files = ["-keyout", folder / "tls/tls.key", "-out", certificate]
    subprocess.run([*request, *files], check=True, capture_output=True)
    (folder / "tls/ca.crt").write_bytes(certificate.read_bytes())
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    (folder / "tokens/tokens").write_text(f"score prometheus sha256:{digest}\n")


def pod_of(name):
    """The template of the pods of docker/kubernetes/NAME.yaml."""
    manifests = yaml.safe_load_all((DOCKER / f"kubernetes/{name}.yaml").read_text())
    (template,) = (
        manifest["spec"]["template"]
        for manifest in manifests
        if manifest["kind"] == "Deployment"
    )
    return template


def prometheus_jobs(name):
    config = (DOCKER / f"monitoring/{name}.yml").read_text()
    return yaml.safe_load(config)["scrape_configs"]


def image_instruction(name):
    """The words of an instruction of the Dockerfile."""
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", "")
    return json.loads(re.search(rf"^{name} .*?(\[.*\])$", text, re.MULTILINE)[1])


class ContainersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, arguments):
        """A server with these arguments, but on free ports and ending at once."""
        program, *first = image_instruction("ENTRYPOINT")
        self.assertEqual(program, "poe-server")
        server = programs.Server(
            *first,
            *arguments,
            f"--repository={self.folder / 'models'}",
            "--listen=localhost:0",
            "--http=localhost:0",
            "--lame_duck_seconds=0",
        )
        self.addCleanup(server.end)
        return server

    def check_probe(self, command, server):
        """Runs what asks a container whether it is well."""
        program, *arguments = command
        self.assertEqual(program, "poe")
        subprocess.run(
            [programs.COMMAND, *arguments, "--server", server.grpc],
            check=True,
            timeout=programs.SECONDS,
        )

    def in_folder(self, arguments):
        folder = f"{self.folder}/secrets/"
        return [argument.replace("/secrets/", folder) for argument in arguments]

    def check_metrics(self, job, server, token, status):
        """Asks for metrics as the job of Prometheus does."""
        context = ssl.create_default_context(cafile=self.folder / "secrets/tls/ca.crt")
        host, port = server.http.split(":")
        connection = http.client.HTTPConnection(host, port)
        connection.sock = context.wrap_socket(
            socket.create_connection((host, port), programs.SECONDS),
            server_hostname=job["tls_config"]["server_name"],
        )
        self.addCleanup(connection.close)
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("GET", "/metrics", headers=headers)
        self.assertEqual(connection.getresponse().status, status)

    def test_pods_start_and_answer_their_probes_and_prometheus(self):
        make_secrets(self.folder / "secrets")
        (job,) = prometheus_jobs("prometheus-kubernetes")
        self.assertEqual(job["scheme"], "https")
        for name in ["trainer", "serving"]:
            with self.subTest(name):
                pod = pod_of(name)
                (container,) = pod["spec"]["containers"]
                server = self.start(self.in_folder(container["args"]))
                for probe in ["startupProbe", "readinessProbe", "livenessProbe"]:
                    command = container[probe]["exec"]["command"]
                    self.check_probe(self.in_folder(command), server)
                self.check_metrics(job, server, TOKEN, 200)
                self.check_metrics(job, server, "another", 401)
                self.assertEqual(server.end(), 0)

    def test_prometheus_finds_the_pods_as_the_job_of_the_alerts(self):
        (compose,) = prometheus_jobs("prometheus")
        (kubernetes,) = prometheus_jobs("prometheus-kubernetes")
        self.assertEqual(kubernetes["job_name"], compose["job_name"])
        part, port = kubernetes["relabel_configs"][0]["regex"].split(";")
        for name in ["trainer", "serving"]:
            with self.subTest(name):
                pod = pod_of(name)
                labels = pod["metadata"]["labels"]
                self.assertEqual(labels["app.kubernetes.io/part-of"], part)
                (container,) = pod["spec"]["containers"]
                self.assertIn(port, [one["name"] for one in container["ports"]])

    def test_pods_have_time_to_drain_and_write_where_they_may(self):
        for name in ["trainer", "serving"]:
            with self.subTest(name):
                spec = pod_of(name)["spec"]
                (container,) = spec["containers"]
                flags = dict(
                    argument[2:].partition("=")[::2] for argument in container["args"]
                )
                self.assertGreater(
                    spec["terminationGracePeriodSeconds"],
                    float(flags.get("lame_duck_seconds", 0))
                    + float(flags["drain_seconds"]),
                )
                folder = image_instruction("ENTRYPOINT")[-1]
                (mount,) = (
                    mount
                    for mount in container["volumeMounts"]
                    if mount["mountPath"] == folder
                )
                self.assertEqual(mount.get("readOnly", False), "read_only" in flags)
                self.assertEqual(
                    [port["containerPort"] for port in container["ports"]],
                    [int(flags[flag].split(":")[1]) for flag in ["listen", "http"]],
                )

    def test_the_image_and_compose_start_it_and_the_health_check_succeeds(self):
        compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
        for arguments in [
            image_instruction("CMD"),
            compose["services"]["poe"]["command"],
        ]:
            with self.subTest(arguments):
                server = self.start(arguments)
                self.check_probe(image_instruction("HEALTHCHECK"), server)
                self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    programs.need("openssl")
    unittest.main()
