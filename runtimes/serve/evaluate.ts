/**
 * `/v1/evaluate`: metrics of predictions and references (in one body or as a stream of lines), or of a model over rows.
 */
import * as v from "valibot";
import { type AttuneError, badValue } from "../../core/base/errors.ts";
import { resolvePart } from "../../core/spec/resolve_part.ts";
import {
  labelNames,
  measurer,
  type MetricAccumulator,
  type PlainRow,
} from "../../core/evaluation/metric_accumulator.ts";
import { intervalsOutside, withIntervals } from "../../core/statistics/figures.ts";
import { evaluateRows, resamplingOf } from "../../core/evaluation/evaluate_rows.ts";
import { RESAMPLES } from "../../core/statistics/resamples.ts";
import { listNewParts } from "../../core/run/open/new_parts.ts";
import { measureRun } from "../../core/run/evaluate/evaluate.ts";
import { type OpenRun, openRun } from "../../core/run/open/open.ts";
import type { Dataset, Json, Metric, Named } from "../../core/types.ts";
import { checked, httpError } from "../http/responses.ts";
import { parseJson } from "../http/body.ts";
import { namedRun } from "./named_run.ts";
import type { EdgeContext, Route } from "../http/route.ts";
import type { EdgeService } from "./service.ts";

const use = v.union([
  v.pipe(v.string(), v.maxLength(100)),
  v.strictObject({ use: v.pipe(v.string(), v.maxLength(100)), with: v.optional(v.record(v.string(), v.unknown())) }),
], "a name, or { use, with }, is expected");
const metrics = v.pipe(v.array(use), v.minLength(1), v.maxLength(50));
const labels = v.optional(v.pipe(v.array(v.string()), v.maxLength(10_000)));
const intervals = v.optional(
  v.union([
    v.boolean(),
    v.strictObject({
      samples: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000)), RESAMPLES),
      confidence: v.optional(v.pipe(v.number(), v.gtValue(0), v.ltValue(1)), 0.95),
      seed: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 42),
    }),
  ]),
  false,
);
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(200));

/** Predictions with the same number of references. `scores`: for each row the scores of its classes. */
const pairsSchema = v.strictObject({
  metrics,
  labels,
  intervals,
  predictions: v.optional(v.array(v.unknown())),
  references: v.optional(v.array(v.unknown())),
  scores: v.optional(v.array(v.unknown())),
  noAnswerProbabilities: v.optional(v.array(v.number())),
  /** The values of each column, one for each row, by the column's name. */
  groups: v.optional(v.record(v.pipe(v.string(), v.maxLength(200)), v.array(v.unknown()))),
});
/** Rows to be predicted by a model; absent metrics are the task's own. */
const rowsSchema = v.strictObject({
  metrics: v.optional(metrics),
  model: name,
  adapter: v.optional(name),
  task: use,
  intervals,
  rows: v.pipe(v.array(v.record(v.string(), v.unknown())), v.minLength(1)),
});
const bodySchema = v.union([pairsSchema, rowsSchema]);
/** The settings of a stream: from the query, or from its first line. */
const streamSchema = v.strictObject({ metrics, labels, intervals });
const lineSchema = v.looseObject({
  prediction: v.optional(v.unknown()),
  reference: v.optional(v.unknown()),
  scores: v.optional(v.unknown()),
  noAnswerProbability: v.optional(v.number()),
  groups: v.optional(v.record(v.string(), v.unknown())),
});

const number = v.nullable(v.number());
/** The response's schema, for /openapi.json. */
const answerSchema = v.object({
  /** Numbers; for metrics by group, objects of figures. */
  metrics: v.record(v.string(), v.unknown()),
  intervals: v.optional(v.record(v.string(), v.object({ low: number, high: number }))),
  labels,
  /** New parts, such as a head, of which no file has weights: they are random. */
  newParameters: v.optional(v.array(v.string())),
});

/** Limits of what the listening thread computes: bytes of a body, products of texts' lengths, resampled values. */
const [LIGHT, PRODUCT, DRAWS] = [2 ** 15, 2 ** 20, 2 ** 15];

/** Whether a request is computed quickly, whatever its metrics. */
function isLight(body: unknown): boolean {
  const { model, rows, predictions, references, intervals } = Object(body) as Record<string, unknown>;
  if (model !== undefined || rows !== undefined) return false;
  if (!Array.isArray(predictions) || !Array.isArray(references)) return true;
  const { samples = RESAMPLES } = Object(intervals) as { samples?: unknown };
  if (intervals && Number(samples) * predictions.length > DRAWS) return false;
  let product = 0;
  for (const [i, one] of predictions.entries()) product += lengthOf(one) * lengthOf(references[i]);
  return product <= PRODUCT;
}

