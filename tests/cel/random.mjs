// Random expressions over random JSON documents, the same for the same seed. Most are well typed:
// each subexpression is made for a type, and now and then for another one.

// mulberry32
export class Random {
  #state;
  constructor(seed) {
    this.#state = seed >>> 0;
  }
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  below(bound) {
    return this.next() % bound;
  }
  chance(percent) {
    return this.below(100) < percent;
  }
  pick(list) {
    return list[this.below(list.length)];
  }
}

const ints = ["0", "1", "-1", "2", "3", "7", "10", "-5", "42", "1000000007", "9223372036854775807",
  "-9223372036854775808", "9007199254740993", "4294967296"];
const uints = ["0", "1", "2", "3", "42", "18446744073709551615", "9223372036854775808"];
const doubles = ["0.0", "1.0", "-1.5", "2.5", "3.0", "0.1", "1e10", "-2.25e-3", "1e300", "42.0"];
const texts = ["", "a", "b", "ab", "abc", "hello world", "äöü", "日本", "😀a", "A-B_c", "1", "42",
  "-7", "true", "1.5", "a,b,c", "  x  ", "éa", "\n", "\"", "\\", "{{"];
const octets = ["b''", "b'a'", "b'\\xff'", "b'ab'", "b'\\000'"];
const durations = ["0s", "1s", "-1.5s", "1h30m", "90m", "1ms", "-2h", "36h", "0.000000001s"];
const timestamps = ["2009-02-13T23:31:30Z", "1970-01-01T00:00:00Z", "2024-02-29T12:00:00.5Z",
  "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
  "2021-06-01T00:00:00+02:00"];
const patterns = ["a", "^a", "b$", "[a-c]+", "(a|b)c?", "\\\\d+", ".", "", "^$", "x{2,3}", "é"];
const fields = ["FullYear", "Month", "DayOfMonth", "Date", "DayOfYear", "DayOfWeek", "Hours",
  "Minutes", "Seconds", "Milliseconds"];
const types = ["int", "uint", "double", "string", "bytes", "bool", "list", "map", "null",
  "timestamp", "duration"];
const names = ["x", "y", "z"];

export class Generator {
  // Values of the document's members by type, so that expressions mostly find what they name.
  constructor(random) {
    this.random = random;
    this.locals = [];
    this.document = this.#makeDocument();
  }

  expression() {
    return this.#make(this.random.pick(types), 1 + this.random.below(5));
  }

