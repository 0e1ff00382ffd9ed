/**
 * Renders templates like Jinja2 in Python where `@huggingface/jinja` differs: methods and filters with arguments,
 * values as text, comparisons, string lengths in characters.
 */
import { capitalized, floatText, quotePython, stringMethods, stripEnds, titledWords } from "./python_text.ts";

/** A node of a template: the fields that are read here. */
export type Node = Readonly<{
  type: string;
  value?: unknown;
  operator?: Readonly<{ value: string }>;
  left?: Node;
  right?: Node;
  object?: Node;
  property?: Node;
  computed?: boolean;
  operand?: Node;
  filter?: Node;
  callee?: Node;
  args?: readonly Node[];
}>;
/** A value in a running template. */
export type Value = Readonly<{ type?: string; value?: unknown }>;

/** The parts of the interpreter in use. */
export type Machine = {
  evaluate(node: Node | undefined, environment: unknown): Value;
  evaluateArguments(args: readonly Node[], environment: unknown): [Value[], Map<string, Value>];
};
/** Creates values: from plain values, lists of values, and functions of values. */
export type Makers = Readonly<{
  of(plain: unknown): Value;
  list(values: readonly Value[]): Value;
  function(act: (args: readonly Value[]) => Value): Value;
}>;

const isText = (value: Value): value is Readonly<{ type: string; value: string }> => value.type === "StringValue";
const isList = (value: Value): value is Readonly<{ type: string; value: readonly Value[] }> =>
  value.type === "ArrayValue" || value.type === "TupleValue";
const isMap = (value: Value): value is Readonly<{ type: string; value: ReadonlyMap<string, Value> }> =>
  value.type === "ObjectValue";
const isNumber = (value: Value): boolean =>
  value.type === "IntegerValue" || value.type === "FloatValue" || value.type === "BooleanValue";
const isNothing = (value: Value): boolean => value.type === "NullValue" || value.type === "UndefinedValue";
const isTrue = (value: Value): boolean => {
  if (isList(value)) return value.value.length > 0;
  return isMap(value) ? value.value.size > 0 : Boolean(value.value);
};

/** Formats a value like `str`. */
function textOf(value: Value): string {
  if (isText(value)) return value.value;
  if (value.type === "UndefinedValue") return "";
  return reprOf(value);
}

/** Formats a value like `repr`. */
function reprOf(value: Value): string {
  if (isText(value)) return quotePython(value.value);
  if (value.type === "BooleanValue") return value.value ? "True" : "False";
  if (value.type === "NullValue") return "None";
  if (value.type === "UndefinedValue") return "Undefined";
  if (value.type === "FloatValue") return floatText(Number(value.value));
  if (value.type === "TupleValue" && isList(value)) {
    return `(${value.value.map(reprOf).join(", ")}${value.value.length === 1 ? "," : ""})`;
  }
  if (isList(value)) return `[${value.value.map(reprOf).join(", ")}]`;
  if (isMap(value)) {
    return `{${[...value.value].map(([key, entry]) => `${quotePython(key)}: ${reprOf(entry)}`).join(", ")}}`;
  }
  return String(value.value);
}

/** Whether two values are equal in Python. */
function equal(a: Value, b: Value): boolean {
  if (isNumber(a) && isNumber(b)) return Number(a.value) === Number(b.value);
  if (isList(a) && isList(b)) {
    return a.value.length === b.value.length && a.value.every((element, i) => equal(element, b.value[i] ?? {}));
  }
  if (isMap(a) && isMap(b)) {
    return a.value.size === b.value.size &&
      [...a.value].every(([key, entry]) => b.value.has(key) && equal(entry, b.value.get(key) ?? {}));
  }
  if (isNothing(a) && isNothing(b)) return a.type === b.type;
  return a.type === b.type && a.value === b.value;
}

/** Compares two values. Throws Error if they have no order. */
function compared(a: Value, b: Value): number {
  if (isNumber(a) && isNumber(b)) return Number(a.value) - Number(b.value);
  if (isText(a) && isText(b)) return byCodePoints(a.value, b.value);
  if (isList(a) && isList(b)) {
    for (let i = 0; i < Math.min(a.value.length, b.value.length); i++) {
      const order = compared(a.value[i] ?? {}, b.value[i] ?? {});
      if (order !== 0) return order;
    }
    return a.value.length - b.value.length;
  }
  throw new Error(`${a.type} and ${b.type} have no order`);
}

