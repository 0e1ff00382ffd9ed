/** The curves of a run: loss, learning rate, gradient norm, and evaluations over time. */
import type { Named } from "../../../core/types.ts";
import { type Evaluation, metricsOf, type ReportData } from "./collect.ts";
import { type Curve, extent, type Html, html, lineChart } from "../../../blocks/page/mod.ts";
import { smooth } from "./series.ts";

/** The largest number of metrics with a chart of their own. */
const PANELS = 6;

/** Draws the training section; nothing if there was no step. */
export function trainingSection(run: ReportData): Html | undefined {
  const { points } = run;
  if (points.length === 0) return undefined;
  const losses = points.map(({ loss }) => loss);
  const reach = Math.max(1, Math.round(points.length / 30));
  const evaluations = evaluationsOf(run).flatMap(({ step, metrics }): [number, number][] =>
    metrics.loss !== undefined && Number.isFinite(metrics.loss) ? [[step, metrics.loss]] : []
  );
  const x = points.map(({ step }) => step);
  const at = (values: readonly (number | null)[]): Curve["points"] => x.map((step, i) => [step, values[i] ?? null]);
  const curves: Curve[] = [
    { name: "each step", color: 1, style: "faint", points: at(losses) },
    { name: "smoothed", color: 1, style: "line", points: at(smooth(losses, reach)) },
    ...(evaluations.length > 1 ? [{ name: "evaluation", color: 2, style: "dots", points: evaluations } as const] : []),
  ];
  const norms = points.map(({ gradNorm }) => gradNorm);
  const [least, most] = extent(norms.filter((norm) => norm !== null));
  const rates = points.map(({ learningRate }) => learningRate);
  const best = run.evaluations.findLast((evaluation) => evaluation.best);
  const worth = best && run.evaluations.length > 1 && best.step < run.steps;
  const broken = points.find(({ loss }) => loss === null);
  const merged = Math.max(...points.map(({ steps }) => steps));
  return html`<section><h2>Training</h2>
${
    lineChart({
      title: "Loss",
      curves,
      height: 260,
      xLabel: "step",
      from: 0,
      marks: [
        ...(worth ? [{ x: best.step, text: "best" }] : []),
        ...(broken ? [{ x: broken.step, text: "not finite" }] : []),
      ],
    })
  }
<div class="pair">
${
    lineChart({
      title: "Learning rate",
      curves: [{ name: "learning rate", color: 3, style: "line", points: at(rates) }],
      height: 150,
      xLabel: "step",
      from: 0,
    })
  }
${
    norms.some((norm) => norm !== null) &&
    lineChart({
      title: "Gradient norm before clipping",
      curves: [
        { name: "each step", color: 4, style: "faint", points: at(norms) },
        { name: "smoothed", color: 4, style: "line", points: at(smooth(norms, reach)) },
      ],
      height: 150,
      xLabel: "step",
      ...(least > 0 && most / least > 200 ? { log: true } : { from: 0 }),
    })
  }
</div>
${
    merged > 1 &&
    html`<p class="muted">One place stands for ${merged} steps: their mean, for gradient norms the greatest.</p>`
  }
</section>`;
}

/** Draws each metric over time; nothing if there was only one evaluation. */
export function evaluationSection(run: ReportData): Html | undefined {
  const evaluations = evaluationsOf(run);
  if (evaluations.length < 2) return undefined;
  const names = [...new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics)))].slice(0, PANELS);
  const charts = names.flatMap((name) => {
    const points = evaluations.flatMap(({ step, metrics }): [number, number][] => {
      const value = metrics[name];
      return typeof value === "number" && Number.isFinite(value) ? [[step, value]] : [];
    });
    return points.length < 2 ? [] : [
      lineChart({
        title: name,
        curves: [{ name, color: name === "loss" ? 2 : 1, style: "dots", points }],
        height: 130,
        xLabel: "step",
      }),
    ];
  });
  return charts.length === 0 ? undefined : html`
    <section>
      <h2>Evaluation over time</h2>
      <div class="pair">${charts}</div>
    </section>
  `;
}

/** Returns all evaluations: of the untouched model at step 0, during training, and at the end. */
function evaluationsOf({ tasks, evaluations, steps }: ReportData): readonly Evaluation[] {
  const [before, after] = [metricsOf(tasks, "before"), metricsOf(tasks, "after")];
  const some = (metrics: Named<number>): boolean => Object.keys(metrics).length > 0;
  const first = some(before) && evaluations[0]?.step !== 0 ? [{ step: 0, metrics: before, best: false }] : [];
  const last = some(after) && evaluations.at(-1)?.step !== steps && steps > 0
    ? [{ step: steps, metrics: after, best: false }]
    : [];
  return [...first, ...evaluations, ...last];
}
