/** Renders Jinja templates from others within limits of steps, depth and size of values. */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import type { Json, Named } from "../../../../core/types.ts";
import { type Machine, type Makers, type Node as Read, pythonOf, type Value, withOutputs } from "./python_templates.ts";

/** Longer templates are refused, in characters; real ones have up to twenty thousand. */
const MAX_TEMPLATE = 2 ** 17;
/** Templates with longer runs of blanks are refused: parsing takes quadratic time in them. */
const MAX_BLANKS = 512;
/** The largest depth of expressions and macros. */
const MAX_DEPTH = 200;
/** The largest number of characters in a string, or in all strings of a list. */
const MAX_SIZE = 2 ** 20;
/** Allowed steps, and additional ones per character of the input. */
const [STEPS, STEPS_EACH] = [30_000, 4];
/** The largest width of an indentation. */
const MAX_WIDTH = 64;
/** The largest range of numbers. */
const MAX_RANGE = 10_000;

/** Renders variables. Throws Error if the template refuses them or exceeds a limit. */
export type Render = (variables: Named<Json>) => string;

type Node =
  & Read
  & Readonly<{ iterable?: Node; lhs?: Node; operand?: Node; filter?: Node; callee?: Node; object?: Node }>;

/** Filters whose result may be as large as the product of its inputs. */
const multiplying: ReadonlySet<unknown> = new Set(["replace", "join", "indent", "tojson", "center", "wordwrap"]);

/**
 * Parses a template.
 *
 * @throws Error if it cannot be parsed.
 */
export function boundedTemplate(given: string): Render {
  // As in Python, all line ends of the template become "\n".
  const source = given.replaceAll(/\r\n?/g, "\n");
  if (source.length > MAX_TEMPLATE) throw new RangeError(`it has more than ${MAX_TEMPLATE} characters`);
  let blanks = 0;
  for (let i = 0; i < source.length; i++) {
    blanks = /\s/.test(source[i] ?? "") ? blanks + 1 : 0;
    if (blanks > MAX_BLANKS) throw new RangeError(`it has more than ${MAX_BLANKS} blanks in a row`);
  }
  const program = withOutputs(parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })));
  return (variables) => {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...globals, ...variables })) environment.set(name, value);
    const interpreter = new Interpreter(environment);
    const size = sizeOf(variables);
    bound(interpreter as unknown as Machine, STEPS + STEPS_EACH * size, MAX_SIZE + 4 * size);
    return String((interpreter.run(program) as Value).value);
  };
}

/** Returns functions that create values as an environment does from its input. */
function makersOf(): Makers {
  const environment = new Environment();
  const { variables } = environment as unknown as { variables: Map<string, unknown> };
  const of = (plain: unknown): Value => {
    variables.delete("value");
    environment.set("value", plain);
    return environment.lookupVariable("value") as Value;
  };
  type Made = { constructor: new (value: unknown) => Value };
  const [list, act] = [of([]), of(() => 0)] as unknown as [Made, Made];
  return { of, list: (values) => new list.constructor([...values]), function: (own) => new act.constructor(own) };
}

