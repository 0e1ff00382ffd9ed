/** The files of a finished run: its spec, the adapter or model, and the model card. */
import type { Parameter } from "../../engine/builder/parameters.ts";
import type { Engine } from "../../engine/engine.ts";
import { placedTransform } from "../../data/rows_through.ts";
import { toSpec } from "../../spec/to_spec.ts";
import type { Catalog, Exporter, Host, Json, Named, Run, Store, TrainedModel } from "../../types.ts";
import { baseName } from "./base_name.ts";
import { type FinalFigures, whatOf } from "./final_figures.ts";
import type { OpenRun } from "../open/open.ts";
import { driftText } from "./drift_text.ts";
import { isQuantizer } from "../open/quantizer.ts";
import { placedPaths } from "./places.ts";
import { pythonOf } from "./python_base.ts";
import { VERSION } from "../../base/version.ts";
import { storeWithin } from "../../files/within.ts";
import { missing } from "../../base/errors.ts";

/** Returns a run's spec with all defaults, absolute paths, versions and fingerprints. */
export async function resolvedSpec(run: Run, host: Host, fingerprints: Named<string>): Promise<Json> {
  const spec = await absolutePaths(toSpec(run) as Named<Json>, run.catalog, host);
  return { ...spec, versions: { attune: VERSION, runtime: host.runtime }, fingerprints };
}

/** Returns a spec with absolute paths. A path that may be a name stays a name unless a model exists at that path. */
async function absolutePaths(spec: Named<Json>, catalog: Catalog, { resolve, directory }: Host): Promise<Named<Json>> {
  if (!resolve) return spec;
  const names = new Set<string>();
  placedPaths(spec, catalog, (path, name) => (name && names.add(path), path));
  for (const path of names) {
    const there = await directory?.(resolve(path)).get("config.json", { offset: 0, length: 0 });
    if (there) names.delete(path);
  }
  return placedPaths(spec, catalog, (path) => (names.has(path) ? path : resolve(path)));
}

/**
 * Writes adapter/ (with an adapter) or model/, and the folders of further exporters. With several tasks, each has a
 * subfolder of its name with the same files as a run of that task alone, which load unchanged if the format allows.
 */
export async function writeModel(open: OpenRun, engine: Engine, figures: FinalFigures, output: Store): Promise<void> {
  const trained = await trainedOf(open, engine, figures);
  const { exporter: standard, folder: kind } = standardExporter(open);
  const folder = open.task.name === "" ? "" : `${open.task.name}/`;
  await standard.write(trained, storeWithin(output, `${kind}/${folder}`));
  for (const exporter of open.run.exporters) {
    await exporter.write(trained, storeWithin(output, `${exporter.name}/${folder}`));
  }
}

/** Returns the exporter of a run's result, and its folder: "adapter" if an adapter is saved as such, or "model". */
function standardExporter({ run, attached }: OpenRun): Readonly<{ exporter: Exporter; folder: string }> {
  const folder = attached.some((a) => a.record) ? "adapter" : "model";
  for (const entry of Object.values(run.catalog.exporter ?? {})) {
    const parsed = entry.parse({});
    if (!parsed.issues && parsed.value.leaves?.(attached) === folder) return { exporter: parsed.value, folder };
  }
  const formats = attached.flatMap(({ record }) => Object.keys(record?.formats ?? {}));
  const format = folder === "model" ? "a whole model" : `an adapter (${formats.join(", ")})`;
  throw missing("spec", `an exporter of ${format}`, "the catalog");
}

/** Returns the trained model for exporters. */
async function trainedOf(open: OpenRun, engine: Engine, figures: FinalFigures): Promise<TrainedModel> {
  const parameters = [...engine.program(open.task.name).recorded.parameters.values()].filter((p) => !p.regularizer);
  const names = new Map(parameters.map((p) => [p.unqualifiedName, p.name]));
  const reached = new Set(engine.state.trained.map((t) => t.name));
  // Everything in an adapter's file is written to the next file too, whether this run trains it or not.
  const saved = new Set(open.attached.flatMap((a) => a.weights?.names ?? []));
  // Parameters that the checkpoint lacks (often BERT's pooler) are written, since a loader would draw other values.
  const fresh = new Set(open.checkpoint.weights.names.length > 0 ? engine.fresh : []);
  // Loading an adapter also needs the tables that grew.
  const grownParameters = new Set(open.checkpoint.grownParameters ?? []);
  const isWritten = (p: Parameter): boolean =>
    !p.frozen && (saved.has(p.unqualifiedName) || fresh.has(p.name) || grownParameters.has(p.unqualifiedName));
  return {
    base: open.checkpoint,
    backbone: open.backbone,
    task: open.task,
    attached: open.attached,
    // A task's files have parameter names without the task's name, like those of a run with a single task.
    trained: parameters.filter((p) => reached.has(p.name) || isWritten(p)).map((p) => p.unqualifiedName),
    all: Object.fromEntries(parameters.map((p) => [p.unqualifiedName, { shape: p.shape, adapter: p.adapter }])),
    read: (name) => engine.read(names.get(name) ?? name),
    metrics: figures.metrics,
    card: modelCard(open, figures),
    modelCard: modelCard(open, figures, true),
  };
}

