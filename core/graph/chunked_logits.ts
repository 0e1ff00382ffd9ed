/**
 * Log-probabilities over very many classes, a block of rows at a time, so that the full logits never exist in memory.
 *
 * A loss needs only a few numbers per row of logits [n, classes]. In training, each block of rows is scored and its
 * gradient passed back through the head before the next block is computed, so that nothing is computed twice (as in
 * Liger Kernel, Hsu et al. 2024).
 */
import { type Dim, splitDim } from "./ops/dims.ts";
import * as f from "./ops/functions.ts";
import type { Graph, Node, Value } from "./graph.ts";
import { opTable } from "./ops/table.ts";
import { backward } from "./autodiff.ts";

/** Logits of more classes than this are computed in blocks, if they are also wider than their inputs. */
const CLASSES_LIMIT = 4096;

/** How many blocks rows are cut into, and the fewest rows of a block: if rows are few, the last blocks are empty. */
const BLOCKS = 16;
const LEAST_ROWS = 128;

/** Scores of each row [n]: ln p of its label, the mean of ln p over all classes, the likeliest class (as float32). */
export type ClassScores = Readonly<{ label: Value; mean: Value | undefined; best: Value | undefined }>;

/** The scores that will be read in addition to `label`. */
export type RequestedScores = Readonly<{ mean: boolean; best: boolean }>;

/** How logits are computed: from values with one row per row of logits, and from values that all rows share. */
type Recipe = Readonly<{
  rows: readonly Value[];
  shared: readonly Value[];
  /** Builds the logits of a block, given the block's rows of each value in `rows`. */
  build: (block: ReadonlyMap<Value, Value>) => Value;
}>;

const cachedScores = new WeakMap<Graph, Map<string, ClassScores>>();

/**
 * Builds the scores of logits [n, classes] for labels [n] int32 in blocks of rows. Returns undefined if blocks do not
 * pay or are impossible: at most `limit` classes, or logits that are not computed row by row from narrower values.
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
  // A block's scores are joined in one tensor: otherwise a score that is read later would keep the whole block alive.
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

/** Adds a gradient to a sum. A product is accumulated into the sum, which saves one more tensor of the head's size. */
function addedTo(sum: Value, x: Value): Value {
  const node = x.graph.producer(x);
  if (node?.op !== "Gemm" || node.inputs[2]) return f.add(sum, x);
  return f.apply("Gemm", [node.inputs[0], node.inputs[1], sum], (node as Node<"Gemm">).attrs);
}

/** Gradients after some blocks: of their rows, summed for shared values, and values that the next block waits for. */
type BlockGradients = Readonly<{
  rows: readonly (readonly (Value | undefined)[])[];
  shared: readonly (Value | undefined)[];
  gate: readonly Value[];
}>;

/**
 * Builds the gradient of a block's logits, onehot · dOwn + dMean / classes - p (dOwn + dMean). It depends on `gate`: on
 * the results of the block before, so that the runtime never holds two blocks, and on the block's own scores, after
 * which the log-probabilities are no longer read. (The runtime executes the operand that was added last first, and of a
 * gate its second value: the gradients, so that no scores are computed before their turn.)
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

/** Returns the row-wise part of a value's computation, back to its matrix products; undefined if it is not row-wise. */
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
