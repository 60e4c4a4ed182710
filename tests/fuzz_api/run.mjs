// Requests generated from the API document of a real server; each answer is held against it.
//   npm test -- [--count N | --seconds S] [--seed N] [--keep-going]
import { parseArgs } from "node:util";

import fc from "fast-check";

import { Client, curl } from "./client.mjs";
import { Document } from "./document.mjs";
import { Generator } from "./generate.mjs";
import { Server } from "./server.mjs";
import { World, users } from "./world.mjs";

const lanes = 8; // requests at a time
const seedEvery = 200; // requests
const weights = {
  default: 20,
  login: 2,
  changePassword: 2,
  logout: 3,
  rerunRuns: 4,
  redriveRunFailures: 4,
};
// Operation: why no request can have a 2xx.
const neverAccepted = {
  resumeRun: "few runs are paused at any time",
  createConnection: "its type says which fields it must have and may not have",
  uploadPart: "the URL is signed",
  download: "the URL is signed",
  completeUpload: "all parts must have been uploaded",
  abortUpload: "upload_id and key must be those of one upload",
};
const acceptanceMin = 500; // faultless requests after which one must have been accepted

const { values: options } = parseArgs({
  options: {
    count: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
    // On after a fault, without shrinking: lists every kind of it.
    "keep-going": { type: "boolean" },
  },
});
const seconds = Number(options.seconds ?? (options.count ? 3600 : 60));
const count = Number(options.count ?? 10_000_000);
const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31));

class Run {
  constructor(document, world, port) {
    Object.assign(this, { document, world, port });
    this.generator = new Generator(document, world.names);
    this.requests = 0;
    this.faults = new Map(); // by operation and what is wrong
    this.counts = new Map(
      document.operations.map((each) => [each.id, { all: 0, valid: 0, accepted: 0, refused: {} }]),
    );
  }

  async lane(number) {
    const client = new Client(this.port);
    const plans = this.document.operations.map((each) => ({
      weight: weights[each.id] ?? weights.default,
      arbitrary: this.generator.plan(each),
    }));
    const property = fc.asyncProperty(fc.oneof(...plans), (plan) => this.#check(client, plan));
    const result = await fc.check(property, {
      seed: seed + number,
      numRuns: Math.ceil(count / lanes),
      interruptAfterTimeLimit: seconds * 1000,
      markInterruptAsFailure: false,
    });
    client.close();
    return result;
  }

  // The results of the lanes; of the first one only that has found a fault and shrunk it.
  async lanes() {
    const all = [...Array(lanes).keys()].map((number) => this.lane(number));
    const first = new Promise((resolve) =>
      all.forEach(async (each) => {
        const result = await each;
        if (result.failed) resolve([result]);
      }),
    );
    const results = await Promise.race([first, Promise.all(all)]);
    this.hasEnded = true;
    return results;
  }

  async #check(client, plan) {
    if (this.hasEnded) await new Promise(() => {}); // another lane has found a fault
    const request = await this.world.request(plan);
    const answer = await client.send(request);
    const operation = this.document.operationOf(request.method, request.target);
    if (++this.requests % seedEvery === 0) await this.world.seedLive();
    const problem =
      this.document.answerProblem(operation, answer) ?? this.#leniency(operation, request, answer);
    if (operation) {
      this.#count(operation, plan, answer);
      if (!problem) await this.world.note(operation, request, answer);
    }
    if (problem) this.#fault(operation, request, answer, problem);
  }

  // A success of a request that the document does not allow.
  #leniency(operation, request, answer) {
    if (!operation || answer.status >= 300) return null;
    const ofQuery = this.document.queryProblem(operation, request.target);
    if (ofQuery) return `accepted what is not as documented: ${ofQuery}`;
    // A body without required keys may be absent.
    if (!operation.body || !request.body?.length) return null;
    let body;
    try {
      body = JSON.parse(request.body);
    } catch {
      return "accepted a body that is not JSON";
    }
    const problem = this.document.problem(operation.body, body);
    return problem && `accepted a body that is not as documented: ${problem}`;
  }

  #count(operation, plan, answer) {
    const counts = this.counts.get(operation.id);
    const isValid = plan.fault.kind === "none";
    counts.all += 1;
    if (isValid) counts.valid += 1;
    if (answer.status < 300) counts.accepted += 1;
    else counts.refused[answer.status] = (counts.refused[answer.status] ?? 0) + 1;
  }

  #fault(operation, request, answer, problem) {
    const name = operation?.id ?? "no operation";
    const shown = `${answer.status} ${answer.body?.slice(0, 500)}`;
    const text = `${name}: ${problem}\n  ${curl(this.port, request)}\n  ${shown}`;
    if (!options["keep-going"]) throw new Error(text);
    const kind = `${name}: ${problem}`;
    const known = this.faults.get(kind);
    this.faults.set(kind, { times: (known?.times ?? 0) + 1, text: known?.text ?? text });
  }

  table() {
    const line = (...cells) =>
      console.log(cells.map((each, i) => String(each).padEnd([22, 9, 9, 9][i] ?? 0)).join(""));
    line("operation", "requests", "faultless", "accepted", "refused");
    for (const [id, { all, valid, accepted, refused }] of this.counts) {
      line(
        id,
        all,
        valid,
        accepted,
        Object.entries(refused)
          .map((pair) => pair.join(": "))
          .join(", "),
      );
    }
  }

  unaccepted() {
    const isMissing = ([id, { valid, accepted }]) =>
      valid >= acceptanceMin && accepted === 0 && !neverAccepted[id];
    return [...this.counts].filter(isMissing).map(([id]) => id);
  }
}

// What the server itself shows of the requests it has had.
async function aftermath(server, client) {
  const found = [];
  if (!server.isAlive) return ["the server has ended", server.log().slice(-4000)];
  const health = await client.send({ method: "GET", target: "/health", headers: {} });
  if (health.status !== 200) found.push(`health: ${health.failure ?? health.body}`);
  const code = await server.stop();
  if (code !== 0) found.push(`the server stopped with ${code}: ${server.log().slice(-4000)}`);
  found.push(
    ...server
      .logFaults()
      .slice(0, 20)
      .map((line) => `log: ${line}`),
  );
  return found.concat(server.storeFaults().map((line) => `store: ${line}`));
}

async function main() {
  const server = new Server();
  await server.start();
  await server.stop();
  for (const [email, role] of Object.entries(users)) server.addUser(email, role);
  await server.start();
  const client = new Client(server.port);
  const served = await client.send({ method: "GET", target: "/openapi.json", headers: {} });
  const document = new Document(JSON.parse(served.body));
  const world = new World(document, client);
  await world.seed();
  const run = new Run(document, world, server.port);
  const began = Date.now();
  const results = await run.lanes();
  const took = (Date.now() - began) / 1000;
  const faults = [...run.faults.values()].map(({ times, text }) => `${times} times: ${text}`);
  for (const each of results) {
    if (each.failed)
      faults.push(`after ${each.numShrinks} shrinks: ${each.errorInstance?.message ?? each.error}`);
  }
  faults.push(...(await aftermath(server, client)));
  client.close();
  run.table();
  if (faults.length === 0)
    faults.push(...run.unaccepted().map((id) => `${id}: no request was accepted`));
  for (const fault of faults) console.log(`FAULT ${fault}`);
  console.log(
    `${run.requests} requests in ${took.toFixed(0)} s, seed ${seed}: ${faults.length} faults`,
  );
  if (faults.length === 0) server.remove();
  else console.log(`log and data: ${server.directory}`);
  return faults.length === 0 ? 0 : 1;
}

process.exit(await main());
