/**
 * losses.json: values and gradients of loss functions.
 * @module
 */
import { readFileSync } from "node:fs";
import { catalog } from "../../plugins/catalog.ts";
import type { Item } from "./main.ts";

type LossCase = Readonly<{ loss: string; options: Readonly<Record<string, unknown>> }>;

/** Items of a losses file. What has no plugin yet is missing. */
export async function checkLosses(path: string): Promise<Item[]> {
  const { losses }: { losses: readonly LossCase[] } = JSON.parse(readFileSync(path, "utf8"));
  return losses.map(({ loss, options }, i) => {
    const name = `losses/${loss} ${i}`;
    if (!catalog.loss?.[loss]) return { name, status: "missing", detail: "no loss of this name" };
    const parsed = catalog.loss[loss].parse(options);
    if (parsed.issues) return { name, status: "missing", detail: `options ${JSON.stringify(options)} are not built` };
    return { name, status: "missing", detail: "values of losses outside a run are not checked yet" };
  });
}
