// Random expressions: ours against @bufbuild/cel, value or error.
import { deviations } from "./left_out.mjs";
import * as other from "./other.mjs";
import { Generator, Random, show } from "./random.mjs";
import { evaluate } from "./subject.mjs";
import { sameTyped } from "./typed.mjs";

const batch = 2000;

export function runDifferential(count, seed) {
  const tally = { values: 0, errors: 0, refused: 0, explained: new Map(), failures: [] };
  for (let done = 0; done < count; done += batch)
    runBatch(Math.min(batch, count - done), seed + done, tally);
  console.log(
    `differential: ${count} expressions from seed ${seed}: ${tally.values} values, ` +
      `${tally.errors} errors, ${tally.refused} refused by our checker alone`,
  );
  for (const [reason, times] of tally.explained) console.log(`  ${times} known: ${reason}`);
  return { tests: count, failures: tally.failures };
}

function runBatch(count, seed, tally) {
  const cases = Array.from({ length: count }, (_, i) => {
    const generator = new Generator(new Random(seed + i));
    const node = generator.expression();
    return { seed: seed + i, node, expr: show(node), document: generator.document };
  });
  const answers = ask(cases, false);
  // What our checker alone refuses is asked again with all types hidden.
  const again = [];
  cases.forEach((test, i) => {
    test.ours = answers[i];
    test.theirs = other.evaluate(test.expr, { inputs: other.inputOf(test.document[0]) });
    if (test.ours.at === "compile" && test.theirs.value !== undefined) again.push(test);
  });
  ask(again, true).forEach((answer, i) => {
    again[i].ours = answer;
    tally.refused++;
  });
  for (const test of cases) judge(test, tally);
}

function ask(cases, dynamic) {
  if (cases.length === 0) return [];
  return evaluate(cases.map(({ node, document }) =>
    `{"expr": ${JSON.stringify(show(node, dynamic))}, "json": {"inputs": ${document[1]}}}`));
}

function judge(test, tally) {
  const { ours, theirs } = test;
  if (ours.error !== undefined && theirs.error !== undefined) {
    tally.errors++;
    return;
  }
  const both = ours.value !== undefined && theirs.value !== undefined;
  if (both && sameTyped(ours.value, theirs.value)) {
    tally.values++;
    return;
  }
  const known = deviations.find(({ explains }) => explains(test));
  if (known) {
    tally.explained.set(known.reason, (tally.explained.get(known.reason) ?? 0) + 1);
    return;
  }
  tally.failures.push(`seed ${test.seed}: ${test.expr}\n    inputs ${test.document[1]}\n    ours ${
    JSON.stringify(ours)}\n    @bufbuild/cel ${JSON.stringify(theirs)}`);
}
