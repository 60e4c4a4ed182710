// The simple conformance cases of cel-spec, as {name, expr, variables, declared, expected}.
import { DurationSchema, TimestampSchema, anyUnpack } from "@bufbuild/protobuf/wkt";
import { getConformanceSuite } from "@bufbuild/cel-spec/testdata/tests.js";

import { base64, doubleText, durationText, timestampText } from "./typed.mjs";

export function readCases() {
  const cases = [];
  const names = new Map();
  const add = (path, test) => {
    const name = [...path, test.name].join("/");
    const count = (names.get(name) ?? 0) + 1;
    names.set(name, count);
    const unique = count === 1 ? name : `${name}#${count}`;
    cases.push({ ...test.original, name: unique, file: path[0] });
  };
  const walk = (suite, path) => {
    for (const test of suite.tests) add(path, test);
    for (const inner of suite.suites) walk(inner, [...path, inner.name]);
  };
  for (const file of getConformanceSuite().suites) walk(file, [file.name]);
  return cases;
}

// The typed form of a cel.expr.Value; undefined if only protobuf has such a value.
export function typedOf(value) {
  const { case: kind, value: it } = value.kind;
  switch (kind) {
    case "nullValue":
      return { null_type: null };
    case "boolValue":
      return { bool: it };
    case "int64Value":
      return { int: String(it) };
    case "uint64Value":
      return { uint: String(it) };
    case "doubleValue":
      return { double: doubleText(it) };
    case "stringValue":
      return { string: it };
    case "bytesValue":
      return { bytes: base64(it) };
    case "typeValue":
      return { type: it };
    case "listValue":
      return all(it.values.map(typedOf), (list) => ({ list }));
    case "mapValue":
      return all(
        it.entries.map(({ key, value }) => all([key, value].map(typedOf), (entry) => entry)),
        (map) => ({ map }),
      );
    case "objectValue":
      return typedOfAny(it);
    default:
      return undefined;
  }
}

const all = (parts, make) => (parts.includes(undefined) ? undefined : make(parts));

function typedOfAny(any) {
  const duration = anyUnpack(any, DurationSchema);
  if (duration)
    return { "google.protobuf.Duration": durationText(duration.seconds, duration.nanos) };
  const timestamp = anyUnpack(any, TimestampSchema);
  if (timestamp)
    return { "google.protobuf.Timestamp": timestampText(timestamp.seconds, timestamp.nanos) };
  return undefined;
}

// What a case expects: {error: true} or {value: typed}; a case without an expectation is true.
export function expectationOf(test) {
  const { case: kind, value } = test.resultMatcher;
  switch (kind) {
    case undefined:
      return { value: { bool: true } };
    case "value":
      return { value: typedOf(value) };
    case "typedResult":
      return { value: value.result && typedOf(value.result) };
    case "evalError":
    case "anyEvalErrors":
      return { error: true };
    default:
      return { value: undefined };
  }
}

// Name to typed value of each variable that the case sets.
export function bindingsOf(test) {
  return Object.entries(test.bindings).map(([name, { kind }]) => [
    name,
    kind.case === "value" ? typedOf(kind.value) : undefined,
  ]);
}
