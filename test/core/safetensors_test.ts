import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  openSafetensors,
  openWeights,
  streamSafetensors,
  toFloat32,
  writeSafetensors,
} from "../../core/safetensors.ts";
import { f32, i32, type Tensor } from "../../core/tensor.ts";
import type { Store } from "../../core/types.ts";

function storeOf(files: Readonly<Record<string, Uint8Array>>): Store {
  return {
    get: async (key, range) => {
      const own = files[key];
      return own &&
        {
          key,
          size: own.length,
          revision: "1",
          bytes: range ? own.slice(range.offset, range.offset + range.length) : own,
        };
    },
    put: async () => "conflict",
    delete: async () => "conflict",
    list: async function* () {
      for (const [key, own] of Object.entries(files)) yield { key, size: own.length, revision: "1" };
    },
  };
}
const open = (bytes: Uint8Array) => openSafetensors(storeOf({ f: bytes }), "f");
function file(header: string, data: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

describe("safetensors", () => {
  it("reads what it wrote", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.float({ noNaN: true }), { maxLength: 9 }), { maxLength: 5 }),
        async (lists) => {
          const tensors: Record<string, Tensor> = Object.fromEntries(
            lists.map((list, i) => [`t.${i}`, f32([list.length], list)]),
          );
          tensors.ids = i32([2, 2], [1, -2, 3, 4]);
          const opened = await open(writeSafetensors(tensors));
          assert.deepEqual(opened.names, Object.keys(tensors));
          for (const [name, tensor] of Object.entries(tensors)) assert.deepEqual(await opened.read(name), tensor);
        },
      ),
      { numRuns: 50 },
    ));

  it("streams the same bytes", async () => {
    const tensors = { a: f32([2], [1, 2]), b: f32([0], []) };
    const parts: number[] = [];
    for await (const part of streamSafetensors(tensors)) parts.push(...part);
    assert.deepEqual(Uint8Array.from(parts), writeSafetensors(tensors));
  });

  it("pads its header to 8 bytes and says pt", () => {
    const bytes = writeSafetensors({ x: f32([1], [1]) });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    assert.equal(length % 8, 0);
    assert.match(new TextDecoder().decode(bytes.subarray(8, 8 + length)), /"__metadata__":\{"format":"pt"\}/);
  });

  it("decodes half precisions", () => {
    const half = toFloat32({ dtype: "float16", dims: [4], data: Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00) });
    assert.deepEqual([...half.data], [1, -2, 2 ** -24, Infinity]);
    const brain = toFloat32({ dtype: "bfloat16", dims: [2], data: Uint16Array.of(0x3f80, 0xc040) });
    assert.deepEqual([...brain.data], [1, -3]);
  });

  const x = (offsets: string, shape = "[1]", dtype = "F32"): string =>
    `"x":{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
  const hostile: Readonly<Record<string, Uint8Array>> = {
    "no bytes": new Uint8Array(),
    "a length beyond the file": file("{}", 0).fill(255, 0, 8),
    "no JSON": file("{nope", 0),
    "a byte order mark": file("\uFEFF{}", 0),
    "a list": file("[]", 0),
    "a name twice": file(`{${x("[0,4]")},${x("[0,4]")}}`, 4),
    "metadata twice": file('{"__metadata__":{},"__metadata__":{}}', 0),
    "an unknown dtype": file(`{${x("[0,4]", "[1]", "F99")}}`, 4),
    "a negative shape": file(`{${x("[0,4]", "[-1]")}}`, 4),
    "a product beyond 2^53": file(`{${x("[0,4]", "[4194305,4194305,211106198978564]")}}`, 4),
    "other bytes than its shape": file(`{${x("[0,8]")}}`, 8),
    "reversed offsets": file(`{${x("[4,0]")}}`, 4),
    "a gap": file(`{${x("[4,8]")}}`, 8),
    "an overlap": file(`{${x("[0,4]")},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
    "trailing bytes": file(`{${x("[0,4]")}}`, 5),
    "an end beyond the file": file(`{${x("[0,4]")}}`, 3),
    "offsets that are no numbers": file(`{${x('["0","4"]')}}`, 4),
  };
  for (const [name, bytes] of Object.entries(hostile)) {
    it(`refuses ${name}`, () => assert.rejects(open(bytes), { name: "AttuneError", code: "BAD_FILE" }));
  }
  it("refuses a file cut anywhere", async () => {
    const whole = writeSafetensors({ a: f32([2], [1, 2]) });
    for (let n = 0; n < whole.length; n++) await assert.rejects(open(whole.slice(0, n)), { name: "AttuneError" });
  });

  it("opens shards, and refuses shard names that are paths", async () => {
    const shard = { "model-1-of-1.safetensors": writeSafetensors({ a: f32([1], [5]) }) };
    const index = (name: string): Uint8Array => new TextEncoder().encode(JSON.stringify({ weight_map: { a: name } }));
    const weights = await openWeights(
      storeOf({ ...shard, "model.safetensors.index.json": index("model-1-of-1.safetensors") }),
    );
    assert.equal((await weights.read("a")).data[0], 5);
    await assert.rejects(
      openWeights(storeOf({ ...shard, "model.safetensors.index.json": index("../x.safetensors") })),
      /not a plain file name/,
    );
  });
  it("says what is there where weights are missing", () =>
    assert.rejects(openWeights(storeOf({ "pytorch_model.bin": new Uint8Array(1) })), /pytorch_model.bin is not read/));
});
