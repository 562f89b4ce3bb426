// Node's gRPC against poe-server: trained by poe.v1, asked by both protocols.
//
//   open_inference_test.mjs POE_SERVER PROTO_FOLDER

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {after, before, test} from 'node:test';

import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [binary, protos] = process.argv.slice(2);
// The left half is on, or the right one.
const rows = [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]];
const dimension = rows[0].length;

const packages = grpc.loadPackageDefinition(loader.loadSync(
    ['inference/open_inference.proto', 'poe/v1/scoring.proto'],
    {includeDirs: [protos], keepCase: true, longs: String,
     enums: String, oneofs: true}));

let folder, server, inference, poe;

// A unary call as a promise.
function call(client, method, request) {
  return new Promise((resolve, reject) => client[method](
      request, (error, answer) => error ? reject(error) : resolve(answer)));
}

function observations(data) {
  return {dense: {shape: [data.length, dimension], values: data.flat()}};
}

async function train() {
  const stream = poe.Train();
  stream.write({start: {
    model_name: 'halves',
    class_names: ['left', 'right'],
    data_spec: {family: 'FAMILY_BERNOULLI', dimension},
    products: [{groups: [{num_experts: 3, bernoulli_units: {}}]}],
    stages: [{contrastive_divergence: {epochs: 5}}, {separator: {}}],
    seed: 1,
  }});
  const many = Array.from({length: 100}, (_, i) => rows[i % 2]);
  stream.write({chunk: {observations: observations(many),
                        labels: many.map((_, i) => i % 2)}});
  stream.end();
  let last;
  for await (const answer of stream) last = answer;
  assert.equal(last.kind, 'completed');
}

function inferRequest(parameters = {}) {
  return {
    model_name: 'halves',
    parameters,
    inputs: [{name: 'x', datatype: 'FP32', shape: [rows.length, dimension]}],
    raw_input_contents: [Buffer.from(Float32Array.from(rows.flat()).buffer)],
  };
}

function outputsOf(answer) {
  assert.equal(answer.outputs.length, answer.raw_output_contents.length);
  return Object.fromEntries(answer.outputs.map(
      (output, i) => [output.name, answer.raw_output_contents[i]]));
}

async function refused(request, code, text) {
  await assert.rejects(call(inference, 'ModelInfer', request), error => {
    assert.equal(error.code, code);
    assert.match(error.details, text);
    return true;
  });
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'poe-node-'));
  server = spawn(binary, [`--repository=${join(folder, 'models')}`,
                          '--listen=localhost:0', '--log_level=error'],
                 {stdio: ['ignore', 'pipe', 'inherit']});
  const [line] = await once(createInterface(server.stdout), 'line');
  assert.match(line, /^listening on /);
  const address = line.replace('listening on ', '');
  const plain = grpc.credentials.createInsecure();
  inference = new packages.inference.GRPCInferenceService(address, plain);
  poe = new packages.poe.v1.ProductOfExperts(address, plain);
  await train();
});

after(async () => {
  inference?.close();
  poe?.close();
  if (server.exitCode === null) {
    server.kill();
    const [status] = await once(server, 'exit');
    assert.equal(status, 0);
  }
  rmSync(folder, {recursive: true});
});

test('the server and its model say what they are', async () => {
  assert.equal((await call(inference, 'ServerLive', {})).live, true);
  assert.equal((await call(inference, 'ServerReady', {})).ready, true);
  assert.equal((await call(inference, 'ServerMetadata', {})).name,
               'poe-server');
  const metadata = await call(inference, 'ModelMetadata', {name: 'halves'});
  assert.deepEqual(metadata.versions, ['1']);
  assert.deepEqual(metadata.inputs[0].shape, ['-1', String(dimension)]);
  const {config} = await call(inference, 'ModelConfig', {name: 'halves'});
  assert.equal(config.input[0].data_type, 'TYPE_FP32');
});

test('scores are those of poe.v1 to the bit', async () => {
  const scores = await call(poe, 'Score', {
    model: {name: 'halves'}, observations: observations(rows)});
  const raw = {...inferRequest(), id: 'q1'};
  const typed = {...raw, raw_input_contents: []};
  typed.inputs = [{...raw.inputs[0], contents: {fp32_contents: rows.flat()}}];
  for (const request of [raw, typed]) {
    const answer = await call(inference, 'ModelInfer', request);
    assert.equal(answer.id, 'q1');
    assert.equal(answer.model_version, '1');
    assert.deepEqual(outputsOf(answer).log_score, scores.log_scores.data);
  }
});

test('reconstructions and samples follow the seed', async () => {
  const {observations: {dense}} = await call(poe, 'Reconstruct', {
    model: {name: 'halves'}, observations: observations(rows), seed: 7});
  const answer = await call(inference, 'ModelInfer', inferRequest({
    task: {string_param: 'reconstruct'}, seed: {int64_param: 7}}));
  assert.deepEqual(outputsOf(answer).reconstruction, dense.data);
  const sampling = seed => call(inference, 'ModelInfer', {
    model_name: 'halves',
    parameters: {task: {string_param: 'sample'}, steps: {int64_param: 10},
                 class: {string_param: 'left'}, chains: {int64_param: 5},
                 ...seed}});
  const first = await sampling({});
  assert.deepEqual(first.outputs[0].shape, ['5', String(dimension)]);
  const {uint64_param} = first.parameters.seed;
  assert.deepEqual(await sampling({seed: {uint64_param}}), first);
});

test('calls are counted, and the model unloaded and loaded', async () => {
  await call(inference, 'ModelInfer', inferRequest());
  const {model_stats} =
      await call(inference, 'ModelStatistics', {name: 'halves'});
  assert.ok(Number(model_stats[0].inference_count) > 0);
  await call(inference, 'RepositoryModelUnload', {model_name: 'halves'});
  const {models} = await call(inference, 'RepositoryIndex', {});
  assert.equal(models[0].state, 'UNAVAILABLE');
  await refused(inferRequest(), grpc.status.FAILED_PRECONDITION, /halves/);
  await call(inference, 'RepositoryModelLoad', {model_name: 'halves'});
  const {ready} = await call(inference, 'ModelReady', {name: 'halves'});
  assert.equal(ready, true);
});

test('mistakes are named', async () => {
  const {INVALID_ARGUMENT, NOT_FOUND} = grpc.status;
  await refused({...inferRequest(), model_name: 'cats'}, NOT_FOUND, /cats/);
  await refused({...inferRequest(), model_version: 'canary'}, NOT_FOUND,
                /canary/);
  await refused(inferRequest({tusk: {int64_param: 1}}), INVALID_ARGUMENT,
                /tusk/);
  await refused({...inferRequest(), outputs: [{name: 'cats'}]},
                INVALID_ARGUMENT, /label_index/);
});