/** Returns the model card in Markdown, with front matter for the hub. `merged`: for a model with merged adapters. */
export function modelCard(open: OpenRun, figures: FinalFigures, merged = false): string {
  const { run, task, attached } = open;
  const base = baseName(open);
  const adapter = !merged && attached.some((a) => a.record);
  const folded = merged && run.adapters.length > 0
    ? `, ${run.adapters.map((a) => a.name).join(" and ")} folded in`
    : "";
  const { training } = run;
  return [
    "---",
    ...(base.hub === undefined ? [] : [`base_model: ${JSON.stringify(base.hub)}`]),
    `library_name: ${adapter ? "peft" : "transformers"}`,
    "tags:",
    "- attune",
    ...run.adapters.map((a) => `- ${a.name}`),
    ...(merged ? [] : quantizationLines(open)),
    "---",
    "",
    `# ${run.name}`,
    "",
    `${adapter ? "An adapter for" : "A model fine-tuned from"} \`${base.shown}\`, task ${
      task.taskType ?? run.task.name
    }${folded}, made with Attune ${VERSION}.`,
    "",
    "## Evaluation",
    "",
    ...evaluationLines(figures),
    "",
    "## Training",
    "",
    `Optimizer ${run.optimizer.name}, schedule ${run.schedule.name}, learning rate ${training.learningRate}, batch ${training.perDeviceTrainBatchSize}` +
    ` × ${training.gradientAccumulationSteps}, ${
      training.maxSteps > 0 ? `${training.maxSteps} steps` : `${training.numTrainEpochs} epochs`
    }, seed ${training.seed}.`,
    "",
    ...transformLines(figures),
    ...acceleratorLines(run, figures),
  ].join("\n");
}

/** Returns front matter with the Python code that loads the quantized base, if it exists. */
function quantizationLines(open: OpenRun): string[] {
  const python = pythonOf(open);
  return python === undefined ? [] : [`quantization: ${JSON.stringify(python)}`];
}

/** Returns a line with the number of training rows and their transforms. */
function transformLines({ transforms = [] }: FinalFigures): string[] {
  if (transforms.length === 0) return [];
  const top = transforms.filter(({ within }) => within === undefined);
  const [first, last] = [top[0], top.at(-1)];
  const rows = first && last ? `${first.in} rows${first.in === last.out ? "" : ` -> ${last.out}`}` : "rows";
  return [`Data: ${rows}, with the transforms ${transforms.map(placedTransform).join(", ")}.`, ""];
}

/** Returns a line for each accelerator: its options, and its drift. */
function acceleratorLines({ accelerators }: Run, { drift }: FinalFigures): string[] {
  if (accelerators.length === 0) return [];
  const lines = accelerators.map((accelerator) => {
    const { name, options } = accelerator;
    const changed = drift && isQuantizer(accelerator) ? `: ${driftText(drift)}` : "";
    return `- \`${name}\` ${JSON.stringify(options)}${changed}`;
  });
  return ["## Accelerators", "", ...lines, ""];
}

/** Returns the final metrics as a table: those of test rows next to those of eval rows, if there are both. */
function evaluationLines(figures: FinalFigures): string[] {
  const { metrics, eval: judged } = figures;
  if (Object.keys(metrics).length === 0) return ["There is no evaluation data."];
  const showValue = (value: number | undefined): string =>
    value === undefined ? "" : String(Number(value.toPrecision(6)));
  const title = whatOf(figures);
  const about = title === undefined ? [] : [`Measured on ${title}.`, ""];
  const names = Object.keys(metrics);
  if (!judged) {
    return [
      ...about,
      "| metric | value |",
      "|---|---|",
      ...names.map((name) => `| ${name} | ${showValue(metrics[name])} |`),
    ];
  }
  const rows = names.map((name) => `| ${name} | ${showValue(metrics[name])} | ${showValue(judged[name])} |`);
  return [...about, "| metric | test | eval, the split that chose the checkpoint |", "|---|---|---|", ...rows];
}
