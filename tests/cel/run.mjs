// Holds the expression language against CEL's conformance cases and against @bufbuild/cel:
//   node run.mjs [--count N] [--seed N] [--junit FILE]
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { runConformance } from "./conformance_run.mjs";
import { runDifferential } from "./differential.mjs";

const shown = 20; // failures of each part

const { values: options } = parseArgs({
  options: {
    count: { type: "string", default: "5000" },
    seed: { type: "string", default: "1" },
    junit: { type: "string" },
  },
});

const parts = [runConformance(), runDifferential(Number(options.count), Number(options.seed))];
for (const { failures } of parts) {
  for (const failure of failures.slice(0, shown)) console.error(`FAILED ${failure}`);
  if (failures.length > shown) console.error(`… ${failures.length - shown} more`);
}
if (options.junit) {
  const suites = parts.map(({ tests, failures }) =>
    `<testsuite name="cel" tests="${tests}" failures="${failures.length}" errors="0"/>`);
  writeFileSync(options.junit, `<testsuites>\n${suites.join("\n")}\n</testsuites>\n`);
}
process.exitCode = parts.some(({ failures }) => failures.length > 0) ? 1 : 0;