  // [typed value, JSON text] of the document.
  #makeDocument() {
    const member = (name, [typed, json]) => [name, typed, json];
    const list = (element) => {
      const elements = Array.from({ length: this.random.below(4) }, element);
      return [{ list: elements.map(([t]) => t) }, `[${elements.map(([, j]) => j).join(", ")}]`];
    };
    const members = [
      member("i", this.#number()),
      member("j", this.#number()),
      member("d", this.#double()),
      member("s", this.#text()),
      member("t", this.#text()),
      member("b", this.#boolean()),
      member("n", [{ null_type: null }, "null"]),
      member("is", list(() => this.#number())),
      member("ss", list(() => this.#text())),
      member("mixed", list(() => this.#scalar())),
      member("u", [{ uint: "18446744073709551615" }, "18446744073709551615"]),
      member("m", this.#object(() => this.#scalar())),
      member("rows", list(() => this.#object(() => this.#scalar()))),
    ];
    return this.#join(members);
  }

  #object(value) {
    const count = this.random.below(4);
    return this.#join(
      ["a", "b", "k"].slice(0, count).map((name) => [name, ...value()]),
    );
  }

  #join(members) {
    return [
      { map: members.map(([name, typed]) => [{ string: name }, typed]) },
      `{${members.map(([name, , json]) => `${JSON.stringify(name)}: ${json}`).join(", ")}}`,
    ];
  }

  #number() {
    const text = this.random.pick(ints);
    return [{ int: text }, text];
  }
  #double() {
    const text = this.random.pick(doubles);
    return [{ double: text }, text];
  }
  #text() {
    const text = this.random.pick(texts);
    return [{ string: text }, JSON.stringify(text)];
  }
  #boolean() {
    const value = this.random.chance(50);
    return [{ bool: value }, String(value)];
  }
  #scalar() {
    const makers = [() => this.#number(), () => this.#double(), () => this.#text(),
      () => this.#boolean(), () => [{ null_type: null }, "null"]];
    return this.random.pick(makers)();
  }

  // An expression is {text, parts}: the text has a mark for each part. See `show`.
  #node(text, ...parts) {
    return { text, parts };
  }

  #make(type, depth) {
    const wanted = this.random.chance(4) ? this.random.pick(types) : type;
    if (depth <= 0) return this.#leaf(wanted);
    if (this.random.chance(8)) return this.#anyOf(wanted, depth);
    const make = this.random.pick(this.#forms[wanted] ?? []);
    return make === undefined ? this.#leaf(wanted) : make(depth - 1);
  }

  // What may be of any type.
  #anyOf(type, depth) {
    const make = (t) => this.#make(t, depth - 1);
    const forms = [
      () => this.#node("(@ ? @ : @)", make("bool"), make(type), make(type)),
      () => this.#node("[@, @][@]", make(type), make(type), make("int")),
      () => this.#node("{@: @}[@]", make("string"), make(type), make("string")),
      () => this.#node("{'k': @}.k", make(type)),
      () => this.#node("inputs.m.a"),
      () => this.#node("inputs.rows[@].@name".replace("@name", this.random.pick(["a", "b", "k"])),
        make("int")),
    ];
    return this.random.pick(forms)();
  }

  #leaf(type) {
    if (this.locals.length > 0 && this.random.chance(35))
      return this.#node(this.random.pick(this.locals));
    const paths = { int: ["inputs.i", "inputs.j", "inputs['i']"], uint: ["inputs.u"],
      double: ["inputs.d"], string: ["inputs.s", "inputs['t']"], bool: ["inputs.b"],
      null: ["inputs.n"], list: ["inputs.is", "inputs.ss", "inputs.mixed", "inputs.rows"],
      map: ["inputs.m", "inputs"] };
    if (paths[type] !== undefined && this.random.chance(50))
      return this.#node(this.random.pick(paths[type]));
    return this.#node(this.#literal(type));
  }

  #literal(type) {
    const { random } = this;
    switch (type) {
      case "int":
        return random.pick(ints);
      case "uint":
        return `${random.pick(uints)}u`;
      case "double":
        return random.pick(doubles);
      case "string":
        return JSON.stringify(random.pick(texts));
      case "bytes":
        return random.pick(octets);
      case "bool":
        return random.pick(["true", "false"]);
      case "null":
        return "null";
      case "list":
        return random.pick(["[]", "[1, 2, 3]", "['a', 'b']", "[1, 1u, 1.0]", "[[1], [2]]"]);
      case "map":
        return random.pick(["{}", "{'a': 1}", "{1: 'a', 2u: 'b'}", "{true: 1, 'x': null}"]);
      case "timestamp":
        return `timestamp('${random.pick(timestamps)}')`;
      default:
        return `duration('${random.pick(durations)}')`;
    }
  }

  // A macro over a list or map with a body that may name its variable.
  #macro(name, bodyType, depth) {
    const range = this.#make(this.random.chance(80) ? "list" : "map", depth);
    const local = this.random.pick(names);
    this.locals.push(local);
    const body = this.#make(bodyType, depth);
    this.locals.pop();
    return this.#node(`@.${name}(${local}, @)`, range, body);
  }

  #mapWithCondition(depth) {
    const range = this.#make("list", depth);
    this.locals.push("x");
    const parts = [range, this.#make("bool", depth), this.#make(this.random.pick(types), depth)];
    this.locals.pop();
    return this.#node("@.map(x, @, @)", ...parts);
  }

  #call(text, ...partTypes) {
    return (depth) => this.#node(text, ...partTypes.map((type) => this.#make(type, depth)));
  }

