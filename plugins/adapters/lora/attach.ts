/** Attaches LoRA and DoRA to an opened model: selects the modules to adapt; `forward.ts` computes the update itself. */
import { badValue } from "../../../core/base/errors.ts";
import { matches, matchModules, patternValue } from "../../../core/patterns/module_patterns.ts";
import type { AttachContext, AttachedAdapter, InspectedBackbone, Named, Tensor, Weights } from "../../../core/types.ts";
import { loraScale } from "../../../formats/peft/lora_scale.ts";
import { savedModules } from "../../../formats/peft/modules_to_save.ts";
import { peftRecord } from "../../../formats/peft/record.ts";
import { wrappedKey } from "../../../formats/peft/wrapped_key.ts";
import { adaptEmbedding, adaptLinear } from "./forward.ts";
import { firstFactors } from "./init.ts";
import { mergeLayer } from "./merge.ts";
import { asPlainLora, type LoraOptions } from "./options.ts";
import type { LoraPlan, Matrix } from "./plan.ts";
import { type Tied, withTying } from "./tied.ts";
import { tokenRows } from "./token_rows.ts";
import { defaultTargets, inLayers, savedOrBias, selectAdaptable } from "../../../blocks/adapter/mod.ts";

/** Attaches LoRA. Throws AttuneError if no module matches; the message lists the modules. */
export function attachLora(
  plugin: string,
  given: LoraOptions,
  backbone: InspectedBackbone,
  context: AttachContext,
  saved?: Weights,
): AttachedAdapter {
  const { options: o, tied } = withTying(given, backbone);
  const saves = savedModules(o.modulesToSave, context.modules);
  const { names, targets } = targetsOf(plugin, o, backbone, saves.has, tied);
  // Modules that share an update use the table's.
  const shares = (path: string): boolean => tied?.part === "update" && tied.modules.includes(path);
  const updateOf = (path: string): string => (shares(path) ? tied?.source ?? path : path);
  const { useDora, loraBias, initLoraWeights } = o;
  if (useDora && (loraBias || initLoraWeights === false)) {
    throw badValue(plugin, "adapter.with.useDora", true, "no loraBias, and initLoraWeights other than false");
  }
  const rankOf = (path: string): number => patternValue(updateOf(path), o.rankPattern, o.r);
  const scaleOf = (path: string): number => {
    const r = rankOf(path);
    return loraScale(patternValue(updateOf(path), o.alphaPattern, o.loraAlpha), r, o.useRslora);
  };
  if (o.useQalora) checkPooled(plugin, o, [...targets], backbone);
  const pool = poolOf(plugin, o, [...targets], context);
  if (o.loftqConfig !== null && initLoraWeights !== "loftq") {
    throw badValue(plugin, "adapter.with.loftqConfig", o.loftqConfig, 'null, or initLoraWeights "loftq"');
  }
  if (o.useDora && initLoraWeights === "loftq") {
    throw badValue(plugin, "adapter.with.initLoraWeights", initLoraWeights, "true or gaussian with useDora");
  }
  const tokens = tokenRows(plugin, o, backbone);
  const wrapped = wrappedKey((path) => targets.has(path));
  const init = firstFactors(plugin, initLoraWeights, rankOf, scaleOf);
  const parted = initLoraWeights === "pissa" || initLoraWeights === "olora";
  const plan: LoraPlan = {
    plugin,
    options: o,
    backbone,
    targets,
    tokens,
    shares,
    updateOf,
    rankOf,
    scaleOf,
    pool,
    init,
    parted,
  };

  const derived = async (read: (name: string) => Promise<Matrix>): Promise<Named<Tensor>> => {
    const { underAllNames, withFirstProducts } = await import("./saved.ts");
    return {
      ...(parted ? await withFirstProducts(targets, backbone, read) : {}),
      ...(tied ? await underAllNames(tied, read) : {}),
    };
  };

  return {
    linear: (b, call, next) => adaptLinear(plan, b, call, next),
    ...(tokens.size > 0 || backbone.embeddings.some((path) => targets.has(path))
      ? { embedding: (b, call, next) => adaptEmbedding(plan, b, call, next) }
      : {}),
    isTrainable: savedOrBias(saves, o.bias, targets),
    sharesUpdate: shares,
    copies: (module) => tied?.part !== "whole" && saves.copies(module),
    weights: saved,
    roleOf: (name) => {
      const [, module, part] = /^(.*)\.(lora_[AB]|token_adapter\.trainable_tokens_delta)\b/.exec(name) ?? [];
      if (module === undefined) return undefined;
      return { module, role: part === "lora_A" || part === "lora_B" ? "factor" : "rows" };
    },
    merge: (name, value, read) => mergeLayer(plan, name, value, read),
    record: peftRecord(
      "LORA",
      () => ({
        ...o,
        ...(parted ? asPlainLora(o) : {}),
        // PEFT would quantize again when it loads the adapter.
        ...(initLoraWeights === "loftq" ? { initLoraWeights: true } : {}),
        loftqConfig: undefined,
        // Older versions of PEFT do not know these fields.
        ensureWeightTying: o.ensureWeightTying ? true : undefined,
        useQalora: o.useQalora ? true : undefined,
        qaloraGroupSize: pool,
        targetModules: names,
        modulesToSave: saves.names,
        layersToTransform: o.layersToTransform === null ? null : [o.layersToTransform].flat(),
        fanInFanOut: [...targets].some((path) => backbone.conv1ds.includes(path)),
      }),
      context,
      {
        key: (
          name,
        ) => (/\.lora_(A|B)\.first$/.test(name) || (parted && /\.lora_(A|B)\.weight$/.test(name))
          ? undefined
          : wrapped(name)),
        ...(parted || tied ? { derived } : {}),
      },
    ),
  };
}

