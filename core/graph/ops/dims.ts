/** Symbolic dims: sums of products of names, such as "batch*seq" or "seq+8", in one canonical spelling. */

/** A size: a number, or an expression over names whose values each run supplies. */
export type Dim = number | string;

/** Sizes of a tensor, in order. */
export type Shape = readonly Dim[];

/** The values of the names in symbolic dims in one run. */
export type DimValues = Readonly<Record<string, number>>;

/** Returns the name of the dim that counts the places of a row, on the input or the decoder side. */
export function seqDim(side: "input" | "decoder" = "input"): string {
  return side === "decoder" ? "decoderSeq" : "seq";
}

/** Returns the product of two dims. */
export function mulDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const product = new Map<string, number>();
  for (const [m, c] of terms(a)) {
    for (const [n, d] of terms(b)) {
      const key = [...m.split("*"), ...n.split("*")].filter((s) => s !== "").sort().join("*");
      product.set(key, (product.get(key) ?? 0) + c * d);
    }
  }
  return spell(product);
}

/** Returns the sum of two dims. */
export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const sum = new Map(terms(a));
  for (const [m, c] of terms(b)) sum.set(m, (sum.get(m) ?? 0) + c);
  return spell(sum);
}

/** Returns the product of all dims of a shape. */
export function sizeOfShape(shape: Shape): Dim {
  return shape.reduce<Dim>(mulDims, 1);
}

/**
 * Returns the offsets at which blocks of `dim` rows begin, the first at 0. Each block has at least `least` rows, so the
 * last ones are empty if rows are few. Returns undefined unless the dim is a number or a single name.
 */
export function splitDim(dim: Dim, blocks: number, least: number): readonly Dim[] | undefined {
  if (typeof dim === "string" && /[*+@]/.test(dim)) return undefined;
  return Array.from(
    { length: blocks },
    (_, i): Dim =>
      i === 0 ? 0 : typeof dim === "number" ? blockStart(dim, i, blocks, least) : `${dim}@${i}/${blocks}/${least}`,
  );
}

function blockStart(rows: number, block: number, blocks: number, least: number): number {
  return Math.min(rows, block * Math.max(least, Math.ceil(rows / blocks)));
}

/** Returns the value of a name, or the offset of a block ("rows@3/16/128": block 3 of 16 with at least 128 rows). */
function valueOf(name: string, values: DimValues): number {
  const [symbol = "", place] = name.split("@");
  const value = values[symbol];
  if (value === undefined) throw new RangeError(`Dim "${name}" has no value; known: ${Object.keys(values)}`);
  if (place === undefined) return value;
  const [block = 0, blocks = 1, least = 1] = place.split("/").map(Number);
  return blockStart(value, block, blocks, least);
}

/** Evaluates a dim. Throws RangeError if a name has no value. */
export function evaluateDim(dim: Dim, values: DimValues): number {
  if (typeof dim === "number") return dim;
  let total = 0;
  for (const [monomial, count] of terms(dim)) {
    let product = count;
    for (const name of monomial.split("*")) {
      if (name !== "") product *= valueOf(name, values);
    }
    total += product;
  }
  return total;
}

/** Evaluates the dims of a shape. */
export function evaluateShape(shape: Shape, values: DimValues): number[] {
  return shape.map((dim) => evaluateDim(dim, values));
}

/** Whether two shapes have the same dims, symbolic ones included. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** Replaces a name inside a dim, such as "seq" by "picks" in "batch*seq". */
export function renameDim(dim: Dim, from: string, to: string): Dim {
  if (typeof dim === "number") return dim;
  const renamed = new Map<string, number>();
  for (const [monomial, count] of terms(dim)) {
    const key = monomial.split("*").map((s) => (s === from ? to : s)).sort().join("*");
    renamed.set(key, (renamed.get(key) ?? 0) + count);
  }
  return spell(renamed);
}

/** A cache of parsed dims: a graph has few different ones, and parses each thousands of times. */
const cachedTerms = new Map<string, ReadonlyMap<string, number>>();
const MOST_KNOWN = 4096;

function terms(dim: Dim): ReadonlyMap<string, number> {
  if (typeof dim === "number") return new Map([["", dim]]);
  const before = cachedTerms.get(dim);
  if (before) return before;
  if (cachedTerms.size >= MOST_KNOWN) cachedTerms.clear();
  const map = new Map<string, number>();
  cachedTerms.set(dim, map);
  for (const term of dim.split("+")) {
    const factors = term.split("*");
    const names = factors.filter((f) => !/^-?\d+$/.test(f));
    const count = factors.filter((f) => /^-?\d+$/.test(f)).reduce((c, f) => c * Number(f), 1);
    const key = names.sort().join("*");
    map.set(key, (map.get(key) ?? 0) + count);
  }
  return map;
}

function spell(map: ReadonlyMap<string, number>): Dim {
  const parts = [...map].filter(([, c]) => c !== 0).sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
  if (parts.length === 0) return 0;
  const first = parts[0];
  if (parts.length === 1 && first && first[0] === "") return first[1];
  return parts.map(([m, c]) => (m === "" ? `${c}` : c === 1 ? m : `${c}*${m}`)).join("+");
}
