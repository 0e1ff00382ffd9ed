/** interim */
import type { Named, Store, Tensor } from "./types.ts";
export interface OpenTensors { readonly names: readonly string[]; read(name: string): Promise<Tensor>; locate(name: string): { offset: number; bytes: number; dims: readonly number[] } }
export async function openSafetensors(store: Store, key: string): Promise<OpenTensors> {
  const f = await store.get(key); if (!f) throw new Error(`no ${key}`);
  const n = Number(new DataView(f.bytes.buffer, f.bytes.byteOffset).getBigUint64(0, true));
  const h = JSON.parse(new TextDecoder().decode(f.bytes.subarray(8, 8 + n)));
  delete h.__metadata__;
  const loc = (name: string) => ({ offset: 8 + n + h[name].data_offsets[0], bytes: h[name].data_offsets[1] - h[name].data_offsets[0], dims: h[name].shape });
  return { names: Object.keys(h), locate: loc, read: async (name) => { const l = loc(name); return { dtype: "float32", dims: l.dims, data: new Float32Array(f.bytes.slice(l.offset, l.offset + l.bytes).buffer) }; } };
}
export function toFloat32(t: Tensor): Tensor<Float32Array> { return t as Tensor<Float32Array>; }
export function writeSafetensors(tensors: Named<Tensor>): Uint8Array {
  let at = 0; const h: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const [k, t] of Object.entries(tensors)) { h[k] = { dtype: "F32", shape: t.dims, data_offsets: [at, at + t.data.byteLength] }; at += t.data.byteLength; }
  let s = JSON.stringify(h); s += " ".repeat((8 - s.length % 8) % 8);
  const out = new Uint8Array(8 + s.length + at); new DataView(out.buffer).setBigUint64(0, BigInt(s.length), true); out.set(new TextEncoder().encode(s), 8);
  let p = 8 + s.length; for (const t of Object.values(tensors)) { out.set(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength), p); p += t.data.byteLength; }
  return out;
}