/** PEFT's default group size. */
const POOL = 16;

/** Returns how many inputs A pools. A file has one number for all modules, so block sizes must be equal. */
function poolOf(
  plugin: string,
  o: LoraOptions,
  targets: readonly string[],
  { blockSizeOf }: AttachContext,
): number | undefined {
  if (!o.useQalora || o.qaloraGroupSize !== null) return o.useQalora ? o.qaloraGroupSize ?? POOL : undefined;
  const sizes = [...new Set(targets.flatMap((path) => blockSizeOf?.(path) ?? []))];
  if (sizes.length <= 1) return sizes[0] ?? POOL;
  throw badValue(
    plugin,
    "adapter.with.qaloraGroupSize",
    null,
    `a number: the base has blocks of ${sizes.join(" and ")}`,
  );
}

function checkPooled(plugin: string, o: LoraOptions, targets: readonly string[], backbone: InspectedBackbone): void {
  const refuse = (field: string, found: unknown, allowed: string): Error =>
    badValue(plugin, `adapter.with.${field}`, found, `${allowed} with useQalora`);
  if (o.useDora) throw refuse("useDora", true, "false");
  if (o.loraBias) throw refuse("loraBias", true, "false");
  if (typeof o.initLoraWeights !== "boolean") throw refuse("initLoraWeights", o.initLoraWeights, "true or false");
  const table = targets.find((path) => backbone.embeddings.includes(path));
  if (table !== undefined) throw refuse("targetModules", table, "linear layers alone");
  if (o.ensureWeightTying) throw refuse("ensureWeightTying", true, "false");
}

function targetsOf(
  plugin: string,
  o: LoraOptions,
  backbone: InspectedBackbone,
  saved: (path: string) => boolean,
  tied: Tied | undefined,
): Readonly<{ names: string | readonly string[]; targets: ReadonlySet<string> }> {
  const names = o.targetModules ?? defaultTargets(plugin, "targetModules", backbone, "attention");
  const linears = selectAdaptable(backbone, names, saved);
  const embeddings = backbone.embeddings.filter((path) =>
    names !== "all-linear" && !saved(path) && matches(path, names)
  );
  const targets = inLayers(matchModules(plugin, names, [...linears, ...embeddings], o.excludeModules), o);
  if (targets.length === 0) {
    const allowed = "numbers of layers that contain targets";
    throw badValue(plugin, "adapter.with.layersToTransform", o.layersToTransform, allowed);
  }
  const shared = tied?.part === "update" ? tied.modules : [];
  return { names, targets: new Set([...targets, ...shared]) };
}
