// Requests for an operation, drawn from its schemas: right ones, ones with a single fault, garbage.
import fc from "fast-check";

// A place for a value the server has given out under this name; `spare` where there is none yet.
export class Real {
  constructor(name, pick, spare) {
    Object.assign(this, { name, pick, spare });
  }
}

// What JSON.stringify does not write, by the string that stands for it in a body.
export const rawTexts = {
  "@huge@": "1e999",
  "@deep list@": "[".repeat(70) + "]".repeat(70),
  "@deep object@": '{"a":'.repeat(5000) + "1" + "}".repeat(5000),
};

const nameText = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const anyValue = fc.jsonValue({ maxDepth: 2 });
const anyObject = fc.dictionary(nameText, anyValue, { maxKeys: 3 });
const expression = fc.constantFrom("true", "false", "1 == 1", "run.id != ''", "size('x') > 0");
const taskId = fc.constantFrom("a", "b", "c", "d", "e");

const absent = Symbol("absent"); // what an optional value may be
const manyOptional = 8; // a task would hardly be valid with half of its keys

// Node types with settings that do no harm: nothing a task runs is drawn at random.
const node = fc.oneof(
  { weight: 20, arbitrary: fc.constant({ type: "noop" }) },
  { weight: 1, arbitrary: code("shell", "command", ["true", "false", "echo x"]) },
  { weight: 1, arbitrary: code("python", "code", ["def main(**k): return 1", "def main(: "]) },
  { weight: 2, arbitrary: code("transform", "program", [".", "1 + 1", ".["]) },
  { weight: 3, arbitrary: code("approval", "message", ["Shall it be?"]) },
  { weight: 1, arbitrary: code("delay", "seconds", [0, 0.1, 3600]) },
  { weight: 1, arbitrary: code("http", "url", ["http://127.0.0.1:1/", "http://169.254.169.254/"]) },
  { weight: 1, arbitrary: fc.record({ type: nameText, config: anyObject }) },
);

function code(type, key, values) {
  return fc.constantFrom(...values).map((value) => ({ type, config: { [key]: value } }));
}

// Properties whose meaning the schema cannot say; all others are drawn from the schema alone.
const knownProperties = {
  "FlowSpec.name": fc.nat(40).map((n) => `flow_${n}`),
  "TaskSpec.id": taskId,
  "TaskSpec.depends_on": fc.uniqueArray(taskId, { maxLength: 1 }),
  "FlowSpec.outputs": fc.uniqueArray(taskId, { minLength: 1, maxLength: 2 }),
  "EdgeSpec.source": taskId,
  "EdgeSpec.target": taskId,
  "InputSource.task": taskId,
  "InputSource.expression": expression,
  "FlowSpec.concurrency_key": expression,
  "TaskSpec.concurrency_key": expression,
  "TaskSpec.when": expression,
  "TaskSpec.repeat_until": expression,
  "TaskSpec.retry_on": fc.subarray(["exit_code", "timeout", "connection"]),
  "CacheSpec.key": expression,
  "RunRequest.wait_seconds": fc.constantFrom(0, 0, 0, 0, 1),
  "RunRequest.parameters": fc.oneof(fc.constant({}), anyObject),
  "RunRequest.flow_version": fc.constant(null),
  "RerunRequest.parameters": fc.oneof(fc.constant({}), anyObject),
  "RerunRequest.from": fc.constantFrom("start", "failed", "a"),
  "RedriveRequest.from": fc.constantFrom("start", "failed", "a"),
  "BulkRerunRequest.from": fc.constantFrom("start", "failed", "a"),
  "DecisionRequest.form": fc.constant({}),
  "DeployRequest.parameters": fc.oneof(fc.constant({}), anyObject),
  "DeploymentRequest.parameters": fc.oneof(fc.constant({}), anyObject),
  "FlowRequest.schedule": fc.constant(null),
  "FlowRequest.timezone": fc.constant(null),
  "DeployRequest.schedule": fc.constant(null),
  "DeployRequest.timezone": fc.constant(null),
};

// Keys that mean nothing without another one.
const needs = {
  "FlowSpec.concurrency_key": "concurrency_limit",
  "TaskSpec.concurrency_key": "concurrency_limit",
  "TaskSpec.max_parallel": "map_over",
  "TaskSpec.max_failures": "map_over",
  "TaskSpec.max_iterations": "repeat_until",
  "FlowRequest.execution_mode": "deployment_name",
};

