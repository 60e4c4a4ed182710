// What requests know of the server: its people, and the values that its answers have given out.
import { Real, encode, rawTexts } from "./generate.mjs";
import { owner, password } from "./server.mjs";

export const viewer = "viewer@default.test";
const changer = "changer@default.test"; // whose password requests change
export const users = { [viewer]: "viewer", [changer]: "developer" };

const recordsMax = 64; // of each kind; the newest are kept
const liveRuns = 8; // seeded at a time
const credentials = { email: [owner, viewer], password: [password] };

export class World {
  constructor(document, client) {
    this.document = document;
    this.client = client;
    this.records = new Map(); // by their names: objects of answers
    this.tokens = {};
    this.seeded = 0;
    this.passwords = [password]; // of the changer, the newest last
    this.names = new Set(Object.keys(credentials));
    for (const operation of document.operations) {
      for (const each of [...operation.path, ...operation.query]) {
        if (each.in === "path" || each.name.includes("_")) this.names.add(each.name);
      }
    }
    ["environment_id", "current_password", "new_password"].forEach((name) => this.names.add(name));
  }

  async call(method, target, body, actor = "owner") {
    const headers = { "Content-Type": "application/json" };
    if (this.tokens[actor]) headers.Authorization = `Bearer ${this.tokens[actor]}`;
    const answer = await this.client.send({
      method,
      target,
      headers,
      body: body && JSON.stringify(body),
    });
    if (answer.failure) throw new Error(`${method} ${target}: ${answer.failure}`);
    const json = answer.body === "" ? undefined : JSON.parse(answer.body);
    if (answer.status < 300) this.learn({}, json);
    return { status: answer.status, json };
  }

  async logIn(actor) {
    if (actor === "key") {
      const made = await this.call("POST", "/api-keys", { name: "fuzz" });
      this.tokens.key = made.json.key ?? this.tokens.key;
      return;
    }
    const people = { owner, viewer, changer, leaver: owner };
    const known = actor === "changer" ? [...this.passwords].reverse() : [password];
    for (const each of known) {
      const { status, json } = await this.call(
        "POST",
        "/auth/login",
        { email: people[actor], password: each },
        "",
      );
      if (status === 200) {
        this.tokens[actor] = json.access_token;
        return;
      }
    }
  }

  // One of each kind of resource: every operation has something to work on from the start.
  async seed() {
    for (const actor of ["owner", "viewer", "changer", "key"]) await this.logIn(actor);
    const flow = (name, task) =>
      this.call("POST", "/flows", { flow_spec: { name, tasks: [{ id: "a", ...task }] } });
    await flow("finished", { type: "noop" });
    await flow("failed", { type: "shell", config: { command: "false" } });
    await this.call("POST", "/flows/finished/deploy", { deployment_name: "production" });
    for (const name of ["finished", "failed"]) {
      await this.call("POST", "/runs", { flow_name: name, wait_seconds: 20 });
    }
    await this.seedLive();
    for (const list of ["/run-failures", "/runs", "/flows", "/deployments"]) {
      await this.call("GET", list);
    }
  }

  // Runs that wait, of a flow of their own, and a connection: requests cancel runs and archive flows all the time.
  async seedLive() {
    const name = `waiting_${++this.seeded}`;
    const tasks = [{ id: "a", type: "approval", config: { message: "Shall it be?" } }];
    await this.call("POST", "/flows", { flow_spec: { name, tasks } });
    for (let i = 0; i < liveRuns; ++i) await this.call("POST", "/runs", { flow_name: name });
    await this.call("GET", "/approvals");
    await this.call("POST", "/connections", {
      name,
      type: "postgresql",
      host: "127.0.0.1", // refused when it is called: no address of the outside
      database: "none",
      user: "nobody",
    });
  }

  // Keeps the objects of an answer that have a name some request asks for.
  learn(context, value) {
    if (Array.isArray(value)) return value.forEach((each) => this.learn(context, each));
    if (value === null || typeof value !== "object") return;
    const own = { ...context };
    for (const [key, each] of Object.entries(value)) {
      const name = key === "new_run_id" || key === "last_run_id" ? "run_id" : key;
      if (typeof each === "string" && this.names.has(name) && !(name in credentials))
        own[name] = each;
    }
    const names = Object.keys(own).sort().join();
    if (names !== "") {
      const kept = this.records.get(names) ?? [];
      kept.push(own);
      if (kept.length > recordsMax) kept.shift();
      this.records.set(names, kept);
    }
    for (const each of Object.values(value)) this.learn(own, each);
  }

