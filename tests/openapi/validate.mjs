// Holds an OpenAPI document (default: docs/api/openapi.json) against two independent validators.
// Exit code 1 on any error of either.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { createConfig, lintFromString } from "@redocly/openapi-core";
import { Validator } from "@seriousme/openapi-schema-validator";

// Rules beyond the structure that a client generator stumbles over.
const rules = {
  struct: "error",
  "no-unresolved-refs": "error",
  "path-parameters-defined": "error",
  "path-declaration-must-exist": "error",
  "no-identical-paths": "error",
  "no-ambiguous-paths": "error",
  "no-path-trailing-slash": "error",
  "operation-operationId": "error",
  "operation-operationId-unique": "error",
  "operation-operationId-url-safe": "error",
  "operation-summary": "error",
  "operation-parameters-unique": "error",
  "operation-tag-defined": "error",
  "security-defined": "error",
  "no-enum-type-mismatch": "error",
  "no-unused-components": "error",
  "no-undefined-server-variable": "error",
};

async function bySchema(text) {
  const validator = new Validator();
  const result = await validator.validate(JSON.parse(text));
  if (validator.version !== "3.1") return [`it is version ${validator.version}, not 3.1`];
  if (result.valid) return [];
  return [].concat(result.errors).map((error) => JSON.stringify(error));
}

async function byRules(text, path) {
  const config = await createConfig({ rules });
  const problems = await lintFromString({ source: text, absoluteRef: path, config });
  return problems.map(
    ({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer ?? "?"}`,
  );
}

const path =
  process.argv[2] ?? fileURLToPath(new URL("../../docs/api/openapi.json", import.meta.url));
const text = await readFile(path, "utf8");
const validators = {
  "@seriousme/openapi-schema-validator": bySchema,
  "@redocly/openapi-core": byRules,
};
let failed = false;
for (const [name, validate] of Object.entries(validators)) {
  const errors = await validate(text, path);
  console.log(`${name}: ${errors.length === 0 ? "valid" : `${errors.length} errors`}`);
  for (const error of errors) console.log(`  ${error}`);
  failed ||= errors.length > 0;
}
process.exit(failed ? 1 : 0);
