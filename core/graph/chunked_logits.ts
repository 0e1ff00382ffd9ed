/**
 * Log-probabilities over very many classes, a block of rows at a time: a vocabulary's logits never exist whole.
 *
 * A loss needs only a few numbers per row of logits [n, classes]. Each block of rows is scored, and where gradients
 * are wanted goes back through the head before the next one is made, so that nothing is computed twice (as Liger Kernel
 * does, Hsu et al. 2024).
 */
import { type Dim, splitDim } from "./ops/dims.ts";
import * as f from "./ops/functions.ts";
import type { Graph, Node, Value } from "./graph.ts";
import { opTable } from "./ops/table.ts";
import { backward } from "./autodiff.ts";

/** Logits of more classes than this are made in blocks, where they are also wider than what they are made of. */
const CLASSES_LIMIT = 4096;

/** Rows are cut into so many blocks, of at least so many rows: the last ones are empty if there are few. */
const BLOCKS = 16;
const LEAST_ROWS = 128;

/** Of each row [n]: ln p of its label, the mean of ln p over the classes, and the likeliest class (as float32). */
export type ClassScores = Readonly<{ label: Value; mean: Value | undefined; best: Value | undefined }>;

/** Which of the scores will be read, beside `label`. */
export type RequestedScores = Readonly<{ mean: boolean; best: boolean }>;

/** How logits are made: from values with a row for each of theirs, and from values that all rows share. */
type Recipe = Readonly<{
  rows: readonly Value[];
  shared: readonly Value[];
  /** The logits of a block, by what its rows are of the values with rows. */
  build: (block: ReadonlyMap<Value, Value>) => Value;
}>;

const cachedScores = new WeakMap<Graph, Map<string, ClassScores>>();

/**
 * The scores of rows of logits [n, classes] and their classes [n] int32, where there are more than `limit` classes and
 * the logits are made of products over them; undefined if they may as well exist whole.
 */
export function chunkedLogits(
  logits: Value,
  ownScore: Value,
  requested: RequestedScores,
  { limit = CLASSES_LIMIT, blocks = BLOCKS, leastRows = LEAST_ROWS }: Readonly<
    { limit?: number; blocks?: number; leastRows?: number }
  > = {},
): ClassScores | undefined {
  const [rows, classes] = logits.shape;
  if (logits.shape.length !== 2 || typeof classes !== "number" || classes <= limit) return undefined;
  const cached = cachedScores.get(logits.graph) ?? new Map<string, ClassScores>();
  cachedScores.set(logits.graph, cached);
  const key = `${logits.id} ${ownScore.id} ${blocks} ${leastRows} ${requested.mean} ${requested.best}`;
  const before = cached.get(key);
  if (before) return before;
  const cuts = splitDim(rows ?? 1, blocks, leastRows);
  const recipe = cuts && recipeOf(logits);
  const wider = (x: Value): boolean => !(Number(x.shape[1]) < classes);
  if (!cuts || !recipe || recipe.rows.some(wider)) return undefined;
  const scores = blockScores(recipe, ownScore, cuts, requested);
  cached.set(key, scores);
  return scores;
}

function blockScores(
  recipe: Recipe,
  chosenScore: Value,
  cuts: readonly Dim[],
  requested: RequestedScores,
): ClassScores {
  const n = chosenScore.shape[0] ?? 1;
  const part = (x: Value, i: number): Value => f.slice(x, 0, cuts[i] ?? 0, cuts[i + 1] ?? null);
  const column = (x: Value): Value => f.reshape(x, [x.shape[0] ?? 1, 1]);
  const blocks = cuts.map((_, i) => {
    const rows = recipe.rows.map((x) => part(x, i));
    const logits = recipe.build(new Map(recipe.rows.map((x, k) => [x, rows[k] as Value])));
    const [logp, labels] = [f.logSoftmax(logits), part(chosenScore, i)];
    const scores = f.concat(
      [
        column(f.pick(logp, labels)),
        ...(requested.mean ? [f.mean(logp, 1, true)] : []),
        ...(requested.best ? [column(f.cast(f.argmax(logp), "float32"))] : []),
      ],
      1,
    );
    return { rows, logits, logp, own: labels, scores };
  });
  // The scores of a block stand side by side, so that whoever reads one of them does not keep the block for another.
  const table = f.concat(blocks.map(({ scores }) => scores), 0);
  const score = (at: number): Value => f.reshape(f.slice(table, 1, at, at + 1), [n]);
  const inputs = [...recipe.rows, ...recipe.shared];
  const outputs = [score(0), ...(requested.mean ? [score(1)] : [])];
  const [ownScore, mean] = chosenScore.graph.withVjp(inputs, outputs, ([dOwn, dMean], needs) => {
    const zeros = (): Value => f.zeros(outputs[0] as Value, [n]);
    const total = blocks.reduce<BlockGradients>(
      (before, { rows, logits, logp, own: labels, scores }, i) => {
        const dl = logitGradient(logp, labels, part(dOwn ?? zeros(), i), dMean && part(dMean, i), [
          ...before.gate,
          scores,
        ]);
        const wrt = [...rows, ...recipe.shared];
        const d = backward([logits], [dl], wrt).map(({ dense }, k) =>
          needs[k] ? dense ?? f.zeros(wrt[k] as Value, (wrt[k] as Value).shape) : undefined
        );
        const shared = d.slice(rows.length).map((x, k) => {
          const sum = before.shared[k];
          return x && sum ? addedTo(sum, x) : x;
        });
        const ofRows = d.slice(0, rows.length);
        const gate = [scores, ...ofRows, ...shared].flatMap((x) => x ?? []);
        return { rows: [...before.rows, ofRows], shared, gate };
      },
      { rows: [], shared: [], gate: [] },
    );
    const joined = recipe.rows.map((_, k) => needs[k] ? f.concat(total.rows.map((d) => d[k] as Value), 0) : undefined);
    return [...joined, ...total.shared];
  });
  return {
    label: ownScore as Value,
    mean: requested.mean ? mean : undefined,
    best: requested.best ? score(requested.mean ? 2 : 1) : undefined,
  };
}

