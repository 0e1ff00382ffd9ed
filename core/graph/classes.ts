/**
 * Scores over very many classes, a stretch of classes at a time: a vocabulary's logits never exist whole.
 *
 * What a loss needs of logits [n, classes] is a few numbers per row. They are gathered over stretches, and computed
 * again, stretch by stretch, where gradients are wanted (as Cut Cross-Entropy does, Wijmans et al. 2024).
 * @module
 */
import * as f from "./functions.ts";
import type { Graph, Node, Value } from "./graph.ts";
import type { Op } from "./ops.ts";
import { backward } from "./vjp.ts";

/** Logits of more classes than this are cut, into stretches of so many. */
export const CLASSES_LIMIT = 65536;
const STRETCH = 8192;

/** Of each row [n]: ln Σ eˣ, the score of its own class, the mean score, and the class with the largest (float32). */
export type ClassScores = Readonly<{ logSum: Value; own: Value; mean: Value; best: Value }>;

/** Which of the scores will be read, beside `logSum` and `own`: one that is read unasked keeps all stretches in memory. */
export type Asked = Readonly<{ mean: boolean; best: boolean }>;

/** How logits are made: from values that are used whole, and values that are cut along one axis, one cut per class. */
type Recipe = Readonly<{
  whole: readonly Value[];
  cut: readonly Readonly<{ value: Value; axis: number }>[];
  build: (parts: Parts) => Value;
}>;

/** What a stretch is built from, by what it is a part of. `at`: its classes. */
type Parts = Readonly<{ at: Value; whole: ReadonlyMap<Value, Value>; cut: ReadonlyMap<Value, Value> }>;

/** Ops that treat every element alone and that heads put behind their products. */
const elementwise: ReadonlySet<Op> = new Set<Op>(["Add", "Sub", "Mul", "Div", "Tanh", "Neg", "Identity"]);

const known = new WeakMap<Graph, Map<string, ClassScores>>();

/**
 * The scores of rows of logits [n, classes] and their classes [n] int32, where there are more than `limit` classes and
 * the logits are made of products over them; undefined where they may as well exist whole.
 */
export function scoresOfClasses(
  logits: Value,
  own: Value,
  asked: Asked,
  { limit = CLASSES_LIMIT, stretch = STRETCH }: Readonly<{ limit?: number; stretch?: number }> = {},
): ClassScores | undefined {
  const classes = logits.shape[1];
  if (logits.shape.length !== 2 || typeof classes !== "number" || classes <= limit) return undefined;
  const made = known.get(logits.graph) ?? new Map<string, ClassScores>();
  known.set(logits.graph, made);
  const key = `${logits.id} ${own.id} ${stretch} ${asked.mean} ${asked.best}`;
  const before = made.get(key);
  if (before) return before;
  const recipe = recipeOf(logits, classes);
  if (!recipe) return undefined;
  const scores = cutScores(recipe, own, classes, stretch, asked);
  made.set(key, scores);
  return scores;
}