/** Returns the length of a value for a metric that compares texts or lists. */
function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((n: number, item) => n + lengthOf(item), 0);
  return typeof value === "string" ? value.length : 1;
}

/** Returns the route. */
export function evaluateRoutes(service: EdgeService): readonly Route[] {
  const { limits } = service;
  return [{
    method: "post",
    path: "/v1/evaluate",
    policy: "evaluate",
    rate: "heavy",
    maxBytes: {
      "application/json": limits.bodyBytes,
      "application/x-ndjson": limits.linesBytes,
      "application/jsonl": limits.linesBytes,
    },
    seconds: 10 * limits.bodySeconds,
    work: { lane: "compute", bytes: LIGHT, isLight },
    summary: "Compute metrics of predictions and references, or of a model on rows",
    description: "JSON, or JSON lines of {prediction, reference}; the first line or the query names the metrics.",
    accepts: { "application/json": bodySchema, "application/x-ndjson": lineSchema },
    answers: { "application/json": answerSchema },
    example: {
      metrics: ["accuracy", { use: "f1", with: { average: "macro" } }],
      predictions: [0, 1, 1, 0],
      references: [0, 1, 0, 0],
      intervals: { seed: 7 },
    },
    query: { metrics: "names separated by commas, or JSON", labels: "JSON", intervals: "JSON" },
    handle: (c) => (c.get("incoming").type === "application/json" ? evaluateJson(c, service) : streamed(c, service)),
  }];
}

async function evaluateJson(c: EdgeContext, service: EdgeService): Promise<Response> {
  const any = await c.get("incoming").json(v.record(v.string(), v.unknown()));
  if ("model" in any || "rows" in any) return await ofModel(c, service, checked(rowsSchema, any));
  const body = checked(pairsSchema, any);
  const rows = rowsOf(body);
  const own = metricsOf(service, body.metrics);
  const names = body.labels ?? (own.some((m) => readsClasses(m)) ? labelNames(rows) : undefined);
  const measured = measurer(own, {
    ...(names ? { labels: names } : {}),
    keep: body.intervals !== false,
    maxSteps: service.limits.steps,
  });
  for (const row of rows) measured.add(row);
  return c.json({ ...answerOf(measured, body.intervals), ...(names ? { labels: names } : {}) });
}

async function streamed(c: EdgeContext, service: EdgeService): Promise<Response> {
  const query = Object.entries(c.req.query());
  const asked = query.length > 0 ? checked(streamSchema, Object.fromEntries(query.map(queried))) : undefined;
  let [measured, how] = [asked && measurerOf(service, asked), asked?.intervals];
  for await (const line of c.get("incoming").lines(lineSchema)) {
    if (measured) measured.add(line);
    else {
      const first = checked(streamSchema, line, "line 1");
      [measured, how] = [measurerOf(service, first), first.intervals];
    }
  }
  if (!measured) {
    throw httpError(
      400,
      "missing_metrics",
      "metrics are missing: name them in the query or in the first line",
      "metrics",
    );
  }
  return c.json(answerOf(measured, how ?? false));
}

async function ofModel(
  c: EdgeContext,
  service: EdgeService,
  { metrics, rows, intervals: how, ...named }: v.InferOutput<typeof rowsSchema>,
): Promise<Response> {
  const { run, host } = await namedRun(service, c.get("caller"), {
    ...named,
    task: named.task as Json,
    metrics: metrics as Json | undefined,
    rows,
  });
  const open = await openRun(run, host);
  const found = open.data.eval && await rowsMeasured(open, open.data.eval, how);
  const figures: Named<number> = found?.metrics ?? {};
  if (figures.loss !== undefined && !Number.isFinite(figures.loss)) {
    const why = "its loss is not finite: the model's weights, or an adapter's, are too large or damaged";
    throw httpError(400, "not_finite", `model: ${why}`, "model");
  }
  const newParameters = listNewParts(open);
  return c.json({ ...found?.answer, ...(newParameters.length > 0 ? { newParameters } : {}) });
}

