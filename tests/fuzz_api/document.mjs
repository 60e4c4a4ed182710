// The OpenAPI document: its operations, and whether an answer or a body is what it says.
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const answerBytesMax = 32 << 20;
const requestBody = "application/json";
// Refusals of HTTP itself, before there is a route: Expect.
const beforeRoutes = [417];

export class Document {
  constructor(document) {
    this.document = document;
    this.ajv = new Ajv2020({ strict: false, allErrors: false });
    addFormats(this.ajv);
    this.ajv.addSchema({ $id: "document", ...document });
    this.validators = new Map();
    this.operations = Object.entries(document.paths).flatMap(([template, item]) =>
      Object.entries(item).map(([method, operation]) =>
        this.#operation(template, method, operation),
      ),
    );
  }

  #operation(template, method, operation) {
    const parameters = (place) => (operation.parameters ?? []).filter((each) => each.in === place);
    return {
      id: operation.operationId,
      method: method.toUpperCase(),
      template,
      segments: template.split("/"),
      path: parameters("path"),
      query: parameters("query"),
      headers: parameters("header"),
      body: operation.requestBody?.content[requestBody]?.schema,
      responses: operation.responses,
    };
  }

  resolve(schema) {
    if (!schema.$ref) return schema;
    return this.document.components.schemas[schema.$ref.split("/").at(-1)];
  }

  // What is wrong with `value`; null if nothing is.
  problem(schema, value) {
    const key = JSON.stringify(schema);
    let validate = this.validators.get(key);
    if (!validate) {
      const text = key.replaceAll('"#/components/', '"document#/components/');
      validate = this.ajv.compile(JSON.parse(text));
      this.validators.set(key, validate);
    }
    return validate(value) ? null : this.ajv.errorsText(validate.errors);
  }

  // What the document does not allow in a query; null if it allows all of it.
  queryProblem(operation, target) {
    const seen = new Set();
    for (const [name, text] of new URLSearchParams(target.split("?")[1] ?? "")) {
      const known = operation.query.find((each) => each.name === name);
      if (!known || seen.has(name)) return `query ${name} is unknown or given twice`;
      seen.add(name);
      const isNumber = known.schema.type === "integer" && /^-?\d+$/.test(text);
      const problem = this.problem(known.schema, isNumber ? Number(text) : text);
      if (problem) return `query ${name}: ${problem}`;
    }
    return null;
  }

  // The operation that a request means, which generated path values may have changed. The path
  // decides first: what no parameter stands in goes before what one does.
  operationOf(method, target) {
    const segments = target.split("?")[0].split("/");
    const fits = (operation) =>
      operation.segments.length === segments.length &&
      operation.segments.every((each, i) =>
        each.startsWith("{") ? segments[i] !== "" : each === decoded(segments[i]),
      );
    const fixed = (operation) => operation.segments.filter((each) => !each.startsWith("{")).length;
    const fitting = this.operations.filter(fits).sort((a, b) => fixed(b) - fixed(a));
    const template = fitting[0]?.template;
    return fitting.find((each) => each.template === template && each.method === method);
  }

  // What is wrong with an answer to `operation`, undefined where the path leads nowhere.
  answerProblem(operation, answer) {
    if (answer.failure) return answer.failure;
    if (answer.status >= 500) return `status ${answer.status}`;
    if (!answer.headers["x-request-id"]) return "no X-Request-Id";
    if (answer.body.length > answerBytesMax) return `${answer.body.length} bytes of an answer`;
    if (beforeRoutes.includes(answer.status)) return this.#errorProblem(answer);
    if (!operation) return this.#nowhereProblem(answer);
    const response = operation.responses[answer.status];
    if (!response) return `status ${answer.status} is not documented`;
    if (!response.content) {
      return answer.body.length === 0 ? null : "a body where none is documented";
    }
    const type = (answer.headers["content-type"] ?? "").split(";")[0];
    const media = response.content[type];
    if (!media) return `content type ${type} is not documented`;
    if (!type.endsWith("json") || !media.schema) return null;
    return this.#bodyProblem(media.schema, answer);
  }

  #nowhereProblem(answer) {
    if (![400, 404, 405].includes(answer.status)) return `status ${answer.status} of no operation`;
    return this.#errorProblem(answer);
  }

  #errorProblem(answer) {
    return this.#bodyProblem({ $ref: "#/components/schemas/Error" }, answer);
  }

  #bodyProblem(schema, answer) {
    try {
      answer.json = JSON.parse(answer.body);
    } catch (error) {
      return `no JSON: ${error.message}`;
    }
    const problem = this.problem(schema, answer.json);
    return problem && `the body is not as documented: ${problem}`;
  }
}

function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