  // An object of an answer that has all these names.
  record(names, pick) {
    const kinds = [...this.records].filter(([kind]) =>
      names.every((name) => kind.split(",").includes(name)),
    );
    if (kinds.length === 0) return undefined;
    const kept = kinds[pick % kinds.length][1];
    return kept[(pick >> 4) % kept.length];
  }

  real({ name, pick, spare }) {
    if (credentials[name]) return credentials[name][pick % credentials[name].length];
    if (name === "current_password") return this.passwords.at(-1);
    if (name === "new_password") return `a new password ${pick % 10}`;
    return this.record([name], pick)?.[name] ?? spare;
  }

  resolved(value) {
    if (value instanceof Real) return this.real(value);
    if (Array.isArray(value)) return value.map((each) => this.resolved(each));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, this.resolved(each)]),
    );
  }

  // The actor whose credential the request may destroy is nobody else's.
  #actorOf({ operation, actor }) {
    if (actor !== "owner") return actor;
    if (operation.id === "changePassword") return "changer";
    return operation.id === "logout" ? "leaver" : actor;
  }

  // The request a plan means now.
  async request(plan) {
    const { operation, fault } = plan;
    const actor = this.#actorOf(plan);
    if (actor === "leaver") await this.logIn(actor);
    const names = operation.path.map((each) => each.name);
    const record = plan.pathRecord === null ? undefined : this.record(names, plan.pathRecord);
    const path = record ?? this.#texts(plan.path);
    const query = Object.entries(this.#texts(plan.query));
    if (fault.kind === "query") query.push([fault.name, fault.text]);
    let target = operation.template.replace(/\{(\w+)\}/g, (_, name) =>
      record ? encode(path[name]) : path[name],
    );
    if (query.length > 0) target += `?${query.map((pair) => pair.join("=")).join("&")}`;
    const headers = { ...this.resolved(plan.headers) };
    const token = actor === "impostor" ? "dagy_x" : this.tokens[actor];
    if (token) headers.Authorization = `Bearer ${token}`;
    const request = { method: fault.method ?? operation.method, target, headers, actor };
    if (fault.kind === "raw") request.body = fault.bytes;
    else if (plan.body !== undefined) request.body = bodyText(this.resolved(plan.body), fault);
    if (request.body !== undefined) headers["Content-Type"] = "application/json";
    if (fault.kind === "header") headers[fault.header[0]] = fault.header[1];
    return request;
  }

  #texts(values) {
    const text = (value) => (value instanceof Real ? encode(String(this.real(value))) : value);
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)]));
  }

  // Learns from an answer; logs in again whoever has lost a credential.
  async note(operation, request, answer) {
    if (answer.status < 300 && answer.json) {
      const parts = request.target.split("?")[0].split("/");
      const context = {};
      operation.segments.forEach((each, i) => {
        if (each.startsWith("{")) context[each.slice(1, -1)] = decodeURIComponent(parts[i]);
      });
      this.learn(context, answer.json);
    }
    if (operation.id === "changePassword" && answer.status === 204) {
      this.passwords.push(JSON.parse(request.body).new_password);
    }
    const isCurrent = request.headers.Authorization === `Bearer ${this.tokens[request.actor]}`;
    if (answer.status === 401 && isCurrent && operation.id !== "login") {
      await this.logIn(request.actor);
    }
  }
}

// JSON text of a body with a fault in it.
function bodyText(body, fault) {
  const holder = { body };
  const places = [];
  const visit = (parent) => {
    for (const key of Object.keys(parent)) {
      places.push([parent, key]);
      if (parent[key] !== null && typeof parent[key] === "object") visit(parent[key]);
    }
  };
  visit(holder);
  const [parent, key] = places[(fault.at ?? 0) % places.length];
  if (fault.kind === "replace") parent[key] = fault.with;
  if (fault.kind === "remove") delete parent[key];
  if (fault.kind === "add" && !Array.isArray(parent)) parent.unknown = fault.with;
  const rawOf = (whole, name) => rawTexts[name] ?? whole;
  const text = (JSON.stringify(holder.body) ?? "").replace(/"(@[a-z ]+@)"/g, rawOf);
  if (fault.kind === "truncate") return text.slice(0, fault.at % (text.length + 1));
  if (fault.kind === "double") return text.replace(/^\{("[^"]*":)/, "{$1null,$1");
  return text;
}
