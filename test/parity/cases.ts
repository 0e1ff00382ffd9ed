/** One reference case: a run, held against torch's figures. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compose } from "../../core/spec/compose.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { readSpec } from "../../runtimes/host/spec_file.ts";
import type { Item } from "./main.ts";

type Evaluation = Readonly<{ loss: number; mask?: readonly number[] }> & Readonly<Record<string, unknown>>;
type Logits = Readonly<{ dims: readonly number[]; values: readonly number[] }>;
type Noise = Readonly<{ losses?: number; gradNorms?: number; evalLoss?: number; logits?: number }>;
type Expected = Readonly<{
  losses: readonly number[];
  gradNorms: readonly number[];
  learningRates: readonly number[];
  tokenization?: readonly (readonly number[])[];
  tokenizationLabels?: readonly (readonly number[])[];
  features?: number;
  eval?: Evaluation;
  noise?: Noise;
}>;
type Probe = Readonly<{ tokenization?: unknown; tokenizationLabels?: unknown; features?: number; eval?: Evaluation }>;

/** Runs a case and compares every figure. */
export async function checkCase(folder: string, name: string): Promise<Item> {
  const expected: Expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
  const output = mkdtempSync(join(tmpdir(), "attune-parity-"));
  try {
    const run = compose(await readSpec(join(folder, "spec.json")) as unknown as RunSpec, catalog);
    const host = await hostHere();
    const losses: number[] = [];
    const gradNorms: number[] = [];
    const learningRates: number[] = [];
    for await (const event of trainRun(run, host, { output: host.directory?.(output), probe: true })) {
      if (event.type !== "step") continue;
      losses.push(event.loss);
      gradNorms.push(event.gradNorm);
      learningRates.push(event.learningRate);
    }
    const probe: Probe = JSON.parse(readFileSync(join(output, "probe.json"), "utf8"));
    const noise = expected.noise ?? {};
    const worst = [
      largest(
        "loss",
        losses,
        expected.losses,
        (x) => Math.max(1e-5 * Math.max(1, Math.abs(x)), 10 * (noise.losses ?? 0)),
      ),
      largest(
        "gradNorm",
        gradNorms,
        expected.gradNorms,
        (x) => Math.abs(x) * Math.max(1e-4, 10 * (noise.gradNorms ?? 0)),
      ),
      largest("learningRate", learningRates, expected.learningRates, (x) => Math.max(1e-9 * Math.abs(x), 1e-15)),
      ...evaluations(probe.eval, expected.eval, noise, shifting.includes(run.task.name)),
      ...same("tokenization", probe.tokenization, expected.tokenization),
      ...same("tokenizationLabels", probe.tokenizationLabels, expected.tokenizationLabels),
      ...same("features", probe.features, expected.features),
    ];
    const failed = worst.filter((w) => !(w.share <= 1));
    const detail = (failed.length > 0 ? failed : worst).map((w) => `${w.what} ${w.detail}`).join("; ");
    return { name, status: failed.length > 0 ? "differs" : "ok", detail };
  } catch (error) {
    const unbuilt = error instanceof AttuneError && ["BAD_SPEC", "UNKNOWN_NAME", "UNSUPPORTED"].includes(error.code);
    const message = error instanceof Error ? error.message.replaceAll("\n", " ") : String(error);
    return { name, status: unbuilt ? "missing" : "differs", detail: message.slice(0, 240) };
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}

type Worst = Readonly<{ what: string; share: number; detail: string }>;

/** The element that uses most of what it may differ by. */
function largest(
  what: string,
  actual: readonly number[],
  wanted: readonly number[],
  allowed: (wanted: number) => number,
): Worst {
  if (actual.length !== wanted.length) {
    return { what, share: Infinity, detail: `has ${actual.length} values, not ${wanted.length}` };
  }
  let worst: Worst = { what, share: 0, detail: "equal" };
  wanted.forEach((want, i) => {
    const difference = Math.abs((actual[i] ?? NaN) - want);
    const share = difference === 0 ? 0 : difference / allowed(want);
    if (!(share <= worst.share)) {
      worst = {
        what,
        share,
        detail: `${difference.toExponential(1)} (${Math.round(100 * share)} % of the limit) at ${i}`,
      };
    }
  });
  return worst;
}

/** Tasks that a constant added to a row's logits does not change, so that Adam moves it by rounding alone. */
const shifting: readonly string[] = ["question-answering", "multiple-choice"];

function evaluations(
  evaluation: Evaluation | undefined,
  wanted: Evaluation | undefined,
  noise: Noise,
  centred: boolean,
): Worst[] {
  if (!wanted) return [];
  const results = [
    largest(
      "eval loss",
      [evaluation?.loss ?? NaN],
      [wanted.loss],
      (x) => Math.max(1e-5 * Math.max(1, Math.abs(x)), 10 * (noise.evalLoss ?? 0)),
    ),
  ];
  for (const [name, value] of Object.entries(wanted)) {
    if (!name.toLowerCase().endsWith("logits")) continue;
    const [want, have] = [value, evaluation?.[name]].map((logits) =>
      centred && logits ? withoutMeans(logits as Logits) : logits
    ) as [Logits, Logits | undefined];
    const width = want.dims.length > 2 ? want.dims.at(-1) ?? 1 : 1;
    const counts = (i: number): boolean => wanted.mask === undefined || wanted.mask[Math.floor(i / width)] === 1;
    const counted = want.values.map((_, i) => i).filter(counts);
    results.push(
      largest(
        name,
        counted.map((i) => have?.values[i] ?? NaN),
        counted.map((i) => want.values[i] ?? NaN),
        () => Math.max(1e-4, 10 * (noise.logits ?? 0)),
      ),
      ...same(`${name} dims`, have?.dims, want.dims),
    );
  }
  return results;
}

/** Each row less its mean. */
function withoutMeans({ dims, values }: Logits): Logits {
  const width = dims.at(-1) ?? 1;
  return {
    dims,
    values: values.map((x, i) => {
      const row = values.slice(i - (i % width), i - (i % width) + width);
      return x - row.reduce((a, b) => a + b, 0) / row.length;
    }),
  };
}

function same(what: string, actual: unknown, wanted: unknown): Worst[] {
  if (wanted === undefined) return [];
  const equal = JSON.stringify(actual) === JSON.stringify(wanted);
  return [{
    what,
    share: equal ? 0 : Infinity,
    detail: equal ? "equal" : `found ${JSON.stringify(actual)?.slice(0, 60)}`,
  }];
}
