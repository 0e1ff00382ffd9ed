/** Modules that share the word embedding table and, with PEFT's `ensure_weight_tying`, what is trained of it. */
import type { InspectedBackbone } from "../../../core/types.ts";
import type { LoraOptions } from "./options.ts";

/** PEFT's names of embedding modules and of modules tied to them. */
const EMBEDDINGS: readonly string[] = ["embed_tokens", "lm_head"];

/** The module that has the table, and those that share it. `part`: what they share of an adapter. */
export type Tied = Readonly<{ source: string; modules: readonly string[]; part: "whole" | "update" }>;

/** Applies `ensureWeightTying` to LoRA's options: what targets one of the modules targets the table's module. */
export function withTying(
  o: LoraOptions,
  backbone: InspectedBackbone,
): Readonly<{ options: LoraOptions; tied: Tied | undefined }> {
  const source = backbone.wordEmbeddings;
  const modules = Object.entries(backbone.ties)
    .filter(([name, of]) => of === `${source}.weight` && !backbone.untied?.includes(name))
    .map(([name]) => name.slice(0, -".weight".length));
  if (!o.ensureWeightTying || modules.length === 0) return { options: o, tied: undefined };
  const { modulesToSave, targetModules } = o;
  const isEmbedding = (name: string): boolean => EMBEDDINGS.includes(name.split(".").at(-1) ?? "");
  const means = (name: string, module: string): boolean => `.${module}.`.includes(`.${name}.`);
  const instead = (names: readonly string[]): readonly string[] => [
    ...names.filter((name) => name !== source && !modules.some((module) => means(name, module))),
    source,
  ];
  if (modulesToSave?.some(isEmbedding)) {
    return { options: { ...o, modulesToSave: instead(modulesToSave) }, tied: { source, modules, part: "whole" } };
  }
  if (Array.isArray(targetModules) && targetModules.some(isEmbedding)) {
    return { options: { ...o, targetModules: instead(targetModules) }, tied: { source, modules, part: "update" } };
  }
  return { options: o, tied: undefined };
}