// Names under which a request takes what answers have given out.
const aliases = {
  environment: "environment_id",
  run_ids: "run_id",
  target_version: "flow_version",
};

// What is put in the place of any value of a body.
const wrongValues = [
  null,
  true,
  -1,
  1.5,
  2 ** 53,
  1e300,
  ...Object.keys(rawTexts),
  "",
  "x",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\u202e💥é",
  "../../etc/passwd",
  "x".repeat(300),
  "é".repeat(5000),
  [],
  {},
  [null],
  { "": 1 },
  { "\ud800": {} },
];

// Segments of a path or values of a query that nothing was named after.
const wrongTexts = fc.oneof(
  fc.constantFrom("", ".", "..", "%2F", "%2e%2e%2f", "%00", "%", "%zz", "%ff%fe", "%ed%a0%80", "+"),
  fc.constantFrom("a%2Fb", "null", "0", "-1", "search", "%20", "%0d%0aX:1", "x".repeat(3000)),
  fc.string({ unit: "binary", maxLength: 20 }).map(encode),
  nameText,
);

// One time in 1 + `absences`.
function rarely(arbitrary, absences = 3) {
  return fc.oneof({ weight: absences, arbitrary: fc.constant(absent) }, { weight: 1, arbitrary });
}

export function encode(text) {
  return encodeURIComponent(text.toWellFormed());
}

export class Generator {
  constructor(document, pooledNames) {
    this.document = document;
    this.pooledNames = pooledNames;
    this.known = new Map();
  }