/** Evaluates a model on rows, with the requested intervals. */
async function rowsMeasured(
  open: OpenRun,
  data: Dataset,
  how: v.InferOutput<typeof intervals>,
): Promise<Readonly<{ metrics: Named<number>; answer: Named<unknown> }>> {
  if (how === false) {
    const { metrics, figures } = await measureRun(open, data, { untrained: true });
    return { metrics, answer: { metrics: { ...metrics, ...figures } } };
  }
  const found = await evaluateRows(open, data, { untrained: true, ...wantedBy(how) });
  const outside = Object.entries(intervalsOutside(found.intervals)).map(([key, { low, high }]) => [key, { low, high }]);
  const flat = new Set(outside.map(([key]) => `${key}_interval`));
  // Figures that are plain numbers are separate, as they are for pairs.
  const metrics = Object.fromEntries(Object.entries(found.figures).filter(([key]) => !flat.has(key)));
  return { metrics: found.metrics, answer: { metrics, intervals: Object.fromEntries(outside) } };
}

/** Converts the requested intervals to options of an evaluation. */
function wantedBy(
  how: v.InferOutput<typeof intervals>,
): Readonly<{ intervals: number; confidence?: number; seed?: number }> {
  const { samples = RESAMPLES, ...own } = typeof how === "object" ? how : {};
  return { intervals: samples, ...own };
}

function measurerOf(service: EdgeService, asked: v.InferOutput<typeof streamSchema>): MetricAccumulator {
  const { metrics, labels, intervals } = asked;
  return measurer(metricsOf(service, metrics), {
    ...(labels ? { labels } : {}),
    keep: intervals !== false,
    maxSteps: service.limits.steps,
  });
}

function answerOf(measured: MetricAccumulator, how: v.InferOutput<typeof intervals>): Named<unknown> {
  const [values, figures] = [measured.compute(), measured.figures()];
  if (how === false) return { metrics: { ...values, ...figures } };
  const intervals = measured.intervals(resamplingOf(wantedBy(how)));
  const outside = Object.entries(intervalsOutside(intervals)).filter(([key]) => !Object.hasOwn(figures, key));
  return {
    metrics: { ...values, ...withIntervals(figures, intervals) },
    intervals: Object.fromEntries(outside),
  };
}

function metricsOf({ options: { catalog } }: EdgeService, uses: v.InferOutput<typeof metrics>): Metric[] {
  return uses.map((part, i) => {
    const issues: AttuneError[] = [];
    const metric = resolvePart("metric", part, `metrics.${i}`, { catalog, issues });
    if (metric && issues.length === 0) return metric;
    throw issues[0] ?? badValue("evaluate", `metrics.${i}`, part, "a metric");
  });
}

function rowsOf(body: v.InferOutput<typeof pairsSchema>): PlainRow[] {
  const columns = {
    prediction: ["predictions", body.predictions],
    reference: ["references", body.references],
    scores: ["scores", body.scores],
    noAnswerProbability: ["noAnswerProbabilities", body.noAnswerProbabilities],
  } as const;
  const given = Object.values(columns).filter(([, values]) => values !== undefined);
  const length = given[0]?.[1]?.length;
  if (length === undefined) throw httpError(400, "invalid_value", "predictions are missing", "predictions");
  for (const [param, values] of given) {
    if (values?.length === length) continue;
    const wanted = `expected as many values as ${given[0]?.[0]}, ${length}, but found ${values?.length}`;
    throw httpError(400, "invalid_value", `${param}: ${wanted}`, param);
  }
  for (const [column, values] of Object.entries(body.groups ?? {})) {
    if (values.length === length) continue;
    const wanted = `expected as many values as ${given[0]?.[0]}, ${length}, but found ${values.length}`;
    throw httpError(400, "invalid_value", `groups.${column}: ${wanted}`, "groups");
  }
  const groups = Object.entries(body.groups ?? {});
  const keys = Object.entries(columns).filter(([, [, values]]) => values !== undefined);
  // All objects have the same shape, since there may be as many as fit in a body.
  return Array.from({ length }, (_, i) => {
    const row: Record<string, unknown> = {};
    for (const [key, [, values]] of keys) row[key] = values?.[i];
    if (groups.length > 0) row.groups = Object.fromEntries(groups.map(([column, values]) => [column, values[i]]));
    return row as PlainRow;
  });
}

/** Parses a value of the query: JSON, or for metrics also names separated by commas. */
function queried([key, value]: readonly [string, string]): [string, unknown] {
  if (key === "metrics" && !value.startsWith("[")) return [key, value.split(",")];
  return [key, parseJson(new TextEncoder().encode(value), key)];
}

function readsClasses({ reads }: Metric): boolean {
  return reads.includes("label") || reads.includes("labels");
}
