/**
 * Progress of a run on the console.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { whatOf } from "../../core/run/write/final_figures.ts";
import { driftText } from "../../core/run/write/drift_text.ts";
import type { Factory, Host, LogWriter, Run, TrainingEvent } from "../../core/types.ts";
import { bar, duration, fit, metricsText, printable, short, wholeText } from "./console/text.ts";
import { type LoggedSteps, loggingInterval, stepMeter } from "../../blocks/logger/mod.ts";

/** Options of {@link consoleLogger}. */
export interface ConsoleOptions {
  /** Smoothing of the loss in the progress bar: the weight of earlier steps, from 0 to 1. */
  readonly smoothing: number;
}

type Terminal = NonNullable<Host["terminal"]>;
type Event<T extends TrainingEvent["type"]> = Extract<TrainingEvent, { type: T }>;

/** Milliseconds between updates of the bar. */
const REDRAW = 80;
/** Moves to the start of the line, and clears the line. */
const CLEAR = "\r\x1b[K";

/**
 * The progress of a run for people: on a terminal, a bar with loss, learning rate and time left, and a line per
 * evaluation; elsewhere, a line every `training.loggingSteps`. Writes to `host.terminal`, and nothing if there is
 * none.
 *
 * @example
 * ```ts
 * import { consoleLogger } from "attune/loggers/console";
 * console.assert(consoleLogger().name === "console");
 * ```
 */
export const consoleLogger: Factory<"logger", Partial<ConsoleOptions>> = define({
  kind: "logger",
  name: "console",
  schema: v.strictObject({ smoothing: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0.9) }),
  create: ({ smoothing }: ConsoleOptions) => ({
    open: async (host, run) => (host.terminal ? consoleSink(host.terminal, host.clock, run, smoothing) : silent),
  }),
});

const silent: LogWriter = { log: () => {}, close: async () => {} };

/** Prints lines and, on a terminal, a bar below them; `draw` skips updates that follow too soon. */
function screenOf(terminal: Terminal): Readonly<{
  line: (text: string) => void;
  draw: (parts: readonly string[], now: number, must: boolean) => void;
  clear: () => void;
}> {
  let bar = "";
  let drawnAt = -Infinity;
  return {
    line: (text) => terminal.write(terminal.isTerminal ? `${CLEAR}${text}\n${bar}` : `${text}\n`),
    draw: (parts, now, must) => {
      if (!terminal.isTerminal || (!must && now - drawnAt < REDRAW)) return;
      drawnAt = now;
      bar = fit(parts, Math.max(10, terminal.columns - 1));
      terminal.write(CLEAR + bar);
    },
    clear: () => {
      if (bar !== "") terminal.write(CLEAR);
      bar = "";
    },
  };
}

/** Creates the sink of {@link consoleLogger}, given a run's name and its logging interval. */
export function consoleSink(
  terminal: Terminal,
  clock: Host["clock"],
  run: Pick<Run, "name" | "training">,
  smoothing: number = 0.9,
): LogWriter {
  const interval = loggingInterval(run.training);
  const meter = stepMeter(smoothing);
  let totalSteps = 0;
  let peak: number | undefined;
  let startedAt = clock.now();
  const { line, draw, clear } = screenOf(terminal);
  const speed = (step: number): string[] => {
    const [rate, left] = [meter.rate(), meter.millisecondsLeft(totalSteps - step)];
    return [
      ...(rate === undefined ? [] : [`${wholeText(rate)} tokens/s`]),
      ...(left === undefined ? [] : [`${duration(left)} left`]),
    ];
  };
  const row = (logged: LoggedSteps | undefined): void => {
    if (!logged || terminal.isTerminal) return;
    const { step, epoch, loss, gradNorm, learningRate } = logged;
    line([
      `${stepText(step, totalSteps)}  epoch ${epoch.toFixed(2)}  loss ${short(loss)}  grad ${short(gradNorm)}  lr ${
        short(learningRate)
      }`,
      ...speed(step),
      ...workText(meter.work(), peak),
    ].join("  "));
  };
  const stepped = ({ step, epoch, loss, tokens, learningRate, multiplyAdds }: Event<"step">): void => {
    const now = clock.now();
    meter.step(now, tokens, loss, multiplyAdds);
    const width = Math.min(30, Math.max(8, terminal.columns - 70));
    draw(
      [
        `${bar(step, totalSteps, width)} ${stepText(step, totalSteps)}`,
        `loss ${short(meter.loss() ?? loss)}`,
        ...speed(step).reverse(),
        `lr ${short(learningRate)}`,
        `epoch ${epoch.toFixed(2)}`,
        ...workText(meter.work(), peak),
      ],
      now,
      step === totalSteps,
    );
  };
  const progress = ({ what, done, total }: Event<"progress">): void => {
    const count = total > 0 ? `${wholeText(done)}/${wholeText(total)}` : wholeText(done);
    if (terminal.isTerminal) {
      draw([`${printable(what)} ${bar(done, total, 12)} ${count}`], clock.now(), done >= total);
    } else if (done >= total) line(`${printable(what)} ${count}`);
  };
  // Lines about a step must follow the line with its loss, which may come later: until then they wait.
  const waiting: string[] = [];
  const tell = (text: string, step: number): void => {
    if (step >= totalSteps) row(interval.flush());
    if (terminal.isTerminal || step >= totalSteps) line(text);
    else waiting.push(text);
  };
  const report = (): void => {
    for (const text of waiting.splice(0)) line(text);
  };
  const log = (event: TrainingEvent): void => {
    if (event.type === "step" || event.type === "progress") report();
    row(interval.see(event));
    if (event.type === "step") return stepped(event);
    if (event.type === "progress") return progress(event);
    if (event.type === "start" || event.type === "peak") peak = event.peakMultiplyAddsPerSecond;
    if (event.type === "start") {
      totalSteps = event.totalSteps;
      startedAt = clock.now();
      clear();
      line(startText(event, run.name));
    } else if (event.type === "evaluate") {
      tell(
        `${stepText(event.step, totalSteps)}  evaluation  ${metricsText(event.metrics)}${event.best ? "  (best)" : ""}`,
        event.step,
      );
    } else if (event.type === "samples") {
      for (const text of sampleTexts(event, totalSteps, terminal.columns)) tell(text, event.step);
    } else if (event.type === "checkpoint" && !terminal.isTerminal) {
      tell(`${stepText(event.step, totalSteps)}  checkpoint  ${printable(event.name)}`, event.step);
    } else if (event.type === "data") {
      for (const text of transformTexts(event)) line(text);
    } else if (event.type === "drift") line(`quantized: ${driftText(event)}`);
    else if (event.type === "warning") {
      report();
      line(`warning: ${printable(event.message)}`);
    } else if (event.type === "end") {
      row(interval.flush());
      report();
      clear();
      line(endText(event, clock.now() - startedAt));
    }
    meter.mark(clock.now());
  };
  return {
    log,
    close: async () => {
      report();
      clear();
    },
  };
}

