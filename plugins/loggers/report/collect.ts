/** Collects a run's events for its report, in bounded memory. */
import type { Named, TrainingEvent } from "../../../core/types.ts";
import { type Analysis, analyze } from "./analysis.ts";
import { type DataEvent, isLeak, withoutTexts } from "./data.ts";
import { type SamplesEvent, withSamples } from "./samples.ts";
import { createSeries, type Point, type SeriesState } from "./series.ts";

/** One evaluation. */
export type Evaluation = Readonly<{ step: number; metrics: Named<number>; best: boolean }>;

/** A task's rows before and after training. */
export type Phases = Readonly<{ before?: Analysis; after?: Analysis }>;

/** Everything on the page, as collected so far. */
export type ReportData =
  & Sums
  & Readonly<{
    start?: EventOf<"start">;
    end?: EventOf<"end">;
    drift?: EventOf<"drift">;
    /** What transforms did to the rows of each split. */
    data: readonly DataEvent[];
    /** Evaluated rows of each task by name; "" if the run has only one. */
    tasks: ReadonlyMap<string, Phases>;
    points: readonly Point[];
    evaluations: readonly Evaluation[];
    /** What language models generated in evaluations. */
    answers: readonly SamplesEvent[];
    warnings: readonly EventOf<"warning">[];
  }>;

/** A collector of events. */
export type Collector = Readonly<{
  log: (event: TrainingEvent) => void;
  collected: () => ReportData;
  /** The state as plain data, for a checkpoint. */
  state: () => CollectorState;
  restore: (state: CollectorState) => void;
}>;

/** The collector's state in a checkpoint, from which a resumed run's report continues. */
export type CollectorState = Readonly<{
  sums: Sums;
  start?: EventOf<"start">;
  drift?: EventOf<"drift">;
  data?: readonly DataEvent[];
  series: SeriesState;
  evaluations: readonly Evaluation[];
  answers?: readonly SamplesEvent[];
  warnings: readonly EventOf<"warning">[];
}>;

type Sums = Readonly<{
  steps: number;
  epoch: number;
  tokens: number;
  samples: number;
  skipped: number;
  /** Useful multiply-adds of all steps. */
  multiplyAdds: number;
  /** Seconds in steps, excluding evaluations and saving. */
  seconds: number;
  /** The number of warnings beyond those kept. */
  moreWarnings: number;
}>;

type EventOf<T extends TrainingEvent["type"]> = Extract<TrainingEvent, { readonly type: T }>;

const POINTS = 2000;
const WARNINGS = 50;

/** Creates a collector; `now` is a clock in milliseconds, `worstRows` the number of rows kept of each phase. */
export function createCollector(now: () => number, worstRows: number): Collector {
  const series = createSeries(POINTS);
  const warnings: EventOf<"warning">[] = [];
  const tasks = new Map<string, Phases>();
  const data = new Map<string, DataEvent>();
  const edges: { start?: EventOf<"start">; end?: EventOf<"end">; drift?: EventOf<"drift"> } = {};
  const sums: { -readonly [K in keyof Sums]: number } = {
    steps: 0,
    epoch: 0,
    tokens: 0,
    samples: 0,
    skipped: 0,
    multiplyAdds: 0,
    seconds: 0,
    moreWarnings: 0,
  };
  let evaluations: Evaluation[] = [];
  let answers: readonly SamplesEvent[] = [];
  let last = now();
  const step = (event: EventOf<"step">): void => {
    const { loss, gradNorm, learningRate } = event;
    series.add({ step: event.step, steps: 1, loss: finite(loss), gradNorm: finite(gradNorm), learningRate });
    sums.tokens += event.tokens;
    sums.samples += event.samples;
    sums.skipped += event.skipped ? 1 : 0;
    sums.multiplyAdds += event.multiplyAdds ?? 0;
    sums.seconds += Math.max(0, now() - last) / 1000;
  };
  return {
    log: (event) => {
      sums.steps = Math.max(sums.steps, event.step);
      sums.epoch = Math.max(sums.epoch, event.epoch);
      if (event.type === "step") step(event);
      else if (event.type === "start") edges.start ??= event;
      else if (event.type === "end") edges.end = event;
      else if (event.type === "peak" && edges.start) {
        edges.start = { ...edges.start, peakMultiplyAddsPerSecond: event.peakMultiplyAddsPerSecond };
      } else if (event.type === "drift") edges.drift = event;
      else if (event.type === "data") data.set(event.what, event);
      else if (event.type === "examples") {
        tasks.set(event.task, { ...tasks.get(event.task), [event.phase]: analyze(event, worstRows) });
      } else if (event.type === "samples") {
        // With 0 rows to show, no texts at all are kept.
        if (worstRows > 0) answers = withSamples(answers, event);
      } else if (event.type === "warning") {
        const told = isLeak(event) && worstRows === 0 ? { ...event, message: withoutTexts(event.message) } : event;
        warnings.length < WARNINGS ? warnings.push(told) : sums.moreWarnings++;
      } else if (event.type === "evaluate") {
        evaluations.push({ step: event.step, metrics: event.metrics, best: event.best });
        // Drops every other evaluation, but keeps the best and the newest.
        if (evaluations.length > POINTS) evaluations = evaluations.filter((e, i) => i % 2 === 1 || e.best);
        if (evaluations.length > POINTS) evaluations = evaluations.filter((_, i) => i % 2 === 1);
      }
      last = now();
    },
    state: () => ({
      sums: { ...sums },
      ...(edges.start ? { start: edges.start } : {}),
      ...(edges.drift ? { drift: edges.drift } : {}),
      ...(data.size > 0 ? { data: [...data.values()] } : {}),
      series: series.state(),
      evaluations: [...evaluations],
      ...(answers.length > 0 ? { answers } : {}),
      warnings: [...warnings],
    }),
    restore: (state) => {
      Object.assign(sums, state.sums);
      if (state.start) edges.start = state.start;
      if (state.drift) edges.drift = state.drift;
      for (const event of state.data ?? []) data.set(event.what, event);
      series.restore(state.series);
      evaluations = [...state.evaluations];
      answers = state.answers ?? [];
      warnings.splice(0, warnings.length, ...state.warnings);
    },
    collected: () => ({
      ...sums,
      ...edges,
      data: [...data.values()],
      tasks,
      points: series.points(),
      evaluations,
      answers,
      warnings,
    }),
  };
}

/** Returns the metrics of all tasks, by their names in evaluations. */
export function metricsOf(tasks: ReadonlyMap<string, Phases>, phase: keyof Phases): Named<number> {
  return Object.fromEntries(
    [...tasks].flatMap(([task, phases]) =>
      Object.entries(phases[phase]?.metrics ?? {}).map((
        [name, value],
      ) => [task === "" ? name : `${task}_${name}`, value])
    ),
  );
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
