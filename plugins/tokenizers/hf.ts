/** interim */
import * as v from "valibot";
import { Tokenizer as Hf } from "@huggingface/tokenizers";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";
export const hf: Factory<"tokenizer", {}> = define({ kind: "tokenizer", name: "hf", schema: v.strictObject({}), create: () => ({
  open: async (files) => {
    const j = async (k: string) => JSON.parse(new TextDecoder().decode((await files.get(k))!.bytes));
    const conf = await j("tokenizer_config.json"); const t = new Hf(await j("tokenizer.json"), conf) as any;
    const pad = t.token_to_id(conf.pad_token ?? "[PAD]");
    return { vocabSize: 1, special: { pad }, paddingSide: conf.padding_side ?? "right", modelMaxLength: conf.model_max_length, fingerprint: "t",
      encode: (text: any, o: any = {}) => {
        const n = t.encode(text, { text_pair: o.textPair ?? null, return_token_type_ids: true }); let ids = n.ids, ty = n.token_type_ids ?? ids.map(() => 0);
        if (o.maxLength && ids.length > o.maxLength) { ids = [...ids.slice(0, o.maxLength - 1), ids.at(-1)]; ty = [...ty.slice(0, o.maxLength - 1), ty.at(-1)]; }
        return [{ ids: Int32Array.from(ids), typeIds: Int32Array.from(ty) } as any];
      }, decode: () => "", chat: () => ({ text: "", assistant: [] }) };
  } }) });