  // A plan of one request to `operation`; World makes the request of it.
  plan(operation) {
    const texts = (parameters) =>
      fc
        .tuple(
          ...parameters.map((each) =>
            each.required ? this.#parameter(each) : rarely(this.#parameter(each)),
          ),
        )
        .map((values) =>
          Object.fromEntries(
            values.flatMap((value, i) => (value === absent ? [] : [[parameters[i].name, value]])),
          ),
        );
    return fc.record({
      operation: fc.constant(operation),
      actor: fc.oneof(
        { weight: 16, arbitrary: fc.constant("owner") },
        { weight: 1, arbitrary: fc.constantFrom("key", "viewer", "nobody", "impostor") },
      ),
      path: texts(operation.path),
      pathRecord: fc.option(fc.nat(), { freq: 3 }),
      query: texts(operation.query),
      headers: texts(operation.headers),
      body: operation.body ? this.value(operation.body) : fc.constant(undefined),
      fault: fc.oneof(
        { weight: 5, arbitrary: fc.constant({ kind: "none" }) },
        { weight: 4, arbitrary: this.#fault(operation) },
      ),
    });
  }

  #fault(operation) {
    const ofBody = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("replace"),
          at: fc.nat(),
          with: fc.constantFrom(...wrongValues),
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove"), at: fc.nat() }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("add"), at: fc.nat(), with: anyValue }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("truncate"), at: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("double"), at: fc.nat() }) },
    );
    const ofRequest = fc.oneof(
      fc.record({
        kind: fc.constant("raw"),
        bytes: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(Buffer.from)),
      }),
      fc.record({
        kind: fc.constant("query"),
        name: fc.oneof(
          nameText,
          fc.constantFrom(...operation.query.map((each) => each.name), "limit"),
        ),
        text: wrongTexts,
      }),
      fc.record({
        kind: fc.constant("method"),
        method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE"),
      }),
      fc.record({
        kind: fc.constant("header"),
        header: fc.constantFrom(
          ["Content-Type", "text/plain"],
          ["Content-Type", "application/json; charset=latin1"],
          ["Content-Type", ""],
          ["Accept-Encoding", "gzip;q=x, ,;,br"],
          ["Accept-Encoding", "*;q=0"],
          ["Accept-Encoding", "gzip"],
          ["Accept", "image/png"],
          ["X-Request-Id", "a b"],
          ["X-Request-Id", "x".repeat(500)],
          ["Content-Encoding", "gzip"],
          ["Idempotency-Key", ""],
          ["Idempotency-Key", "x".repeat(300)],
          ["Idempotency-Key", "\u00e9"],
          ["Authorization", "Basic eDp5"],
          ["Authorization", "Bearer"],
          ["Authorization", `Bearer ${"x".repeat(5000)}`],
          ["Last-Event-ID", "x"],
          ["Last-Event-ID", "99999999999999999999"],
          ["X-Forwarded-For", ",,::1,x"],
          ["Expect", "x"],
        ),
      }),
    );
    return operation.body
      ? fc.oneof({ weight: 3, arbitrary: ofBody }, { weight: 1, arbitrary: ofRequest })
      : ofRequest;
  }

  // Of a path, query or header: text as it is sent.
  #parameter({ name, in: place, schema }) {
    const right = this.#pooled(name, this.value(schema)).map((value) =>
      value instanceof Real || place === "header" ? value : encode(String(value)),
    );
    if (place === "header") return right;
    return fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: wrongTexts });
  }

  #pooled(name, spare) {
    const known = aliases[name] ?? name;
    if (!this.pooledNames.has(known)) return spare;
    const real = fc.tuple(fc.nat(), spare).map(([pick, value]) => new Real(known, pick, value));
    return fc.oneof({ weight: 3, arbitrary: real }, { weight: 1, arbitrary: spare });
  }

  // A value that the schema allows.
  value(schema) {
    const key = JSON.stringify(schema);
    if (!this.known.has(key)) {
      this.known.set(key, fc.memo(() => this.#value(schema))());
    }
    return this.known.get(key);
  }

  #value(schema) {
    const name = schema.$ref?.split("/").at(-1);
    const whole = this.document.resolve(schema);
    const choices = whole.anyOf ?? whole.oneOf;
    if (choices) return fc.oneof(...choices.map((each) => this.value(each)));
    if (whole.enum) return fc.constantFrom(...whole.enum);
    switch (whole.type) {
      case "null":
        return fc.constant(null);
      case "boolean":
        return fc.boolean();
      case "integer":
        return fc.integer({
          min: whole.minimum ?? -1000,
          max: Math.min(whole.maximum ?? 1000, 2 ** 31),
        });
      case "number":
        return fc.double({ min: whole.minimum ?? 0.01, max: whole.maximum ?? 1000, noNaN: true });
      case "string":
        return text(whole);
      case "array":
        return this.#array(whole);
      case "object":
        return this.#object(name, whole);
      default:
        return anyValue;
    }
  }

  #array(schema) {
    const bounds = {
      minLength: schema.minItems ?? 0,
      maxLength: Math.min(schema.maxItems ?? 3, 3),
    };
    if (schema.items.$ref?.endsWith("/TaskSpec")) {
      return fc.uniqueArray(this.value(schema.items), { ...bounds, selector: (each) => each.id });
    }
    return fc.array(this.value(schema.items), bounds);
  }

  #object(name, schema) {
    if (schema.additionalProperties?.type || schema.additionalProperties?.$ref) {
      return fc.dictionary(nameText, this.value(schema.additionalProperties), { maxKeys: 2 });
    }
    const required = new Set(schema.required);
    const entries = Object.entries(schema.properties ?? {});
    const isSparse = entries.length - required.size > manyOptional;
    const fields = entries.map(([key, each]) => {
      const known = knownProperties[`${name}.${key}`] ?? this.#property(key, each);
      if (required.has(key)) return known;
      return isSparse ? rarely(known, 15) : rarely(known, 1);
    });
    const made = fc
      .tuple(...fields)
      .map((values) =>
        Object.fromEntries(
          values.flatMap((value, i) => (value === absent ? [] : [[entries[i][0], value]])),
        ),
      );
    const whole = made.map((value) =>
      Object.fromEntries(
        Object.entries(value).filter(([key]) => (needs[`${name}.${key}`] ?? key) in value),
      ),
    );
    if (name === "InputSource") return whole.map((source) => firstOf(source));
    if (name !== "TaskSpec") return whole;
    return fc
      .tuple(whole, node)
      .map(([task, { type, config = {} }]) => ({ ...task, type, config }));
  }

  #property(key, schema) {
    const value = this.value(schema);
    const isList = this.document.resolve(schema).anyOf?.some((each) => each.type === "array");
    if (isList && aliases[key]) {
      return fc.array(this.#pooled(key, nameText), { minLength: 1, maxLength: 3 });
    }
    return this.#pooled(key, value);
  }
}

// A source of an input has one key.
function firstOf(source) {
  return Object.fromEntries(Object.entries(source).slice(0, 1));
}

function text({ format, pattern, minLength = 0, maxLength = 40 }) {
  if (format === "date-time") {
    const min = new Date("2020-01-01"),
      max = new Date("2035-01-01");
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
  }
  if (pattern)
    return fc.stringMatching(new RegExp(pattern), { maxLength: Math.max(minLength, 64) });
  return fc.string({
    unit: "grapheme",
    minLength,
    maxLength: Math.min(maxLength, Math.max(minLength, 40)),
  });
}
