/**
 * Adapters as PEFT saves them.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { missing } from "../../core/errors.ts";
import { writeSafetensors } from "../../core/safetensors.ts";
import { VERSION } from "../../core/version.ts";
import type { AttachedAdapter, Factory, Json, Tensor, TrainedModel } from "../../core/types.ts";

/** No options. */
export type PeftOptions = Readonly<Record<never, never>>;

/** Schema of {@link PeftOptions}. */
export const peftSchema: v.GenericSchema<PeftOptions, PeftOptions> = v.strictObject({});

/**
 * adapter_config.json, adapter_model.safetensors and README.md, which PEFT's `from_pretrained` loads, and beside them
 * head_config.json with the names of the classes. Bottlenecks and ReFT, which PEFT does not have, are saved as AdapterHub does.
 *
 * @throws AttuneError from `write` where the run has no adapter that PEFT knows.
 * @example
 * ```ts
 * import { peft } from "attune/exporters/peft";
 * console.assert(peft().name === "peft");
 * ```
 */
export const peft: Factory<"exporter", PeftOptions> = define({
  kind: "exporter",
  name: "peft",
  schema: peftSchema,
  create: () => ({
    write: async (trained, to) => {
      const saved = trained.attached.filter((a) => a.peft !== undefined);
      if (saved.length === 0) throw missing("peft", "an adapter that PEFT can load", "the run");
      const written: string[] = [];
      const put = async (key: string, content: Uint8Array | string): Promise<void> => {
        await to.put(key, typeof content === "string" ? new TextEncoder().encode(content) : content);
        written.push(key);
      };
      for (const [i, attached] of saved.entries()) {
        const folder = i === 0 ? "" : `${attached.name}/`;
        if (attached.peft?.format === "adapterhub") {
          await writeHub(trained, attached, i === 0, (key, content) => put(folder + key, content));
          continue;
        }
        const config: Json = {
          ...attached.peft?.config,
          base_model_name_or_path: trained.base.label,
          peft_version: `attune ${VERSION}`,
        };
        await put(`${folder}adapter_model.safetensors`, writeSafetensors(await tensorsOf(trained, attached, i === 0)));
        await put(`${folder}adapter_config.json`, JSON.stringify(config, null, 2) + "\n");
        // PEFT does not say what the classes are called.
        const head = trained.task.config ?? {};
        if (i === 0 && Object.keys(head).length > 0) {
          await put("head_config.json", JSON.stringify(head, null, 2) + "\n");
        }
      }
      // Which of the run's adapters lies where.
      if (trained.attached.length > 1) {
        const places = trained.attached.map((a) => (a.peft ? (a === saved[0] ? "." : a.name ?? ".") : null));
        await put("adapters.json", JSON.stringify(places) + "\n");
      }
      await put("README.md", trained.card);
      if (!trained.task.modules) return written;
      const { writeSentenceFiles } = await import("./sentence_files.ts");
      return [...written, ...await writeSentenceFiles(trained, to)];
    },
  }),
});

/** AdapterHub's files: the adapter's, and the head's apart from them. */
async function writeHub(
  trained: TrainedModel,
  attached: AttachedAdapter,
  first: boolean,
  put: (key: string, content: Uint8Array | string) => Promise<void>,
): Promise<void> {
  const tensors = await tensorsOf(trained, attached, first);
  const pick = (head: boolean): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(tensors).filter(([name]) => /\.(adapters|refts)\./.test(name) !== head));
  const head = pick(true);
  const config = { ...attached.peft?.config, model_name: trained.base.label };
  // A scaling must be a float to AdapterHub, also where it is whole.
  const json = (value: Json): string =>
    JSON.stringify(value, null, 2).replace(/("scaling": -?\d+)(?=[,\n])/, "$1.0") + "\n";
  await put("adapter.safetensors", writeSafetensors(pick(false)));
  await put("adapter_config.json", json(config));
  if (Object.keys(head).length === 0) return;
  const { label2id = null, id2label } = trained.task.config ?? {};
  const labels = typeof id2label === "object" && id2label !== null ? Object.keys(id2label).length : 0;
  await put("model_head.safetensors", writeSafetensors(head));
  await put("head_config.json", json({ ...config, config: null, name: null, label2id, num_labels: labels }));
}

/** An adapter's file: its own parameters, and those of the model that it trains; the first has those that none asks for. */
async function tensorsOf(
  trained: TrainedModel,
  attached: AttachedAdapter,
  first: boolean,
): Promise<Record<string, Tensor>> {
  const { peft, name: prefix } = attached;
  const tensors: Record<string, Tensor> = {};
  for (const name of trained.trained) {
    const adapter = trained.all[name]?.adapter ?? false;
    const own = prefix === undefined || name.startsWith(`${prefix}/`);
    const asked = trained.attached.some((a) => a.peft && a.isTrainable?.(name) === true);
    if (adapter ? !own : asked ? attached.isTrainable?.(name) !== true : !first) continue;
    const key = peft?.key(adapter && prefix !== undefined ? name.slice(prefix.length + 1) : name);
    if (key !== undefined) tensors[key] = await trained.read(name);
  }
  const read = (name: string): Promise<Tensor<Float32Array>> => {
    const own = `${prefix}/${name}`;
    return trained.read(prefix !== undefined && own in trained.all ? own : name);
  };
  return { ...tensors, ...await peft?.derived?.(read) };
}
