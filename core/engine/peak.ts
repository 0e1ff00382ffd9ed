/** The machine's peak: multiply-adds per second of ONNX Runtime's float32 matrix product. */
import { releaseBuffer } from "../base/bytes.ts";
import * as f from "../graph/ops/functions.ts";
import { Graph } from "../graph/graph.ts";
import { writeOnnx } from "../onnx/write.ts";
import type { Host, Ort, OrtTensor } from "../types.ts";
import { lower } from "./lower/lower.ts";

/** The measured product, [rows, INNER] by [INNER, COLUMNS]: a typical size in layers of a small language model. */
const [INNER, COLUMNS] = [576, 1536];
const [FEWEST_ROWS, MOST_ROWS] = [64, 1024];

/** The most milliseconds for one product, and for all of them. */
const PRODUCT_MS = 20;
const ALL_MS = 60;

/**
 * Measures the multiply-adds per second of a float32 product with the run's runtime and threads: the fastest of
 * several, with fewer rows on slow machines, in less than a tenth of a second. Undefined without a runtime.
 */
export async function measurePeak(host: Host): Promise<number | undefined> {
  const lib: Ort | undefined = host.lib;
  if (!lib) return undefined;
  const graph = new Graph();
  const product = f.matmul(
    graph.input("x", "float32", ["batch", INNER]),
    graph.input("weight", "float32", [INNER, COLUMNS]),
  );
  // Only one row is output, so that the others are not copied.
  graph.output("y", f.slice(product, 0, 0, 1));
  const { model } = lower(graph, () => ({ as: "feed" }), host.provider);
  const session = await lib.InferenceSession.create(writeOnnx(model), {
    executionProviders: [host.provider],
    graphOptimizationLevel: "disabled",
    enableMemPattern: false,
    ...(host.threads === undefined ? {} : { intraOpNumThreads: host.threads }),
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
  const filled = (rows: number, columns: number): OrtTensor =>
    new lib.Tensor("float32", new Float32Array(rows * columns).fill(1 / 3), [rows, columns]);
  const weight = filled(INNER, COLUMNS);
  const timed = async (x: OrtTensor): Promise<number> => {
    const start = host.clock.now();
    await session.run({ x, weight });
    return host.clock.now() - start;
  };
  try {
    const few = filled(FEWEST_ROWS, INNER);
    const first = Math.min(await timed(few), await timed(few));
    const blocks = Math.floor(PRODUCT_MS / Math.max(first, PRODUCT_MS / (MOST_ROWS / FEWEST_ROWS)));
    const rows = FEWEST_ROWS * Math.max(1, blocks);
    const x = filled(rows, INNER);
    let [least, all] = [Infinity, 0];
    while (all < ALL_MS) {
      const ms = await timed(x);
      all += Math.max(ms, 1);
      least = Math.min(least, ms);
    }
    for (const { data } of [weight, few, x]) releaseBuffer(data as Float32Array);
    return 1000 * rows * INNER * COLUMNS / Math.max(least, 1e-3);
  } finally {
    await session.release();
  }
}
