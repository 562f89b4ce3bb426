"""Python's gRPC against poe-server: trained by poe.v1, asked by both protocols.

  open_inference_test.py POE_SERVER PROTOC GRPC_PYTHON_PLUGIN PROTO_FOLDER

Exits with 77, which ctest takes for skipped, without python3-grpcio.
"""

import http.client
import json
import struct
import sys
import time
import unittest

SKIPPED = 77
try:
    import grpc

    import service
except ModuleNotFoundError as error:
    print(f"skipped: {error}; Debian's python3-grpcio has it")
    sys.exit(SKIPPED)

BINARY = sys.argv[1]
service.generate(*sys.argv[2:5])

from inference import open_inference_pb2 as oip
from inference import open_inference_pb2_grpc as oip_grpc
from poe.v1 import registry_pb2, scoring_pb2, tensor_pb2, training_pb2
from poe.v1 import registry_pb2_grpc, scoring_pb2_grpc

DIMENSION = 6
# The left half is on, or the right one.
ROWS = [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]


def floats(rows):
    return struct.pack(f"<{len(rows) * DIMENSION}f", *sum(rows, []))


def observations(rows):
    return tensor_pb2.Observations(dense=tensor_pb2.Tensor(
        shape=[len(rows), DIMENSION], values=sum(rows, [])))


def train(channel, name, spec, rows, class_names=(), labels=()):
    start = training_pb2.TrainStart(
        model_name=name, class_names=class_names, data_spec=spec, seed=1)
    group = start.products.add().groups.add(num_experts=3)
    group.bernoulli_units.SetInParent()
    start.stages.add().contrastive_divergence.epochs = 5
    if class_names:
        start.stages.add().separator.SetInParent()
    chunk = training_pb2.TrainChunk(
        observations=observations(rows), labels=labels)
    *_, last = scoring_pb2_grpc.ProductOfExpertsStub(channel).Train(iter([
        training_pb2.TrainRequest(start=start),
        training_pb2.TrainRequest(chunk=chunk),
    ]))
    assert last.WhichOneof("kind") == "completed", last


def infer_request(rows, model="halves", raw=True, **parameters):
    request = oip.ModelInferRequest(model_name=model)
    x = request.inputs.add(
        name="x", datatype="FP32", shape=[len(rows), DIMENSION])
    if raw:
        request.raw_input_contents.append(floats(rows))
    else:
        x.contents.fp32_contents.extend(sum(rows, []))
    set_parameters(request, **parameters)
    return request


def set_parameters(request, **parameters):
    for name, value in parameters.items():
        kind = {bool: "bool", int: "int64", str: "string"}[type(value)]
        setattr(request.parameters[name], f"{kind}_param", value)


def contents(response):
    assert len(response.outputs) == len(response.raw_output_contents)
    return {output.name: raw for output, raw in zip(
        response.outputs, response.raw_output_contents)}


class OpenInferenceTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = service.Server(BINARY)
        cls.addClassCleanup(cls.server.kill)
        channel = cls.server.channel
        cls.infer = oip_grpc.GRPCInferenceServiceStub(channel)
        cls.poe = scoring_pb2_grpc.ProductOfExpertsStub(channel)
        cls.registry = registry_pb2_grpc.ModelRegistryStub(channel)
        train(channel, "halves", tensor_pb2.DataSpec(
            family=tensor_pb2.FAMILY_BERNOULLI, dimension=DIMENSION),
            50 * ROWS, ["left", "right"], 50 * [0, 1])
        train(channel, "symbols", tensor_pb2.DataSpec(
            family=tensor_pb2.FAMILY_CATEGORICAL, dimension=DIMENSION,
            num_symbols=3), 50 * ROWS)

    @classmethod
    def tearDownClass(cls):
        cls.server.channel.close()
        cls.server.terminate()
        assert cls.server.wait() == 0

    def assert_refused(self, code, request, text):
        with self.assertRaises(grpc.RpcError) as caught:
            self.infer.ModelInfer(request)
        self.assertEqual(caught.exception.code(), code)
        self.assertIn(text, caught.exception.details())

    def is_ready(self, name, version=""):
        return self.infer.ModelReady(
            oip.ModelReadyRequest(name=name, version=version)).ready

    def test_server_says_what_it_is(self):
        self.assertTrue(self.infer.ServerLive(oip.ServerLiveRequest()).live)
        self.assertTrue(self.infer.ServerReady(oip.ServerReadyRequest()).ready)
        metadata = self.infer.ServerMetadata(oip.ServerMetadataRequest())
        self.assertEqual(metadata.name, "poe-server")
        self.assertIn("statistics", metadata.extensions)

    def test_models_say_what_they_take(self):
        metadata = self.infer.ModelMetadata(
            oip.ModelMetadataRequest(name="halves"))
        self.assertEqual(list(metadata.versions), ["1"])
        self.assertEqual([(x.name, x.datatype, list(x.shape))
                          for x in metadata.inputs],
                         [("x", "FP32", [-1, DIMENSION])])
        config = self.infer.ModelConfig(
            oip.ModelConfigRequest(name="symbols")).config
        self.assertEqual(config.max_batch_size, 0)
        self.assertEqual(config.input[0].data_type, oip.TYPE_INT64)
        self.assertEqual(config.output[0].name, "log_score")

    def test_scores_are_those_of_poe_v1_to_the_bit(self):
        scores = self.poe.Score(scoring_pb2.ScoreRequest(
            model=scoring_pb2.ModelSelector(name="halves"),
            observations=observations(ROWS)))
        for raw in True, False:
            request = infer_request(
                ROWS, raw=raw, priority=1, timeout=60_000_000)
            request.id = "q1"
            response = self.infer.ModelInfer(request)
            self.assertEqual(response.id, "q1")
            self.assertEqual(response.model_version, "1")
            outputs = contents(response)
            self.assertEqual(outputs["log_score"], scores.log_scores.data)
            self.assertEqual(outputs["label"], b"".join(
                struct.pack("<I", len(name)) + name.encode() for name in
                (scores.class_names[label] for label in scores.labels)))

    def test_bytes_of_tensors_follow_the_json_of_http(self):
        raw = floats(ROWS)
        header = json.dumps({
            "parameters": {"binary_data_output": True},
            "inputs": [{"name": "x", "datatype": "FP32",
                        "shape": [len(ROWS), DIMENSION],
                        "parameters": {"binary_data_size": len(raw)}}],
        }).encode()
        # Like Triton's clients it does not say what the body is.
        connection = http.client.HTTPConnection(self.server.http)
        connection.request("POST", "/v2/models/halves/infer", header + raw, {
            "Inference-Header-Content-Length": str(len(header))})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        self.assertEqual(response.status, 200, body)
        length = int(response.getheader("Inference-Header-Content-Length"))
        outputs = json.loads(body[:length])["outputs"]
        expected = contents(self.infer.ModelInfer(infer_request(ROWS)))
        self.assertEqual({output["name"]: output["parameters"][
            "binary_data_size"] for output in outputs}, {
                name: len(data) for name, data in expected.items()})
        self.assertEqual(body[length:], b"".join(expected.values()))

    def test_errors_of_http_are_texts(self):
        connection = http.client.HTTPConnection(self.server.http)
        connection.request("POST", "/v2/models/cats/infer", "{}",
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        self.assertEqual(response.status, 404, answer)
        self.assertEqual(list(answer), ["error"])
        self.assertIn("cats", answer["error"])

    def test_reconstructions_and_samples_follow_the_seed(self):
        reconstructed = self.poe.Reconstruct(scoring_pb2.ReconstructRequest(
            model=scoring_pb2.ModelSelector(name="halves"),
            observations=observations(ROWS), seed=7))
        response = self.infer.ModelInfer(
            infer_request(ROWS, task="reconstruct", seed=7))
        self.assertEqual(contents(response)["reconstruction"],
                         reconstructed.observations.dense.data)
        request = oip.ModelInferRequest(model_name="halves")
        set_parameters(request, task="sample", chains=5, steps=10, **{
            "class": "left"})
        first = self.infer.ModelInfer(request)
        self.assertEqual(list(first.outputs[0].shape), [5, DIMENSION])
        request.parameters["seed"].CopyFrom(first.parameters["seed"])
        self.assertEqual(self.infer.ModelInfer(request), first)

    def test_symbols_are_int64(self):
        request = oip.ModelInferRequest(model_name="symbols")
        set_parameters(request, task="sample", chains=4, steps=5, seed=1)
        sampled = self.infer.ModelInfer(request)
        self.assertEqual(sampled.outputs[0].datatype, "INT64")
        symbols = struct.unpack(
            f"<{4 * DIMENSION}q", sampled.raw_output_contents[0])
        self.assertTrue(set(symbols) <= {0, 1, 2}, symbols)
        scoring = oip.ModelInferRequest(model_name="symbols")
        scoring.inputs.add(name="x", datatype="INT64", shape=[4, DIMENSION])
        scoring.raw_input_contents.append(sampled.raw_output_contents[0])
        self.assertEqual(len(contents(self.infer.ModelInfer(scoring))
                             ["log_score"]), 4 * 8)

    def test_labels_are_versions(self):
        self.registry.SetLabel(registry_pb2.SetLabelRequest(
            name="halves", label="stable", version=1))
        request = infer_request(ROWS)
        request.model_version = "stable"
        self.assertEqual(self.infer.ModelInfer(request).model_version, "1")
        request.model_version = "canary"
        self.assert_refused(grpc.StatusCode.NOT_FOUND, request, "canary")

    def test_calls_are_counted(self):
        asked = oip.ModelStatisticsRequest(name="halves")
        before = self.infer.ModelStatistics(asked).model_stats[0]
        self.infer.ModelInfer(infer_request(ROWS))
        after = self.infer.ModelStatistics(asked).model_stats[0]
        self.assertEqual(after.inference_count, before.inference_count + 1)
        self.assertEqual(after.inference_stats.success.count,
                         after.inference_count)

    def test_models_are_unloaded_and_loaded(self):
        self.infer.RepositoryModelUnload(
            oip.RepositoryModelUnloadRequest(model_name="symbols"))
        self.assertFalse(self.is_ready("symbols"))
        index = self.infer.RepositoryIndex(oip.RepositoryIndexRequest())
        self.assertEqual({model.name: model.state for model in index.models},
                         {"halves": "READY", "symbols": "UNAVAILABLE"})
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION,
                            infer_request(ROWS, "symbols"), "symbols")
        self.infer.RepositoryModelLoad(
            oip.RepositoryModelLoadRequest(model_name="symbols"))
        self.assertTrue(self.is_ready("symbols", "1"))

    def test_mistakes_are_named(self):
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        self.assert_refused(grpc.StatusCode.NOT_FOUND,
                            infer_request(ROWS, "cats"), "cats")
        self.assert_refused(invalid, infer_request(ROWS, tusk="score"), "tusk")
        self.assert_refused(invalid, infer_request(ROWS, sequence_id=1),
                            "sequence_id")
        unknown = infer_request(ROWS)
        unknown.outputs.add(name="cats")
        self.assert_refused(invalid, unknown, "label_index")
        mixed = infer_request(ROWS)
        mixed.inputs[0].contents.fp32_contents.append(1)
        self.assert_refused(invalid, mixed, "raw_input_contents")

    def test_nothing_is_ready_once_the_server_is_to_end(self):
        server = service.Server(BINARY, "--lame_duck_seconds=600")
        self.addCleanup(server.kill)
        stub = oip_grpc.GRPCInferenceServiceStub(server.channel)
        self.assertTrue(stub.ServerReady(oip.ServerReadyRequest()).ready)
        server.terminate()
        patience = time.monotonic() + 30
        while (stub.ServerReady(oip.ServerReadyRequest()).ready and
               time.monotonic() < patience):
            time.sleep(0.01)
        self.assertFalse(stub.ServerReady(oip.ServerReadyRequest()).ready)
        self.assertTrue(stub.ServerLive(oip.ServerLiveRequest()).live)
        server.channel.close()
        server.terminate()
        self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
