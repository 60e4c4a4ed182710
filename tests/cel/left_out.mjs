// The conformance cases that Dagy leaves out, each with its reason, and how many a reason covers. A
// rule is the first that holds; the runner fails when a count changes or when a case that is left
// out would pass.
import { bindingsOf } from "./conformance.mjs";

const files = (...names) => (test) => names.includes(test.file);

const messages =
  /TestAllTypes|TestRequired|google\.protobuf\.(?!Timestamp\b|Duration\b)|\bproto\.(?:has|get)Ext\b/;
const bindsMessage = (test) => bindingsOf(test).some(([, value]) => value === undefined);

export const rules = [
  {
    reason: "needs protobuf: messages, enums, wrappers, Any or extensions",
    count: 682,
    holds: (test) =>
      files("enums", "proto2", "proto2_ext", "proto3", "wrappers")(test) ||
      messages.test(test.expr) ||
      (test.container.includes(".") && /[A-Z]/.test(test.expr)) ||
      bindsMessage(test),
  },
  {
    reason: "optional values are not part of the language",
    count: 68,
    holds: (test) => test.file === "optionals" || /\boptional\b/.test(test.expr),
  },
  {
    reason: "cel.block is written by optimizers, not by people",
    count: 22,
    holds: files("block_ext"),
  },
  {
    reason: "tells a static type alone, and ours are known only as far as literals and functions tell",
    count: 19,
    holds: (test) => test.checkOnly,
  },
  {
    reason: "looks names up in a container, and flows have none",
    count: 2,
    holds: (test) => test.container !== "",
  },
  {
    reason: "is not checked, and ours always refuses names that there are not",
    count: 19,
    holds: (test) =>
      test.name.startsWith("parse/receiver_function_names/") ||
      ["basic/variables/unbound_is_runtime_error", "basic/functions/unbound_is_runtime_error"]
        .includes(test.name),
  },
  {
    reason: "is not checked, and ours always refuses operands of && and || that are no bool",
    count: 4,
    holds: (test) => /^logic\/(?:AND|OR)\/short_circuit_type_/.test(test.name),
  },
  {
    reason: "names an IANA time zone, and there are only UTC and fixed offsets",
    count: 5,
    holds: (test) =>
      test.file === "timestamps" && /'(?:Australia|US|America|Asia)\//.test(test.expr),
  },
];

// Where @bufbuild/cel 0.6.1 differs from ours, and why ours is as it is. A difference that a rule
// explains is counted, any other one fails.
const theirError = (message) => (test) => message.test(test.theirs.error ?? "");
const ourError = (message) => (test) => message.test(test.ours.error ?? "");
const text = (test) => test.expr + test.document[1];

export const deviations = [
  {
    reason: "a member that is null is not there for has() and `in`; it is (Field Selection)",
    explains: (test) => /\bhas\(| in /.test(test.expr) && /null/.test(text(test)),
  },
  {
    reason: "int(), uint() and double() read there what is no number: \"\", \" 1\", \"0x1\", \"a\"",
    explains: ourError(/ is no (?:u?int|double)$/),
  },
  {
    reason: "a uint that is divided is checked for the range of int there",
    explains: (test) =>
      /^int overflow during divide/.test(test.theirs.error ?? "") ||
      (/ \/ /.test(test.expr) && /inputs\.u|18446744073709551615u/.test(test.expr)),
  },
  {
    reason: "`in` a map is an error there for what can be no key; here such a key is not in it",
    explains: theirError(/applied to '\((?:list|map|null_type|bytes|type|google\.[.\w]+), map\)'$/),
  },
  {
    reason: "int(duration) and duration(int) are not in the language definition",
    explains: ourError(/no int\(google\.protobuf\.Duration\)|no duration\(int\)/),
  },
  {
    reason: "a key that is a double becomes an int there; it is an error (map_key_float)",
    explains: ourError(/a key is a string, int, uint or bool, this is double$/),
  },
  {
    reason: "a negation of a negation is dropped there, with its checks",
    explains: (test) =>
      /there is no [-!]|does not fit 64 bits/.test(test.ours.error ?? "") &&
      /-\(?-|!\(?!/.test(test.expr),
  },
  {
    reason: "a list's index that is a bool or text is read as a number there",
    explains: ourError(/there is no list\[(?:bool|string|null_type)\]$/),
  },
  {
    reason: "calendar fields before 1970, of the first century and of nanoseconds are wrong there",
    explains: (test) =>
      /\.get(?:FullYear|Month|Da|Hours|Minutes|Seconds|Milliseconds)/.test(test.expr) &&
      /0001-|1969|000000001s|Timestamp|-\d/.test(test.expr),
  },
  {
    reason: "string(-0.0) is \"0\" there; it reads back as another double",
    explains: (test) =>
      /string\(/.test(test.expr) && /"(?:-0|LTA)/.test(JSON.stringify(test.ours.value ?? "")),
  },
  {
    reason: "strings count and compare UTF-16 units there in places; they are code points",
    explains: (test) =>
      /\u{1f600}/u.test(text(test)) &&
      /charAt|substring|ndexOf|[<>]|split|reverse/.test(test.expr),
  },
];
