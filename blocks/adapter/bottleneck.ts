/** Bottleneck adapters: a small feed-forward network inside each layer, in the variants and files of AdapterHub. */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import { define } from "../../core/spec/define.ts";
import { activation } from "../../core/graph/activations.ts";
import { add, gemm, mul } from "../../core/graph/ops/functions.ts";
import type {
  AttachContext,
  AttachedAdapter,
  Factory,
  GraphBuilder,
  Initializer,
  InspectedBackbone,
  Value,
  Weights,
} from "../../core/types.ts";
import { hubRecord } from "../../formats/adapterhub/config.ts";
import { readHub, renameToDefault } from "../../formats/adapterhub/read.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { type Attach, openAndAttach, savedEntries } from "./loadable.ts";

/** Options of bottleneck adapters, AdapterHub's BnConfig in camelCase. */
export interface BottleneckOptions {
  /** The hidden size divided by the size of the bottleneck. */
  readonly reductionFactor: number;
  /** The activation between the two projections. */
  readonly nonLinearity: string;
  /** Factor of the added term: a number, "learned", or "channel" for one per channel. */
  readonly scaling: number | "learned" | "channel";
  /** Dropout on the added term. */
  readonly dropout: number;
  /** Numbers of layers without an adapter. */
  readonly leaveOut: readonly number[];
  /** "bert": normals of 0.02; "mam_adapter": Kaiming-uniform down, zeros up. */
  readonly initWeights: "bert" | "mam_adapter";
  /** Modules that are trained in full; null: the task's head. */
  readonly modulesToSave: readonly string[] | null;
  /**
   * The folder of an adapter saved by AdapterHub (with safetensors), to continue training it; its config replaces the
   * options above.
   */
  readonly from: string | null;
}

/** Where the networks are inserted: after which sublayers, and what they read. */
type Placement = Readonly<{
  mhAdapter: boolean;
  outputAdapter: boolean;
  originalLnBefore: boolean;
  isParallel: boolean;
}>;

/** Names of the options that AdapterHub's config has, too. */
const names = ["reductionFactor", "nonLinearity", "scaling", "dropout", "leaveOut", "initWeights"] as const;

/** Defines a variant by placement and defaults. Attaching throws AttuneError if an option does not fit the model. */
export function defineBottleneck(
  { name, placement, defaults }: Readonly<{
    name: string;
    placement: Placement;
    defaults: Pick<BottleneckOptions, "reductionFactor" | "nonLinearity" | "scaling" | "initWeights">;
  }>,
): Factory<"adapter", Partial<BottleneckOptions>> {
  const schema: v.GenericSchema<Partial<BottleneckOptions>, BottleneckOptions> = v.strictObject({
    reductionFactor: v.optional(v.pipe(v.number(), v.gtValue(0)), defaults.reductionFactor),
    nonLinearity: v.optional(v.string(), defaults.nonLinearity),
    scaling: v.optional(v.union([v.number(), v.picklist(["learned", "channel"])]), defaults.scaling),
    dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
    leaveOut: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0))), []),
    initWeights: v.optional(v.picklist(["bert", "mam_adapter"]), defaults.initWeights),
    ...savedEntries,
  });
  const reader = readHub({
    name,
    schema,
    names,
    fixed: { ...placement, originalLnAfter: true, residualBeforeLn: true },
  });
  const attach: Attach<BottleneckOptions> = (o, backbone, context, saved) =>
    attachBottleneck(name, placement, o, backbone, context, saved);
  return define({ kind: "adapter", name, schema, create: (options) => openAndAttach(reader, options, attach) });
}

function attachBottleneck(
  plugin: string,
  placement: Placement,
  o: BottleneckOptions,
  backbone: InspectedBackbone,
  context: AttachContext,
  saved?: Weights,
): AttachedAdapter {
  const { hiddenSize, layers } = backbone;
  const saves = savedModules(o.modulesToSave, context.modules);
  const width = Math.max(1, Math.floor(hiddenSize / o.reductionFactor));
  const f = activation(plugin, "adapter.with.nonLinearity", o.nonLinearity);
  const wrong = o.leaveOut.find((n) => n >= layers.length);
  if (wrong !== undefined) {
    throw badValue(plugin, "adapter.with.leaveOut", wrong, `layer numbers below ${layers.length}`);
  }
  const bert = o.initWeights === "bert";
  const add_ = (b: GraphBuilder, path: string, x: Value): Value => {
    const of = (name: string, shape: readonly number[], init: Initializer): Value =>
      b.parameter(`${path}.${name}`, shape, init);
    const downInit: Initializer = bert ? { normal: 0.02 } : { uniform: 1 / Math.sqrt(hiddenSize) };
    const down = gemm(
      x,
      of("adapter_down.0.weight", [width, hiddenSize], downInit),
      of("adapter_down.0.bias", [width], "zeros"),
      { transB: true },
    );
    const up = gemm(
      f(down),
      of("adapter_up.weight", [hiddenSize, width], bert ? { normal: 0.02 } : "zeros"),
      of("adapter_up.bias", [hiddenSize], "zeros"),
      { transB: true },
    );
    const scaled = typeof o.scaling === "number"
      ? o.scaling === 1 ? up : mul(up, o.scaling)
      : mul(up, of("scaling", [o.scaling === "channel" ? hiddenSize : 1], "ones"));
    return b.dropout(scaled, o.dropout);
  };
  return {
    sublayer: (b, call, next) => {
      const y = next(call);
      const layer = layers.findIndex((path) => call.path.startsWith(`${path}.`));
      const attends = /attn|attention/i.test(call.path.slice((layers[layer] ?? "").length));
      if (layer < 0 || o.leaveOut.includes(layer) || !(attends ? placement.mhAdapter : placement.outputAdapter)) {
        return y;
      }
      const path = `${modulePath(backbone, layers[layer] ?? "", attends)}.adapters.default`;
      if (placement.isParallel) return add(y, add_(b, path, call.residual));
      const sum = placement.originalLnBefore ? add(y, call.residual) : y;
      const read = placement.originalLnBefore && call.norm ? call.norm(sum) : sum;
      return add(y, add_(b, path, read));
    },
    isTrainable: saves.isTrainable,
    weights: saved && renameToDefault(saved),
    record: hubRecord(backbone, context, {
      ...placement,
      originalLnAfter: true,
      residualBeforeLn: true,
      adapterResidualBeforeLn: false,
      lnBefore: false,
      lnAfter: false,
      useGating: false,
      invAdapter: null,
      crossAdapter: false,
      phmLayer: false,
      ...Object.fromEntries(names.map((name) => [name, o[name]])),
    }),
  };
}

/** Returns the path of the module that holds a layer's adapters in AdapterHub: the family's, or the default. */
function modulePath({ family }: InspectedBackbone, layer: string, attends: boolean): string {
  const { attention = "attention_adapters", feedForward = "output_adapters" } = family.targets.bottleneck ?? {};
  return `${layer}.${attends ? attention : feedForward}`;
}
