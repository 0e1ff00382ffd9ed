/**
 * A check of a weight format's kernels before they are used: a product with one weight, forward and backward, is
 * compared with plain arithmetic. A provider may lack a kernel, or have one that is silently wrong.
 */
import { type AttuneError, refused } from "../base/errors.ts";
import * as f from "../graph/ops/functions.ts";
import { Graph } from "../graph/graph.ts";
import { writeOnnx } from "../onnx/write.ts";
import { createRandom } from "../math/random.ts";
import type {
  EncodedWeight,
  Host,
  LinearWeight,
  MatrixDims,
  Named,
  Ort,
  OrtTensor,
  ProductFormat,
  Tensor,
  TrainedProduct,
  WeightFormat,
} from "../types.ts";
import { lowerCodes } from "./lower/encoded.ts";
import { encodedName, type Storage } from "./lower/storage.ts";
import { lower } from "./lower/lower.ts";

/** An encoded weight to test a format with. */
export type FormatSample = Readonly<{ weight: LinearWeight } & EncodedWeight>;

/** The largest error of exact products, relative to the largest value. */
const ROUNDING = 1e-5;

/** The number of rows of the products. */
const ROWS = 3;

/** Results of checks, by runtime, provider and label. */
const checkedFormats = new WeakMap<object, Map<string, Promise<unknown>>>();

/**
 * Returns a format as far as its kernels work here: without its own products if they fail and decoding will do.
 *
 * @throws AttuneError (`REFUSED`), which names the format, if it does not work here.
 */
export function usableFormat(host: Host, format: WeightFormat, sample: () => FormatSample): Promise<WeightFormat> {
  return once(host, format.label, async () => {
    const { weight, tensors } = sample();
    const problemOf = async (of: WeightFormat): Promise<string | undefined> =>
      await problemWith(host, of, weight, of.decode(tensors, weight.dims), storedAs(host, of, weight, tensors));
    const problem = await problemOf(format);
    if (problem === undefined) return format;
    if (format.otherwise && await problemOf(format.otherwise) === undefined) return format.otherwise;
    const { writeProduct: _, writeTransposedProduct: __, ...decoded } = format;
    // A format's exact product only saves time, so it may be replaced by decoding.
    if (!format.tolerance && await problemOf(decoded) === undefined) return decoded;
    throw notComputed(host, format.label, problem);
  });
}

/**
 * Returns a format of products with trained weights, or its alternative if that one's kernels work here.
 *
 * @throws AttuneError (`REFUSED`), which names the format, if it does not work here.
 */
export function usableProducts(host: Host, format: ProductFormat): Promise<ProductFormat> {
  return once(host, format.label, async () => {
    const values = sampleValues();
    const weight: LinearWeight = { name: "w", module: "w", dims: SAMPLE, conv1d: false };
    const problemOf = async (of: ProductFormat): Promise<string | undefined> =>
      await problemWith(host, of, weight, values, {
        storage: { as: "feed" },
        feeds: { w: new (host.lib as Ort).Tensor("float32", values, SAMPLE) },
        products: new Map([["w", { weight, format: of }]]),
      });
    const problem = await problemOf(format);
    if (problem === undefined) return format;
    if (format.otherwise && await problemOf(format.otherwise) === undefined) return format.otherwise;
    throw notComputed(host, format.label, problem);
  });
}

/** The dims of the weight that kernels are tested with. */
export const SAMPLE: MatrixDims = [32, 64];

/** Returns its values. One output and one input have only the largest value, so that sums are as large as possible. */
export function sampleValues(): Float32Array {
  const random = createRandom(11);
  const [outputs, inputs] = SAMPLE;
  return Float32Array.from(
    { length: outputs * inputs },
    (_, i) => (i < inputs || i % inputs === 0 ? 0.25 : random.normal(i) / 16),
  );
}

function once<T>(host: Host, label: string, make: () => Promise<T>): Promise<T> {
  const lib = host.lib as Ort;
  const checked = checkedFormats.get(lib) ?? new Map<string, Promise<unknown>>();
  checkedFormats.set(lib, checked);
  const key = `${host.provider} ${label}`;
  const check = checked.get(key) ?? make();
  checked.set(key, check);
  // Formats with the same label have the same type.
  return check as Promise<T>;
}

function notComputed({ provider }: Host, label: string, problem: string): AttuneError {
  return refused("accelerator", `"${label}" cannot be computed on ${provider}: ${problem}`);
}

/** The weight of a test session. */
type Tested = Readonly<{
  storage: Storage;
  feeds: Readonly<Record<string, OrtTensor>>;
  products?: ReadonlyMap<string, TrainedProduct>;
}>;