  #sameTypes(text, candidates) {
    return (depth) => {
      const type = this.random.pick(candidates);
      return this.#node(text, this.#make(type, depth), this.#make(type, depth));
    };
  }

  #relation(depth) {
    const numbers = ["int", "uint", "double"];
    const other = ["string", "bytes", "bool", "timestamp", "duration"];
    const operator = this.random.pick(["<", "<=", ">", ">="]);
    const left = this.random.pick([...numbers, ...other]);
    const right = numbers.includes(left) ? this.random.pick(numbers) : left;
    return this.#node(`(@ ${operator} @)`, this.#make(left, depth), this.#make(right, depth));
  }

  #forms = {
    int: [
      ...["+", "-", "*", "/", "%"].map((o) => this.#call(`(@ ${o} @)`, "int", "int")),
      this.#call("(-@)", "int"),
      this.#call("size(@)", "string"),
      this.#call("@.size()", "list"),
      this.#call("size(@)", "map"),
      this.#call("size(@)", "bytes"),
      this.#call("int(@)", "double"),
      this.#call("int(@)", "uint"),
      this.#call("int(@)", "timestamp"),
      this.#call("@.indexOf(@)", "string", "string"),
      this.#call("@.lastIndexOf(@)", "string", "string"),
      ...fields.map((f) => this.#call(`@.get${f}()`, "timestamp")),
      this.#call("@.getHours()", "duration"),
      this.#call("@.getMinutes()", "duration"),
      this.#call("@.getSeconds()", "duration"),
    ],
    uint: [
      ...["+", "-", "*", "/", "%"].map((o) => this.#call(`(@ ${o} @)`, "uint", "uint")),
      this.#call("uint(@)", "int"),
      this.#call("uint(@)", "double"),
    ],
    double: [
      ...["+", "-", "*", "/"].map((o) => this.#call(`(@ ${o} @)`, "double", "double")),
      this.#call("(-@)", "double"),
      this.#call("double(@)", "int"),
      this.#call("double(@)", "uint"),
    ],
    string: [
      this.#call("(@ + @)", "string", "string"),
      this.#call("string(@)", "int"),
      this.#call("string(@)", "bool"),
      this.#call("string(@)", "bytes"),
      this.#call("string(@)", "timestamp"),
      this.#call("string(@)", "uint"),
      this.#call("@.charAt(@)", "string", "int"),
      this.#call("@.substring(@)", "string", "int"),
      this.#call("@.substring(@, @)", "string", "int", "int"),
      this.#call("@.lowerAscii()", "string"),
      this.#call("@.upperAscii()", "string"),
      this.#call("@.replace('a', @)", "string", "string"),
      this.#call("@.replace(', ', @)", "string", "string"),
      this.#call("@.trim()", "string"),
      this.#call("@.join(@)", "list", "string"),
    ],
    bytes: [this.#call("(@ + @)", "bytes", "bytes"), this.#call("bytes(@)", "string")],
    bool: [
      this.#call("(@ && @)", "bool", "bool"),
      this.#call("(@ || @)", "bool", "bool"),
      this.#call("(@ && @ && @)", "bool", "bool", "bool"),
      this.#call("(!@)", "bool"),
      this.#sameTypes("(@ == @)", types),
      this.#sameTypes("(@ != @)", types),
      (depth) => this.#node("(@ == @)", this.#make(this.random.pick(types), depth),
        this.#make(this.random.pick(types), depth)),
      (depth) => this.#relation(depth),
      (depth) => this.#relation(depth),
      this.#call("(@ in @)", "int", "list"),
      this.#call("(@ in @)", "string", "list"),
      this.#call("(@ in @)", "string", "map"),
      this.#call("@.contains(@)", "string", "string"),
      this.#call("@.startsWith(@)", "string", "string"),
      this.#call("@.endsWith(@)", "string", "string"),
      (depth) => this.#node(`@.matches('${this.random.pick(patterns)}')`,
        this.#make("string", depth)),
      (depth) => this.#macro("all", "bool", depth),
      (depth) => this.#macro("exists", "bool", depth),
      (depth) => this.#macro("exists_one", "bool", depth),
      () => this.#node(`has(inputs.${this.random.pick(["i", "m", "zz"])})`),
      () => this.#node(`has(inputs.m.${this.random.pick(["a", "b", "zz"])})`),
      this.#sameTypes("(type(@) == type(@))", types),
    ],
    list: [
      (depth) => this.#node("[@, @]", this.#make(this.random.pick(types), depth),
        this.#make(this.random.pick(types), depth)),
      this.#call("(@ + @)", "list", "list"),
      this.#call("@.split(@)", "string", "string"),
      (depth) => this.#macro("filter", "bool", depth),
      (depth) => this.#macro("map", this.random.pick(types), depth),
      (depth) => this.#mapWithCondition(depth),
    ],
    map: [
      (depth) => this.#node("{@: @}", this.#make(this.random.pick(["string", "int", "bool"]),
        depth), this.#make(this.random.pick(types), depth)),
      this.#call("{@: @, @: @}", "string", "int", "string", "list"),
    ],
    timestamp: [
      this.#call("(@ + @)", "timestamp", "duration"),
      this.#call("(@ - @)", "timestamp", "duration"),
      this.#call("(@ + @)", "duration", "timestamp"),
    ],
    duration: [
      this.#call("(@ + @)", "duration", "duration"),
      this.#call("(@ - @)", "duration", "duration"),
    ],
  };
}

// The expression's text; `dynamic` hides every part's type from a checker.
export function show(node, dynamic = false) {
  let next = 0;
  const text = node.text.replaceAll("@", () => show(node.parts[next++], dynamic));
  return dynamic ? `dyn(${text})` : text;
}
