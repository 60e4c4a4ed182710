// The other implementation: @bufbuild/cel.
import {
  celEnv,
  celUint,
  isCelError,
  isCelList,
  isCelMap,
  isCelType,
  isCelUint,
  parse,
  plan,
} from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";

import { base64, doubleText, durationText, timestampText } from "./typed.mjs";

const env = celEnv({ funcs: strings });

// {value: typed} or {error: message}.
export function evaluate(expr, bindings) {
  try {
    const result = plan(env, parse(expr))(bindings);
    return isCelError(result) ? { error: result.message } : { value: typedOf(result) };
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

function typedOf(value) {
  switch (typeof value) {
    case "bigint":
      return { int: String(value) };
    case "number":
      return { double: doubleText(value) };
    case "string":
      return { string: value };
    case "boolean":
      return { bool: value };
  }
  if (value === null) return { null_type: null };
  if (value instanceof Uint8Array) return { bytes: base64(value) };
  if (isCelUint(value)) return { uint: String(value.value) };
  if (isCelType(value)) return { type: value.name };
  if (isCelList(value)) return { list: Array.from(value, typedOf) };
  if (isCelMap(value))
    return { map: Array.from(value, ([key, entry]) => [typedOf(key), typedOf(entry)]) };
  return typedOfMessage(value.message);
}

function typedOfMessage({ $typeName: name, seconds, nanos }) {
  if (name === "google.protobuf.Duration") return { [name]: durationText(seconds, nanos) };
  return { [name]: timestampText(seconds, nanos) };
}

// A typed value of a JSON document as @bufbuild/cel takes it.
export function inputOf(typed) {
  const [[type, value]] = Object.entries(typed);
  switch (type) {
    case "int":
      return BigInt(value);
    case "uint":
      return celUint(BigInt(value));
    case "double":
      return Number(value);
    case "list":
      return value.map(inputOf);
    case "map":
      return new Map(value.map(([key, entry]) => [inputOf(key), inputOf(entry)]));
    default:
      return value;
  }
}
