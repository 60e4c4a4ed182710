// Runs the conformance cases through our implementation and compares values and types exactly.
import { bindingsOf, expectationOf, readCases } from "./conformance.mjs";
import { rules } from "./left_out.mjs";
import { evaluate } from "./subject.mjs";
import { literal, sameTyped } from "./typed.mjs";

// The failures, as lines of text, and how many cases there were.
export function runConformance() {
  const failures = [];
  const counts = new Map(rules.map(({ reason }) => [reason, 0]));
  const cases = readCases().map((test) => ({
    test,
    rule: rules.find(({ holds }) => holds(test)),
    expected: expectationOf(test),
  }));
  for (const { rule } of cases) if (rule) counts.set(rule.reason, counts.get(rule.reason) + 1);
  const taken = cases.filter(({ rule }) => !rule);
  // Those that could pass: what they bind and expect are values that we have.
  const left = cases.filter(
    ({ test, rule, expected }) =>
      rule && expected.value && bindingsOf(test).every(([, value]) => value !== undefined),
  );

  evaluate(taken.map(request)).forEach((answer, i) => {
    const { test, expected } = taken[i];
    if (!fulfils(answer, expected))
      failures.push(`${test.name}: ${test.expr}: ${JSON.stringify(expected)}, ours: ${
        JSON.stringify(answer)}`);
  });
  const passed = taken.length - failures.length;
  evaluate(left.map(request)).forEach((answer, i) => {
    const { test, expected, rule } = left[i];
    if (fulfils(answer, expected)) failures.push(`${test.name}: passes, take it: ${rule.reason}`);
  });
  for (const { reason, count } of rules)
    if (counts.get(reason) !== count)
      failures.push(`left out ${counts.get(reason)}, listed are ${count}: ${reason}`);

  const out = cases.length - taken.length;
  console.log(`conformance: taken ${taken.length}, passed ${passed}, left out ${out}`);
  for (const [reason, count] of counts) console.log(`  ${count} ${reason}`);
  return { tests: taken.length, failures };
}

function request(entry) {
  const variables = Object.fromEntries(
    bindingsOf(entry.test).map(([name, value]) => [name, literal(value)]),
  );
  const declared = entry.test.typeEnv.map(({ name }) => name).filter((name) => !(name in variables));
  const expr = Buffer.from(entry.test.expr).toString("base64");
  return JSON.stringify({ expr_base64: expr, variables, declared });
}

function fulfils(answer, expected) {
  if (expected.error) return answer.error !== undefined && answer.at !== "request";
  return answer.value !== undefined && sameTyped(expected.value, answer.value);
}