function cutScores(recipe: Recipe, own: Value, classes: number, stretch: number, asked: Asked): ClassScores {
  const froms = Array.from({ length: Math.ceil(classes / stretch) }, (_, i) => i * stretch);
  // Each stretch, its part of the weights too, waits for all that the one before gives, so that the runtime never has two.
  const zeroAfter = (gates: readonly Value[]): Value | undefined =>
    gates.map((gate) => f.max(gate)).map((x) => f.cast(f.less(x, x), "int32"))
      .reduce<Value | undefined>((sum, zero) => (sum ? f.add(sum, zero) : zero), undefined);
  const partsAt = (from: number, gates: readonly Value[]): Parts => {
    const zero = zeroAfter(gates);
    const to = Math.min(from + stretch, classes);
    const places = Int32Array.from({ length: to - from }, (_, i) => from + i);
    const constant = own.graph.constant({ dtype: "int32", dims: [places.length], data: places });
    const at = zero ? f.add(constant, zero) : constant;
    const part = (value: Value, axis: number): Value =>
      zero ? f.gather(value, at, axis) : f.slice(value, axis, from, to);
    return {
      at,
      whole: new Map(recipe.whole.map((x) => [x, zero ? f.add(x, f.cast(zero, "float32")) : x])),
      cut: new Map(recipe.cut.map(({ value, axis }) => [value, part(value, axis)])),
    };
  };
  const waited = ({ logSum, own, mean, best }: ClassScores): Value[] => [
    logSum,
    own,
    ...(asked.mean ? [mean] : []),
    ...(asked.best ? [best] : []),
  ];

  let scores: ClassScores | undefined;
  let top: Value | undefined;
  for (const from of froms) {
    const x = recipe.build(partsAt(from, scores ? waited(scores) : []));
    const width = x.shape[1] as number;
    const largest = f.max(x, 1);
    const logSum = f.add(f.log(f.sum(f.exp(f.sub(x, f.max(x, 1, true))), 1)), largest);
    const place = f.sub(own, from);
    const inside = f.and(f.not(f.less(place, 0)), f.less(place, width));
    const chosen = f.where(inside, f.pick(x, f.where(inside, place, 0)), 0);
    const total = f.mul(f.sum(x, 1), 1 / classes);
    const best = f.add(f.cast(f.argmax(x), "float32"), from);
    if (!scores || !top) [scores, top] = [{ logSum, own: chosen, mean: total, best }, largest];
    else {
      scores = {
        logSum: logAddExp(scores.logSum, logSum),
        own: f.add(scores.own, chosen),
        mean: f.add(scores.mean, total),
        best: f.where(f.greater(largest, top), best, scores.best),
      };
      top = f.maximum(top, largest);
    }
  }
  const { logSum, own: chosen, mean, best } = scores as ClassScores;
  const inputs = [...recipe.whole, ...recipe.cut.map((c) => c.value)];
  const [a, b, c] = logSum.graph.withVjp(inputs, [logSum, chosen, mean], ([dLog, dOwn, dMean], needs) => {
    const n = logSum.shape[0] ?? 1;
    const column = (d: Value | undefined): Value => f.reshape(d ?? f.zeros(logSum, [n]), [n, 1]);
    const [dLogs, dOwns] = [column(dLog), column(dOwn)];
    let gates: readonly Value[] = [f.add(dLogs, dOwns)];
    const wholes: (Value | undefined)[] = recipe.whole.map(() => undefined);
    const cuts: Value[][] = recipe.cut.map(() => []);
    for (const from of froms) {
      const parts = partsAt(from, gates);
      const x = recipe.build(parts);
      const hit = f.equal(f.reshape(own, [n, 1]), f.reshape(parts.at, [1, parts.at.shape[0] ?? 1]));
      const p = f.exp(f.sub(x, f.reshape(logSum, [n, 1])));
      const dl = f.add(f.mul(p, dLogs), f.where(hit, dOwns, 0));
      const dx = dMean ? f.add(dl, f.mul(column(dMean), 1 / classes)) : dl;
      const wrt = [
        ...recipe.whole.map((v) => parts.whole.get(v) as Value),
        ...recipe.cut.map((c) => parts.cut.get(c.value) as Value),
      ];
      const given: Value[] = [];
      const found = backward([x], [dx], wrt.filter((_, i) => needs[i]));
      let k = 0;
      needs.forEach((needed, i) => {
        if (!needed) return;
        const d = found[k++]?.dense ?? f.zeros(wrt[i] as Value, (wrt[i] as Value).shape);
        given.push(d);
        if (i >= wholes.length) cuts[i - wholes.length]?.push(d);
        else wholes[i] = wholes[i] ? f.add(wholes[i] as Value, d) : d;
      });
      gates = given;
    }
    return [
      ...wholes,
      ...cuts.map((parts, i) => (parts.length > 0 ? f.concat(parts, recipe.cut[i]?.axis ?? 0) : undefined)),
    ];
  });
  return { logSum: a as Value, own: b as Value, mean: c as Value, best };
}

/** ln(eᵃ + eᵇ) */
function logAddExp(a: Value, b: Value): Value {
  const top = f.maximum(a, b);
  return f.add(top, f.log(f.add(f.exp(f.sub(a, top)), f.exp(f.sub(b, top)))));
}

/** What of a value belongs to a stretch of classes, down to the products; undefined where it cannot be told. */
function recipeOf(logits: Value, classes: number): Recipe | undefined {
  const whole = new Set<Value>();
  const cut = new Map<Value, number>();
  type Build = Recipe["build"];
  const asCut = (value: Value, axis: number): Build => {
    cut.set(value, axis);
    return (parts) => parts.cut.get(value) as Value;
  };
  const visit = (value: Value): Build | undefined => {
    const last = value.shape.at(-1) ?? 1;
    if (last !== classes) return last === 1 ? () => value : undefined;
    const node = value.graph.region(value) ? undefined : value.graph.producer(value);
    // A vector of the classes: a bias.
    if (value.shape.slice(0, -1).every((dim) => dim === 1)) return asCut(value, value.shape.length - 1);
    if (!node || node.outputs[0] !== value) return undefined;
    if (node.op === "Gemm") {
      const { attrs, inputs } = node as Node<"Gemm">;
      const [x, weight, c] = inputs;
      if (attrs.transA || !x || !weight) return undefined;
      const own = c ? visit(c) : undefined;
      if (c && !own) return undefined;
      whole.add(x);
      const part = asCut(weight, attrs.transB ? 0 : 1);
      return (parts) => f.apply("Gemm", [parts.whole.get(x), part(parts), ...(own ? [own(parts)] : [])], attrs);
    }
    if (!elementwise.has(node.op)) return undefined;
    const parts = node.inputs.map((input) => input && visit(input));
    if (parts.some((part) => !part)) return undefined;
    return (all) => f.apply(node.op, parts.map((part) => part?.(all)), node.attrs);
  };
  const build = visit(logits);
  if (!build || whole.size === 0) return undefined;
  return { whole: [...whole], cut: [...cut].map(([value, axis]) => ({ value, axis })), build };
}