/** Describes in one line what each transform did. */
function transformTexts({ what, transforms }: TrainingEvent & { type: "data" }): string[] {
  return transforms.map(({ use, within, in: before, out: after, ...actions }) => {
    const counts = (["dropped", "changed", "added"] as const).flatMap((action) => {
      const reasons = Object.entries(actions[action]);
      if (reasons.length === 0) return [];
      const shown = reasons.sort(([, a], [, b]) => b - a).slice(0, 4).map(([reason, n]) => `${wholeText(n)} ${reason}`);
      return [`${action}: ${shown.join(", ")}${reasons.length > 4 ? ", ..." : ""}`];
    });
    return printable(
      `${within === undefined ? what : `${what}.${within}`}: ${use}: ${wholeText(before)} rows${
        after === before ? "" : ` -> ${wholeText(after)}`
      }${counts.map((text) => `; ${text}`).join("")}`,
    );
  });
}

/**
 * Returns the speed of matrix products as a share of the machine's peak; nothing if unknown. A peak below the speed was
 * measured while the machine was busy, and is ignored.
 */
function workText(perSecond: number | undefined, peak: number | undefined): string[] {
  if (!perSecond || !peak) return [];
  const share = perSecond <= peak ? ` (${wholeText(100 * perSecond / peak)} % of peak)` : "";
  return [`${short(perSecond / 1e9)} G multiply-adds/s${share}`];
}

/** Number of generated answers to print. */
const SAMPLES = 2;

/** Returns a line for each of the first generated answers: the end of its prompt, and its beginning. */
function sampleTexts({ step, samples }: Event<"samples">, totalSteps: number, columns: number): string[] {
  const width = Math.max(20, Math.floor((Math.max(60, columns) - 24) / 2));
  const where = step === 0 ? "untrained" : stepText(step, totalSteps);
  return samples.slice(0, SAMPLES).map(({ prompt, text }) =>
    `${where}  ${ending(prompt, width)} → ${beginning(text, width)}`
  );
}

/** Returns the beginning of a text in one line. */
function beginning(text: string, width: number): string {
  const line = printable(text);
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}

/** Returns the end of a text in one line. */
function ending(text: string, width: number): string {
  const line = printable(text);
  return line.length > width ? `…${line.slice(1 - width)}` : line;
}

function stepText(step: number, total: number): string {
  return total > 0 ? `step ${String(step).padStart(String(total).length)}/${total}` : `step ${step}`;
}

function startText(event: Event<"start">, name: string): string {
  const { trainRows, evalRows, testRows = 0, totalEpochs, totalSteps, trainableParameters, totalParameters, step } =
    event;
  const share = totalParameters > 0 ? ` (${(100 * trainableParameters / totalParameters).toFixed(2)} %)` : "";
  const held = evalRows > 0 ? `, ${wholeText(evalRows)} held out` : "";
  const rows = `${wholeText(trainRows)} rows${held}${testRows > 0 ? `, ${wholeText(testRows)} to test` : ""}`;
  const epochs = `${wholeText(totalEpochs)} ${totalEpochs === 1 ? "epoch" : "epochs"}`;
  return `${printable(name)}: ${rows}; ${epochs}, ${wholeText(totalSteps)} steps; ` +
    `${wholeText(trainableParameters)} of ${wholeText(totalParameters)} parameters trainable${share}${
      step > 0 ? `; resuming at step ${step}` : ""
    }`;
}

function endText({ reason, step, metrics, message, eval: judged, ...of }: Event<"end">, ms: number): string {
  const ended = `${reason} after step ${step} in ${duration(ms)}`;
  const summary = metricsText(metrics);
  const what = whatOf(of);
  return [
    what === undefined && summary !== "" ? `${ended}  ${summary}` : ended,
    ...(what === undefined ? [] : [`${what}:  ${summary}`]),
    ...(judged ? [`${whatOf({ split: "eval" })}:  ${metricsText(judged)}`] : []),
    ...(message ? [printable(message)] : []),
  ].join("\n");
}
