// Values as {type: text}: {"int": "1"}, {"list": [{"string": "a"}]}, {"map": [[key, value], …]}.
// Numbers are text, so that nothing is rounded on the way.

export function sameTyped(left, right) {
  const [type] = Object.keys(left);
  if (type !== Object.keys(right)[0]) return false;
  const [a, b] = [left[type], right[type]];
  if (type === "list") return a.length === b.length && a.every((x, i) => sameTyped(x, b[i]));
  if (type === "map") return sameMap(a, b);
  if (type === "double") return Object.is(Number(a), Number(b));
  return a === b;
}

function sameMap(left, right) {
  const find = (key) => right.find(([other]) => sameTyped(key, other));
  return (
    left.length === right.length &&
    left.every(([key, value]) => {
      const other = find(key);
      return other !== undefined && sameTyped(value, other[1]);
    })
  );
}

export const doubleText = (value) => (Object.is(value, -0) ? "-0" : String(value));
export const base64 = (octets) => Buffer.from(octets).toString("base64");

// Seconds and nanoseconds of the same sign.
export function durationText(seconds, nanos) {
  const negative = seconds < 0n || nanos < 0;
  const whole = seconds < 0n ? -seconds : seconds;
  return `${negative ? "-" : ""}${whole}${fraction(Math.abs(nanos))}s`;
}

export function timestampText(seconds, nanos) {
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${date}${fraction(nanos)}Z`;
}

function fraction(nanos) {
  return nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/(?:000)+$/, "")}`;
}

// The expression that makes a typed value.
export function literal(typed) {
  const [[type, value]] = Object.entries(typed);
  switch (type) {
    case "null_type":
      return "null";
    case "bool":
      return String(value);
    case "int":
      return value;
    case "uint":
      return value + "u";
    case "double":
      return `double(${JSON.stringify(value)})`;
    case "string":
      return JSON.stringify(value);
    case "bytes":
      return `base64.decode("${value}")`;
    case "list":
      return `[${value.map(literal).join(", ")}]`;
    case "map":
      return `{${value.map(([k, v]) => `${literal(k)}: ${literal(v)}`).join(", ")}}`;
    case "type":
      return value;
    case "google.protobuf.Duration":
      return `duration("${value}")`;
    case "google.protobuf.Timestamp":
      return `timestamp("${value}")`;
    default:
      throw new Error(`no literal of ${type}`);
  }
}