/** A sum and a further gradient. A product adds itself to the sum: as a tensor of its own it would be one more of a head's size. */
function addedTo(sum: Value, x: Value): Value {
  const node = x.graph.producer(x);
  if (node?.op !== "Gemm" || node.inputs[2]) return f.add(sum, x);
  return f.apply("Gemm", [node.inputs[0], node.inputs[1], sum], (node as Node<"Gemm">).attrs);
}

/** Gradients after some blocks: those of their rows, sums for shared values, and the value that the next block waits for. */
type BlockGradients = Readonly<{
  rows: readonly (readonly (Value | undefined)[])[];
  shared: readonly (Value | undefined)[];
  gate: readonly Value[];
}>;

/**
 * onehot · dOwn + dMean / classes - p (dOwn + dMean): of a block's logits. It waits for `gate`, what the block before has
 * given, so that the runtime never holds two of them, and the block's own scores, behind which nobody reads the logarithms.
 * (It takes the operand that was made last first, and of a gate its second value: the gradients, so that no scores are made
 * before it is their turn.)
 */
function logitGradient(
  logp: Value,
  labels: Value,
  dOwn: Value,
  dMean: Value | undefined,
  gate: readonly Value[],
): Value {
  const m = logp.shape[0] ?? 1;
  const classes = logp.shape[1] as number;
  const p = f.exp(logp);
  const zero = gate.map((x) => f.sum(x)).map((x) => f.cast(f.less(x, x), "float32"))
    .reduce<Value | undefined>((sum, x) => (sum ? f.add(sum, x) : x), undefined);
  const after = (d: Value): Value => f.reshape(zero ? f.add(d, zero) : d, [m, 1]);
  const [one, mean] = [after(dOwn), dMean && after(dMean)];
  const spread = f.mul(p, f.neg(mean ? f.add(one, mean) : one));
  const even = mean ? f.add(spread, f.mul(mean, 1 / classes)) : spread;
  return f.apply("ScatterElements", [even, f.reshape(labels, [m, 1]), one], { axis: 1 });
}

/** The part of a value's computation that works row by row, down to the products; undefined if there is none. */
function recipeOf(logits: Value): Recipe | undefined {
  const [n, classes] = logits.shape;
  const rows = new Set<Value>();
  const shared = new Set<Value>();
  type Build = Recipe["build"];
  const source = (value: Value): Build => {
    const byRow = value.shape.length === 2 && value.shape[0] === n;
    (byRow ? rows : shared).add(value);
    return (block) => (byRow ? block.get(value) as Value : value);
  };
  const visit = (value: Value): Build | undefined => {
    if (value.shape.length !== 2 || value.shape[0] !== n || value.shape[1] !== classes) return source(value);
    const node = value.graph.region(value) ? undefined : value.graph.producer(value);
    if (!node || node.outputs[0] !== value) return undefined;
    if (node.op === "Gemm") {
      const { attrs, inputs } = node as Node<"Gemm">;
      const [x, weight, c] = inputs;
      if (attrs.transA || !x || !weight) return undefined;
      const [left, right, added] = [source(x), source(weight), c && visit(c)];
      if (c && !added) return undefined;
      return (block) => f.apply("Gemm", [left(block), right(block), ...(added ? [added(block)] : [])], attrs);
    }
    if (opTable[node.op].rows !== "elementwise") return undefined;
    const parts = node.inputs.map((input) => input && visit(input));
    if (parts.some((part) => !part)) return undefined;
    return (block) => f.apply(node.op, parts.map((part) => part?.(block)), node.attrs);
  };
  const build = visit(logits);
  return build && rows.size > 0 ? { rows: [...rows], shared: [...shared], build } : undefined;
}