function byCodePoints(a: string, b: string): number {
  const [x, y] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = (x[i]?.codePointAt(0) ?? 0) - (y[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return x.length - y.length;
}

/** Nodes whose value is the template's own text; values of other nodes are formatted as in Python. */
const silent: ReadonlySet<string> = new Set([
  "Set",
  "If",
  "For",
  "Macro",
  "CallStatement",
  "FilterStatement",
  "Break",
  "Continue",
  "Comment",
  "StringLiteral",
]);

/** Marks the output nodes of a parsed template. */
export function withOutputs<T extends Node>(program: T): T {
  const bodies = ["body", "alternate", "defaultBlock"] as const;
  const walk = (node: Node): Node => {
    const copy: Record<string, unknown> = Object.assign(Object.create(Object.getPrototypeOf(node)), node);
    for (const name of bodies) {
      const body = copy[name];
      if (Array.isArray(body)) {
        copy[name] = body.map((inner: Node) => silent.has(inner.type) ? walk(inner) : { type: "Output", value: inner });
      }
    }
    return copy as Node;
  };
  return walk(program) as T;
}

/** The input of a filter: a value, positional and named arguments. */
type FilterCall = Readonly<{
  value: Value;
  args: readonly Value[];
  namedArgs: ReadonlyMap<string, Value>;
  makers: Makers;
  /** Applies another filter by name. */
  filter: (name: string, value: Value, args: readonly Value[]) => Value;
  /** Applies a test by name. */
  test: (name: string, value: Value, args: readonly Value[]) => boolean;
}>;
/** A filter; undefined if the library's result is right. */
type Filter = (given: FilterCall) => Value | undefined;

const argument = ({ args, namedArgs }: FilterCall, at: number, name: string): Value | undefined =>
  args[at] ?? namedArgs.get(name);
const items = ({ value, makers }: FilterCall): readonly Value[] | undefined => {
  if (isText(value)) return Array.from(value.value, (c) => makers.of(c));
  if (isMap(value)) return [...value.value.keys()].map((key) => makers.of(key));
  return isList(value) ? value.value : undefined;
};
const attributeOf = (value: Value, path: Value, { makers }: FilterCall): Value =>
  String(path.value).split(".").reduce<Value>((value, key) => {
    if (isMap(value)) return value.value.get(key) ?? makers.of(undefined);
    return isList(value) && /^\d+$/.test(key) ? value.value[Number(key)] ?? makers.of(undefined) : makers.of(undefined);
  }, value);
const onText = (act: (text: string, given: FilterCall) => string): Filter => (call) =>
  call.makers.of(act(textOf(call.value), call));
const sized: Filter = (call) => {
  const all = items(call);
  return all && call.makers.of(all.length);
};
const edge = (at: 0 | -1): Filter => (call) => {
  const all = items(call);
  return all && (all.at(at) ?? call.makers.of(undefined));
};
const selecting = (keeps: boolean, byAttribute: boolean): Filter => (call) => {
  const all = items(call);
  if (!all) return undefined;
  const args = byAttribute ? call.args.slice(1) : call.args;
  const [name, ...rest] = args;
  return call.makers.list(all.filter((element) => {
    const value = byAttribute ? attributeOf(element, call.args[0] ?? {}, call) : element;
    return (name === undefined ? isTrue(value) : call.test(String(name.value), value, rest)) === keeps;
  }));
};
const extreme = (sign: 1 | -1): Filter => (call) => {
  const all = items(call);
  return all?.reduce<Value | undefined>(
    (best, value) => !best || sign * compared(value, best) < 0 ? value : best,
    undefined,
  );
};
const number = (whole: boolean): Filter => (call) => {
  const { value, makers } = call;
  const otherwise = argument(call, 0, "default") ?? makers.of(0);
  const base = Number(argument(call, 1, "base")?.value ?? 10);
  const parsedNumber = isText(value)
    ? parsed(value.value, whole ? base : 10)
    : isNumber(value)
    ? Number(value.value)
    : NaN;
  if (!Number.isFinite(parsedNumber)) return otherwise;
  return whole ? makers.of(Math.trunc(parsedNumber)) : floating(parsedNumber, makers);
};

function parsed(text: string, base: number): number {
  const numeral = stripEnds(text, undefined, "both").replaceAll(/(?<=\d)_(?=\d)/g, "");
  if (base === 10) return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(numeral) ? Number(numeral) : NaN;
  const bare = numeral.replace(base === 16 ? /^0x/i : base === 8 ? /^0o/i : base === 2 ? /^0b/i : /^$/, "");
  const digits = "0123456789abcdefghijklmnopqrstuvwxyz".slice(0, base);
  return bare !== "" && Array.from(bare.toLowerCase()).every((c) => digits.includes(c)) ? parseInt(bare, base) : NaN;
}

/** Floats keep their decimal point, whatever their value. */
const floating = (value: number, makers: Makers): Value => {
  const half = makers.of(0.5) as { value: number };
  half.value = value;
  return half;
};

/** Filters that the library lacks, or that differ from Jinja2's. */
const filters: Readonly<Record<string, Filter>> = {
  string: onText((text) => text),
  trim: onText((text, call) => stripEnds(text, argument(call, 0, "chars")?.value as string | undefined, "both")),
  capitalize: onText(capitalized),
  title: onText(titledWords),
  escape: onText((text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&#34;")
      .replaceAll("'", "&#39;")
  ),
  urlencode: onText((text) =>
    encodeURIComponent(text).replaceAll("%2F", "/")
      .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  ),
  wordcount: ({ value, makers }) => makers.of((textOf(value).match(/[\p{L}\p{N}_]+/gu) ?? []).length),
  length: sized,
  count: sized,
  first: edge(0),
  last: edge(-1),
  list: (call) => {
    const all = items(call);
    return all && call.makers.list(all);
  },
  reverse: ({ value, makers }) => isText(value) ? makers.of(Array.from(value.value).reverse().join("")) : undefined,
  join: (call) => {
    const all = items(call);
    const path = argument(call, 1, "attribute");
    const separator = argument(call, 0, "d") ?? argument(call, 0, "separator");
    const values = path === undefined ? all : all?.map((value) => attributeOf(value, path, call));
    return values && call.makers.of(values.map(textOf).join(separator === undefined ? "" : textOf(separator)));
  },
  default: (call) => {
    const { value, makers } = call;
    const whenFalse = argument(call, 1, "boolean");
    const none = value.type === "UndefinedValue" || (whenFalse !== undefined && isTrue(whenFalse) && !isTrue(value));
    return none ? argument(call, 0, "default_value") ?? makers.of("") : value;
  },
  int: number(true),
  float: number(false),
  round: (call) => {
    const [precision, method] = [argument(call, 0, "precision"), argument(call, 1, "method")];
    const size = 10 ** Number(precision?.value ?? 0);
    const value = Number(call.value.value);
    const how = method?.value === "ceil" ? Math.ceil : method?.value === "floor" ? Math.floor : toEven;
    return floating(how(value * size) / size, call.makers);
  },
  sum: (call) => {
    const path = argument(call, 0, "attribute");
    const all = items(call)?.map((value) => (path === undefined ? value : attributeOf(value, path, call)));
    if (!all) return undefined;
    const sum = all.reduce(
      (total, element) => total + Number(element.value),
      Number(argument(call, 1, "start")?.value ?? 0),
    );
    return all.some((element) => element.type === "FloatValue") ? floating(sum, call.makers) : call.makers.of(sum);
  },
  min: extreme(1),
  max: extreme(-1),
  unique: (call) => {
    const all = items(call);
    const exact = argument(call, 0, "case_sensitive");
    const path = argument(call, 1, "attribute");
    const seen = new Set<string>();
    return all && call.makers.list(all.filter((value) => {
      const keyValue = reprOf(path === undefined ? value : attributeOf(value, path, call));
      const key = exact !== undefined && isTrue(exact) ? keyValue : keyValue.toLowerCase();
      return seen.has(key) ? false : (seen.add(key), true);
    }));
  },
  select: selecting(true, false),
  reject: selecting(false, false),
  selectattr: selecting(true, true),
  rejectattr: selecting(false, true),
  map: (call) => {
    const all = items(call);
    const path = call.namedArgs.get("attribute");
    const { makers, args, filter } = call;
    if (!all) return undefined;
    if (path === undefined) {
      const [name, ...rest] = args;
      return makers.list(all.map((value) => filter(String(name?.value), value, rest)));
    }
    const otherwise = call.namedArgs.get("default");
    return makers.list(all.map((value) => {
      const attribute = attributeOf(value, path, call);
      return attribute.type === "UndefinedValue" ? otherwise ?? attribute : attribute;
    }));
  },
  tojson: (call) => call.makers.of(jsonOf(call)),
};
const also: Readonly<Record<string, string>> = { d: "default", e: "escape" };

function toEven(value: number): number {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

/** Formats a value like `json.dumps`. */
function jsonOf(call: FilterCall): string {
  const argumentOf = (at: number, name: string): Value | undefined => {
    const passed = argument(call, at, name);
    return passed && isNothing(passed) ? undefined : passed;
  };
  const ascii = argumentOf(0, "ensure_ascii");
  const width = argumentOf(1, "indent");
  const separators = argumentOf(2, "separators");
  const sorted = argumentOf(3, "sort_keys");
  const pad = width === undefined ? undefined : isText(width) ? width.value : " ".repeat(Number(width.value));
  if ((pad?.length ?? 0) > 64) throw new RangeError(`the template asks for a width of ${pad?.length}`);
  const [between, colon] = separators && isList(separators)
    ? separators.value.map(textOf)
    : [pad === undefined ? ", " : ",", ": "];
  const text = (value: string): string => {
    const json = JSON.stringify(value);
    if (!ascii || !isTrue(ascii)) return json;
    return json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  };
  const inside = (open: string, close: string, parts: readonly string[], depth: number): string => {
    if (parts.length === 0 || pad === undefined) return open + parts.join(between) + close;
    const line = `\n${pad.repeat(depth + 1)}`;
    return `${open}${line}${parts.join(`${between}${line}`)}\n${pad.repeat(depth)}${close}`;
  };
  const write = (value: Value, depth: number): string => {
    if (isText(value)) return text(value.value);
    if (isNothing(value)) return "null";
    if (value.type === "FloatValue") return floatText(Number(value.value));
    if (isNumber(value)) return String(value.value);
    if (isList(value)) return inside("[", "]", value.value.map((part) => write(part, depth + 1)), depth);
    if (!isMap(value)) throw new Error(`${value.type} is no JSON`);
    const entries = [...value.value];
    if (sorted && isTrue(sorted)) entries.sort(([a], [b]) => byCodePoints(a, b));
    return inside("{", "}", entries.map(([key, part]) => text(key) + colon + write(part, depth + 1)), depth);
  };
  return write(call.value, 0);
}

/** Jinja's tests with two operands, by name. */
const tests: Readonly<Record<string, (value: Value, other: Value) => boolean>> = {
  equalto: equal,
  eq: equal,
  "==": equal,
  ne: (a, b) => !equal(a, b),
  "!=": (a, b) => !equal(a, b),
  gt: (a, b) => compared(a, b) > 0,
  ge: (a, b) => compared(a, b) >= 0,
  lt: (a, b) => compared(a, b) < 0,
  le: (a, b) => compared(a, b) <= 0,
  in: (a, b) => within(a, b),
  divisibleby: (a, b) => Number(a.value) % Number(b.value) === 0,
};

function within(a: Value, b: Value): boolean {
  if (isText(b)) return isText(a) && b.value.includes(a.value);
  if (isMap(b)) return isText(a) && b.value.has(a.value);
  return isList(b) && b.value.some((element) => equal(element, a));
}

/** Returns the result of an operator in Python; undefined if the library's is the same. */
function operated(operator: string, a: Value, b: Value, makers: Makers, most: number): Value | undefined {
  if (operator === "==" || operator === "!=") return makers.of(equal(a, b) === (operator === "=="));
  if (operator === "~") return makers.of(textOf(a) + textOf(b));
  if (operator === "in" || operator === "not in") return makers.of(within(a, b) === (operator === "in"));
  if (["<", ">", "<=", ">="].includes(operator) && !isNothing(a) && !isNothing(b)) {
    const order = compared(a, b);
    return makers.of(
      operator[0] === "<"
        ? order < 0 || (order === 0 && operator === "<=")
        : order > 0 || (order === 0 && operator === ">="),
    );
  }
  if (operator === "%" && isNumber(a) && isNumber(b)) {
    const [x, y] = [Number(a.value), Number(b.value)];
    const rest = ((x % y) + y) % y;
    return a.type === "FloatValue" || b.type === "FloatValue" ? floating(rest, makers) : makers.of(rest);
  }
  if (operator === "*" && (isText(a) || isText(b))) {
    const [text, count] = isText(a) ? [a.value, b] : [textOf(b), a];
    const times = Math.max(0, Number(count.value));
    if (text.length * times > most) throw new RangeError(`the template makes more than ${most} characters`);
    return isNumber(count) ? makers.of(text.repeat(times)) : undefined;
  }
  return undefined;
}

/** Evaluates nodes as in Python; undefined where the library does the same. `most`: the limit of characters. */
export function pythonOf(
  machine: Machine,
  base: Machine["evaluate"],
  makers: Makers,
  testsOf: (environment: unknown) => ReadonlyMap<string, (...values: Value[]) => boolean>,
  most: number,
): (node: Node, environment: unknown) => Value | undefined {
  const filtered = (
    name: string,
    call: Omit<FilterCall, "filter" | "test" | "makers">,
    environment: unknown,
  ): Value => {
    const filterName = Object.hasOwn(also, name) ? also[name] ?? name : name;
    const known = testsOf(environment);
    const filter = Object.hasOwn(filters, filterName)
      ? filters[filterName]?.({
        ...call,
        makers,
        filter: (inner, value, args) => filtered(inner, { value, args, namedArgs: new Map() }, environment),
        test: (inner, value, args) => {
          if (Object.hasOwn(tests, inner) && args[0]) return tests[inner]?.(value, args[0]) ?? false;
          const test = known.get(inner);
          if (!test) throw new Error(`Unknown test: ${inner}`);
          return test(value, ...args);
        },
      })
      : undefined;
    if (filter) return filter;
    const node: Node = { type: "FilterExpression", operand: valued(call.value), filter: callOf(filterName, call) };
    return base(node, environment);
  };
  return (node, environment) => {
    if (node.type === "Output") return makers.of(textOf(machine.evaluate(node.value as Node, environment)));
    if (node.type === "FilterExpression") {
      const value = machine.evaluate(node.operand, environment);
      const call = node.filter?.type === "CallExpression" ? node.filter : undefined;
      const name = String((call ? call.callee : node.filter)?.value);
      const [args, namedArgs] = call ? machine.evaluateArguments(call.args ?? [], environment) : [[], new Map()];
      return filtered(name, { value, args, namedArgs }, environment);
    }
    if (node.type === "BinaryExpression" && node.operator?.value !== "and" && node.operator?.value !== "or") {
      const [left, right] = [machine.evaluate(node.left, environment), machine.evaluate(node.right, environment)];
      const result = operated(node.operator?.value ?? "", left, right, makers, most);
      return result ?? base({ ...node, left: valued(left), right: valued(right) }, environment);
    }
    if (node.type === "MemberExpression") return memberOf(node, environment);
    return undefined;
  };

  function memberOf(node: Node, environment: unknown): Value | undefined {
    const object = machine.evaluate(node.object, environment);
    const name = String(node.property?.value);
    if (!node.computed && isText(object) && Object.hasOwn(stringMethods, name)) {
      return makers.function((args) => {
        const plain = args.filter((own) => own.type !== "KeywordArgumentsValue");
        const method = stringMethods[name];
        const found = method?.(object.value, ...plain.map((arg) => (isNothing(arg) ? undefined : arg.value as string)));
        return makers.of(found);
      });
    }
    if (!node.computed && isText(object) && name === "join") {
      return makers.function(([list]) => {
        const all = list && items({ value: list, makers } as FilterCall);
        if (!all?.every(isText)) throw new Error("join: a list of strings is expected");
        return makers.of(all.map(textOf).join(object.value));
      });
    }
    if (node.computed && isText(object) && node.property?.type !== "SliceExpression") {
      const at = machine.evaluate(node.property, environment);
      if (isNumber(at)) return makers.of(Array.from(object.value).at(Number(at.value)));
      return base({ ...node, object: valued(object), property: valued(at) }, environment);
    }
    return base({ ...node, object: valued(object) }, environment);
  }
}

/** Returns a node for a value. */
const valued = (value: Value): Node => ({ type: "Value", value });

function callOf(name: string, { args, namedArgs }: Pick<FilterCall, "args" | "namedArgs">): Node {
  const callee: Node = { type: "Identifier", value: name };
  if (args.length === 0 && namedArgs.size === 0) return callee;
  const keywords = [...namedArgs].map(([key, value]): Node =>
    ({ type: "KeywordArgumentExpression", key: { type: "Identifier", value: key }, value: valued(value) }) as Node
  );
  return { type: "CallExpression", callee, args: [...args.map(valued), ...keywords] };
}
