// Our implementation: the program dagy_cel, fed with JSON lines.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../../build/tests/dagy_cel", import.meta.url));
const program = process.env.DAGY_CEL ?? built;

// Answers in the order of the requests, which are lines of JSON.
export function evaluate(requests) {
  const result = spawnSync(program, {
    input: requests.map((line) => line + "\n").join(""),
    maxBuffer: 1 << 30,
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${program} ended with ${result.status ?? result.signal}`);
  const answers = result.stdout.toString().trimEnd().split("\n").map((line) => JSON.parse(line));
  if (answers.length !== requests.length)
    throw new Error(`${requests.length} requests, ${answers.length} answers`);
  return answers;
}
