// Checks Kubernetes manifests against the schemas of their kinds, those of
// Kubernetes 1.27. A field that a kind does not have is an error too, as it is
// for `kubectl apply --validate=strict`.
//
//   NODE_PATH=MODULES node check_manifests.cjs FILE...
//
// Exits with 1 if anything is wrong, and says where and what.
"use strict";

const fs = require("node:fs");
const validation = require("@kubernetes-models/validate");
const yaml = require("yaml");

// Kubernetes publishes schemas that allow further fields; none does here.
const { register } = validation;
validation.register = (id, schema) =>
  register(
    id,
    schema.properties && schema.additionalProperties === undefined
      ? { ...schema, additionalProperties: false }
      : schema,
  );

const ABSENT = ["ERR_PACKAGE_PATH_NOT_EXPORTED", "MODULE_NOT_FOUND"];

// What is wrong with one document, a line for each.
function mistakesOf(document) {
  const mistakes = [...document.errors, ...document.warnings];
  if (mistakes.length > 0) return mistakes.map((error) => error.message);
  const manifest = document.toJS();
  const { apiVersion, kind } = manifest ?? {};
  if (!apiVersion || !kind) return ["has no apiVersion or no kind"];
  let Model;
  try {
    Model = require(`kubernetes-models/${apiVersion}/${kind}`)[kind];
  } catch (error) {
    if (!ABSENT.includes(error.code)) throw error;
    return [`${apiVersion} ${kind}: there is no such kind`];
  }
  try {
    new Model(manifest).validate();
    return [];
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
    return error.errors.map(
      ({ instancePath, message, params }) =>
        `${kind} ${manifest.metadata?.name}: ${instancePath || "/"} ` +
        `${message} ${JSON.stringify(params)}`,
    );
  }
}

let documents = 0;
let mistakes = 0;
for (const file of process.argv.slice(2)) {
  // Kubernetes reads YAML 1.1, where 0440 is octal.
  const text = fs.readFileSync(file, "utf8");
  for (const document of yaml.parseAllDocuments(text, { version: "1.1" })) {
    ++documents;
    for (const mistake of mistakesOf(document)) {
      ++mistakes;
      console.error(`${file}: ${mistake}`);
    }
  }
}
console.log(`${documents} manifests, ${mistakes} mistakes`);
process.exit(documents > 0 && mistakes === 0 ? 0 : 1);