/** Provides an encoded weight as its tensors. */
function storedAs(host: Host, format: WeightFormat, weight: LinearWeight, tensors: Named<Tensor>): Tested {
  const feeds: Record<string, OrtTensor> = {};
  const stored = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, dims, data }]) => {
      const isFed = host.provider === "cpu" && !format.constants?.includes(name);
      if (isFed) feeds[encodedName("w", name)] = new (host.lib as Ort).Tensor(dtype, data, dims);
      return [name, isFed ? { dtype, dims } : { dtype, dims, data }];
    }),
  );
  return { storage: { as: "encoded", weight: { ...weight, conv1d: false }, format, tensors: stored }, feeds };
}

/** Returns what is wrong with products over a weight of these values; undefined: nothing. */
async function problemWith(
  host: Host,
  { tolerance }: Pick<WeightFormat, "tolerance">,
  weight: LinearWeight,
  values: Float32Array,
  tested: Tested,
): Promise<string | undefined> {
  const [outputs, inputs] = weight.dims;
  const random = createRandom(7);
  const drawNormals = (name: string, length: number): Float32Array => {
    const stream = random.fork(name);
    return Float32Array.from({ length }, (_, i) => stream.normal(i));
  };
  // The first row quantizes to the largest integers, if activations are quantized: their sums may saturate.
  const rows = (name: string, width: number): Float32Array => drawNormals(name, ROWS * width).fill(1, 0, width);
  const [x, dy, bias] = [rows("x", inputs), rows("dy", outputs), drawNormals("bias", outputs)];
  const at = (o: number, i: number): number => values[o * inputs + i] as number;
  const y = Float64Array.from({ length: ROWS * outputs }, (_, k) => {
    const [r, o] = [Math.floor(k / outputs), k % outputs];
    let sum = bias[o] as number;
    for (let i = 0; i < inputs; i++) sum += (x[r * inputs + i] as number) * at(o, i);
    return sum;
  });
  const dx = Float64Array.from({ length: ROWS * inputs }, (_, k) => {
    const [r, i] = [Math.floor(k / inputs), k % inputs];
    let sum = 0;
    for (let o = 0; o < outputs; o++) sum += (dy[r * outputs + o] as number) * at(o, i);
    return sum;
  });
  try {
    const results = await products(host, weight, tested, { x, dy, bias });
    return differs("its product", results.y, y, tolerance?.product ?? ROUNDING) ??
      differs("its product backward", results.dx, dx, tolerance?.transposedProduct ?? ROUNDING);
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0] : String(error);
  }
}

function differs(what: string, actual: unknown, expected: Float64Array, bound: number): string | undefined {
  const data = actual as Float32Array;
  const most = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const error = expected.reduce((a, b, i) => Math.max(a, Math.abs(b - Number(data[i]))), 0);
  return error <= bound * most ? undefined : `${what} is wrong by ${(error / most).toExponential(1)} of the largest`;
}

/** Computes x Wᵀ + bias and dy W in a session. */
async function products(
  host: Host,
  weight: LinearWeight,
  { storage, feeds: formatFeeds, products: trained }: Tested,
  operands: Readonly<Record<"x" | "dy" | "bias", Float32Array>>,
): Promise<Readonly<Record<"y" | "dx", unknown>>> {
  const lib = host.lib as Ort;
  const [outputs, inputs] = weight.dims;
  const graph = new Graph();
  const w = graph.parameter("w", "float32", weight.dims);
  const x = graph.input("x", "float32", [ROWS, inputs]);
  const dy = graph.input("dy", "float32", [ROWS, outputs]);
  graph.output("y", f.gemm(x, w, graph.input("bias", "float32", [outputs]), { transB: true }));
  graph.output("dx", f.gemm(dy, w));
  const feeds: Record<string, OrtTensor> = {
    ...formatFeeds,
    x: new lib.Tensor("float32", operands.x, [ROWS, inputs]),
    dy: new lib.Tensor("float32", operands.dy, [ROWS, outputs]),
    bias: new lib.Tensor("float32", operands.bias, [outputs]),
  };
  const { model } = lower(
    graph,
    (name) => (name === "w" ? storage : { as: "feed" }),
    host.provider,
    undefined,
    lowerCodes(trained),
  );
  const session = await lib.InferenceSession.create(writeOnnx(model), {
    executionProviders: [host.provider],
    graphOptimizationLevel: "disabled",
    // Fatal messages only: failures are reported by name.
    logSeverityLevel: 4,
  });
  try {
    const results: Named<OrtTensor> = await session.run(feeds);
    return { y: results.y?.data, dx: results.dx?.data };
  } finally {
    await session.release();
  }
}