/** Bounds an interpreter through its `evaluate`, which everything goes through. */
function bound(machine: Machine, steps: number, most: number): void {
  const evaluate = machine.evaluate.bind(machine);
  const python = pythonOf(
    machine,
    evaluate,
    makersOf(),
    (environment) => (environment as Environment).tests as never,
    most,
  );
  let [left, depth] = [steps, 0];
  /** What loops iterate over, which costs steps per item; and the inputs of filters that multiply them. */
  const iterables = new WeakSet<object>();
  const parts = new WeakMap<object, { product: number }>();
  const widths = new WeakSet<object>();
  machine.evaluate = (node: Node | undefined, environment) => {
    if (!node) return evaluate(node, environment);
    if (node.type === "Value") return node.value as Value;
    if (node.type === "Output") left++;
    if (--left < 0) throw new RangeError("the template takes too many steps");
    if (depth >= MAX_DEPTH) throw new RangeError("the template is nested too deeply");
    if (node.type === "For") {
      for (const iterable of [node.iterable, node.iterable?.lhs]) if (iterable) iterables.add(iterable);
    }
    const group = multiplied(node, parts, widths);
    const before = group?.product;
    if (group) group.product = 1;
    let value: Value;
    depth++;
    try {
      value = python(node, environment) ?? evaluate(node, environment);
    } finally {
      depth--;
      if (group && before !== undefined) group.product = before;
    }
    const items = value.value;
    if (widths.has(node) && typeof items === "number" && Math.abs(items) > MAX_WIDTH) {
      throw new RangeError(`the template asks for a width of ${items}`);
    }
    const isNew = node.type !== "Identifier" && node.type !== "MemberExpression";
    const size = isNew || parts.has(node) ? weightOf(value, most) : 0;
    if (size > most) throw new RangeError(`the template makes more than ${most} characters`);
    const part = parts.get(node);
    if (part && (part.product *= Math.max(1, size)) > 16 * most) {
      throw new RangeError(`the template makes more than ${16 * most} characters`);
    }
    const length = Array.isArray(items) || typeof items === "string"
      ? items.length
      : items instanceof Map
      ? items.size
      : 0;
    left -= (length >> 6) + (size >> 5) + (iterables.has(node) ? 3 * length : 0);
    return value;
  };
}

/** Returns the product of the inputs of a filter or method that multiplies them, else undefined. */
function multiplied(
  node: Node,
  parts: WeakMap<object, { product: number }>,
  widths: WeakSet<object>,
): { product: number } | undefined {
  const isFilter = node.type === "FilterExpression" || node.type === "FilterStatement";
  if (!isFilter && node.type !== "CallExpression") return undefined;
  const call = isFilter ? node.filter : node;
  const method = call?.type === "CallExpression" ? call.callee : call;
  const name = method?.type === "MemberExpression" ? method.property?.value : method?.value;
  if (!multiplying.has(name)) return undefined;
  const args = (call?.args ?? []).map((arg) => {
    const { type, value } = arg;
    return type === "KeywordArgumentExpression" && typeof value === "object" && value !== null ? value as Node : arg;
  });
  if (name !== "replace") { for (const arg of args) widths.add(arg); }
  const all = [isFilter ? node.operand : method?.object, ...args].filter((part) => part !== undefined);
  const group = parts.get(all[0] ?? node) ?? { product: 1 };
  for (const part of all) parts.set(part, group);
  return group;
}

/** Returns the characters in a value and everything it holds, counted to slightly more than `most`. */
function weightOf({ value }: Value, most: number): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 1;
  const inner = value instanceof Map ? value.values() : Array.isArray(value) ? value : [];
  let weight = 1;
  for (const child of inner) {
    weight += weightOf(child, most - weight);
    if (weight > most) break;
  }
  return weight;
}

function sizeOf(value: Json): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((size, part) => size + 50 + sizeOf(part), 0);
}

/** Variables of all templates in transformers, besides those to be rendered. */
const globals: Named<unknown> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  raise_exception: (message: unknown) => {
    throw new Error(String(message).slice(0, 500));
  },
  range: (first: number, last?: number, step = 1): number[] => {
    const [from, to] = last === undefined ? [0, first] : [first, last];
    const count = Math.max(0, Math.ceil((to - from) / step));
    if (!(count <= MAX_RANGE)) throw new RangeError(`range has ${count} numbers; at most ${MAX_RANGE}`);
    return Array.from({ length: count }, (_, i) => from + i * step);
  },
  strftime_now: (format: string): string => {
    const now = new Date();
    const two = (n: number): string => String(n).padStart(2, "0");
    const month = (length: "short" | "long"): string => new Intl.DateTimeFormat("en", { month: length }).format(now);
    const parts: Readonly<Record<string, () => string>> = {
      "%Y": () => String(now.getFullYear()),
      "%m": () => two(now.getMonth() + 1),
      "%d": () => two(now.getDate()),
      "%b": () => month("short"),
      "%B": () => month("long"),
      "%H": () => two(now.getHours()),
      "%M": () => two(now.getMinutes()),
      "%S": () => two(now.getSeconds()),
      "%%": () => "%",
    };
    return format.replaceAll(/%./g, (code) => (Object.hasOwn(parts, code) ? parts[code]?.() ?? code : code));
  },
};
