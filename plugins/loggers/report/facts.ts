/** The facts of a run: its size, components, warnings and spec. */
import type { Json, Plugin, Run } from "../../../core/types.ts";
import { driftText } from "../../../core/run/write/drift_text.ts";
import type { ReportData } from "./collect.ts";
import { isLeak } from "./data.ts";
import { type Html, html, showNumber, showPercent, showSeconds } from "../../../blocks/page/mod.ts";

/** Draws the facts of a run. */
export function factsSection(run: Run, seen: ReportData): Html {
  const { training } = run;
  const { start } = seen;
  const accumulated = training.gradientAccumulationSteps;
  const facts: readonly (readonly [name: string, value: string, note?: string])[] = [
    [
      "Steps",
      showNumber(seen.steps),
      start && seen.steps !== start.totalSteps ? `of ${showNumber(start.totalSteps)}` : undefined,
    ],
    ["Epochs", showNumber(Math.round(seen.epoch * 1000) / 1000)],
    ...(start
      ? [[
        "Rows",
        showNumber(start.trainRows),
        `for training, ${showNumber(start.evalRows)} for evaluation${
          start.testRows ? `, ${showNumber(start.testRows)} for testing` : ""
        }`,
      ]] as const
      : []),
    [
      "Tokens",
      showNumber(seen.tokens),
      seen.seconds > 0 ? `${showNumber(Math.round(seen.tokens / seen.seconds))} a second` : undefined,
    ],
    ["Time in steps", showSeconds(seen.seconds)],
    ...work(seen),
    ...(start
      ? [[
        "Trained parameters",
        showNumber(start.trainableParameters),
        `${showPercent(start.trainableParameters / start.totalParameters, 2)} of ${showNumber(start.totalParameters)}`,
      ]] as const
      : []),
    [
      "Adapter",
      run.adapters.map((adapter) => adapter.name).join(", ") || "none",
      run.adapters.map(ranks).join(", ") || undefined,
    ],
    ...run.accelerators.map((a) =>
      ["Accelerator", a.name, a.modules && seen.drift ? driftText(seen.drift) : undefined] as const
    ),
    ["Optimizer", run.optimizer.name, `${run.schedule.name} schedule`],
    ["Learning rate", showNumber(training.learningRate)],
    [
      "Batch",
      showNumber(training.perDeviceTrainBatchSize),
      accumulated > 1 ? `× ${accumulated} accumulated` : undefined,
    ],
    ["Seed", String(training.seed)],
    ...(seen.skipped > 0 ? [["Skipped steps", showNumber(seen.skipped), "loss or gradient not finite"]] as const : []),
  ];
  return html`
    <section>
      <h2>Run</h2>
      <dl class="facts">${facts.map(([name, value, note]) =>
        html`
          <div>
            <dt>${name}</dt>
            <dd>${value}${note !== undefined && html`
              <span class="muted">${note}</span>
            `}</dd>
          </div>
        `
      )}</dl>
    </section>
  `;
}

/** Returns the speed of matrix products, as a share of the machine's peak; nothing if it was not measured. */
function work({ multiplyAdds, seconds, start }: ReportData): readonly (readonly [string, string, string])[] {
  const peak = start?.peakMultiplyAddsPerSecond;
  if (!peak || multiplyAdds === 0 || seconds <= 0) return [];
  const speed = multiplyAdds / seconds;
  // A peak below the speed was measured while the machine was busy.
  const share = speed <= peak ? `, ${showPercent(speed / peak, 0)} of this machine's float32 peak` : "";
  const note = share === "" ? "a second" : `a second${share} (${showNumber(peak / 1e9)} G)`;
  return [["Multiply-adds", `${showNumber(speed / 1e9)} G`, note]];
}

/** Draws the warnings, without those shown next to the data; nothing if there are none. */
export function warningsSection({ warnings: all, moreWarnings }: ReportData): Html | undefined {
  const warnings = all.filter((own) => !isLeak(own));
  if (warnings.length === 0) return undefined;
  return html`<section><h2>Warnings</h2><ul class="warnings">${
    warnings.map(({ step, code, message }) =>
      html`<li><code>${code}</code> ${message}${
        step > 0 && html`
          <span class="muted">step ${step}</span>
        `
      }</li>`
    )
  }</ul>${moreWarnings > 0 && html`<p class="muted">And ${moreWarnings} more.</p>`}</section>`;
}

/** Draws the spec in a collapsed section. */
export function specSection(spec: Json): Html {
  return html`
    <section>
      <details>
        <summary><h2>Spec</h2><span class="muted">every default filled in</span></summary>
        <pre>${JSON.stringify(abridged(spec), null, 2)}</pre>
      </details>
    </section>
  `;
}

/** Returns a spec without rows and long texts; spec.json has all of it. */
function abridged(value: Json): Json {
  if (typeof value === "string") {
    return value.length > TEXT ? `${value.slice(0, TEXT)}… (${value.length} characters)` : value;
  }
  if (Array.isArray(value)) {
    const shown = value.slice(0, ITEMS).map(abridged);
    return value.length > ITEMS ? [...shown, `… (${value.length} items)`] : shown;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, abridged(field)]));
}

const TEXT = 500;
const ITEMS = 40;

/** Returns the name of a run's base model, from its spec. */
export function baseOf(run: Run): string {
  const { options } = run.model;
  return "path" in options && typeof options.path === "string" ? options.path : run.model.name;
}

function ranks({ options }: Plugin): string {
  const ranks = Object.entries(options).filter(([name, value]) => RANKS.has(name) && typeof value === "number");
  return ranks.map(([name, value]) => `${name} ${value}`).join(", ");
}

const RANKS: ReadonlySet<string> = new Set(["r", "loraAlpha", "numVirtualTokens", "bottleneckSize"]);
