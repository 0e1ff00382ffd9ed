/**
 * The start of a run from its model's weights: warnings about them, and the drift that quantizing them causes.
 */
import type { Engine } from "../../engine/engine.ts";
import type { Drift, TrainingEvent } from "../../types.ts";
import { listNames, moduleOf } from "../open/tensor_names.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import type { OpenRun } from "../open/open.ts";
import { isQuantizer } from "../open/quantizer.ts";

/** Yields warnings as events and returns the drift from quantizing the base. Throws AttuneError if it is too large. */
export async function* beginFresh(
  tasks: readonly TaskRows[],
  engine: Engine,
): AsyncGenerator<TrainingEvent, Drift | undefined> {
  const [{ open }] = tasks as [TaskRows];
  yield* notices(open);
  if (engine.fresh.length > 0) {
    const trained = new Set(engine.state.trained.map(({ name }) => name));
    const frozen = new Set(engine.fresh.filter((name) => !trained.has(name)).map(moduleOf));
    const advice = frozen.size > 0
      ? `; the adapter leaves ${listNames([...frozen])} as drawn: modulesToSave would train ${
        frozen.size > 1 ? "them" : "it"
      }`
      : "";
    const message = `${engine.fresh.length} parameters are not in ${open.checkpoint.label} and start at random: ${
      engine.fresh.slice(0, 6).join(", ")
    }${advice}`;
    yield { type: "warning", step: 0, epoch: 0, code: "NEW_PARAMETERS", message };
  }
  if (!open.run.accelerators.some(isQuantizer)) return undefined;
  const { passQualityGate } = await import("./quality_gate.ts");
  return yield* passQualityGate(tasks);
}

/** Yields the notices of accelerators about the host's execution provider. */
function* notices({ run, host }: OpenRun): Generator<TrainingEvent> {
  for (const accelerator of run.accelerators) {
    const message = accelerator.notice?.(host.provider);
    if (message !== undefined) yield { type: "warning", step: 0, epoch: 0, code: "ACCELERATOR", message };
  }
}
