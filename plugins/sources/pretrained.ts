/** interim */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { openSafetensors, toFloat32 } from "../../core/safetensors.ts";
import type { Factory } from "../../core/types.ts";
export const pretrained: Factory<"source", { path: string; config?: Record<string, any> }> = define({ kind: "source", name: "pretrained", schema: v.strictObject({ path: v.string(), config: v.optional(v.record(v.string(), v.any())) }), create: ({ path, config }) => ({
  open: async (host) => {
    const files = host.directory!(path); const c = JSON.parse(new TextDecoder().decode((await files.get("config.json"))!.bytes));
    const st = await openSafetensors(files, "model.safetensors"); const file = await files.locate?.("model.safetensors");
    return { config: { ...c, ...config }, files, fingerprint: path, label: path, weights: { names: st.names, read: async (n) => toFloat32(await st.read(n)), locate: (n) => ({ file, dtype: "float32", ...st.locate(n) }) } };
  } }) });
