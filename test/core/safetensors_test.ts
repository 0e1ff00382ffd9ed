import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AttuneError } from "../../core/base/errors.ts";
import {
  openSafetensors,
  openWeights,
  parseSafetensorsHeader,
  readSafetensors,
  streamSafetensors,
  toFloat32,
  writeSafetensors,
} from "../../core/files/safetensors.ts";
import { bytesPerElement, f32, i32, sizeOf, type Tensor } from "../../core/base/tensor.ts";
import type { Store } from "../../core/types.ts";
import { directoryStore } from "../../runtimes/host/directory_store.ts";
import { fetchedStore } from "../../runtimes/host/fetched_store.ts";
import { sharedPath, SKIP_REASON } from "../shared.ts";

/** A store over bytes; every range that is asked of it is noted in `requestStop`. */
function storeOf(files: Readonly<Record<string, Uint8Array>>, asked: number[] = []): Store {
  let revision = 0;
  return {
    get: async (key, range) => {
      const file = files[key];
      if (!file) return undefined;
      asked.push(range?.length ?? file.length);
      const bytes = range ? file.slice(range.offset, range.offset + range.length) : file;
      return { key, size: file.length, revision: files.changing ? String(revision++) : "1", bytes };
    },
    put: async () => "conflict",
    delete: async () => "conflict",
    list: async function* () {
      for (const [key, own] of Object.entries(files)) yield { key, size: own.length, revision: "1" };
    },
  };
}
const open = (bytes: Uint8Array) => openSafetensors(storeOf({ f: bytes }), "f");
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
function file(header: string | Uint8Array, data: number): Uint8Array {
  const json = typeof header === "string" ? utf8(header) : header;
  const out = new Uint8Array(8 + json.length + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  return out;
}
const x = (offsets: string, shape = "[1]", dtype = "F32"): string =>
  `"x":{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;

describe("safetensors", () => {
  it("reads what it wrote", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.float({ noNaN: true }), { maxLength: 9 }), { maxLength: 5 }),
        fc.string({ unit: "grapheme", minLength: 1 }).filter((name) => !name.includes("\0") && !/^\d+$/.test(name)),
        async (lists, name) => {
          const tensors = new Map<string, Tensor>(lists.map((list, i) => [`t.${i}`, f32([list.length], list)]));
          tensors.set(name, i32([2, 2], [1, -2, 3, 4]));
          const opened = await open(writeSafetensors(Object.fromEntries(tensors), { format: "pt", note: name }));
          assert.deepEqual(opened.names, [...tensors.keys()]);
          assert.deepEqual([...opened.metadata], [["format", "pt"], ["note", name]]);
          for (const [own, tensor] of tensors) assert.deepEqual(await opened.read(own), tensor);
        },
      ),
      { numRuns: 50 },
    ));

  it("keeps names that objects know themselves", async () => {
    const tensors = Object.fromEntries(["__proto__", "constructor"].map((name) => [name, f32([1], [1])]));
    assert.deepEqual((await open(writeSafetensors(tensors))).names, ["__proto__", "constructor"]);
  });

  it("reads every dtype", async () => {
    const of = (dtype: Tensor["dtype"], data: Tensor["data"]): Tensor => ({ dtype, dims: [data.length], data });
    const tensors: Record<string, Tensor> = {
      f32: of("float32", Float32Array.of(1.5, -2)),
      f16: of("float16", Uint16Array.of(0x3c00)),
      odd: of("int8", Int8Array.of(-1, 2, 3)),
      bf16: of("bfloat16", Uint16Array.of(0x3f80)),
      i64: of("int64", BigInt64Array.of(-5n)),
      u8: of("uint8", Uint8Array.of(255)),
      bool: of("bool", Uint8Array.of(1)),
    };
    const opened = await open(writeSafetensors(tensors));
    for (const [name, tensor] of Object.entries(tensors)) assert.deepEqual(await opened.read(name), tensor);
    assert.equal(toFloat32(await opened.read("i64")).data[0], -5);
  });

  it("reads tensors at odd places of a buffer of Node's, whose slices are views", () => {
    const tensors = {
      odd: { dtype: "int8", dims: [3], data: Int8Array.of(1, 2, 3) } as Tensor,
      x: f32([2], [1.5, -2]),
    };
    assert.deepEqual(readSafetensors(Buffer.from(writeSafetensors(tensors)), "file"), tensors);
  });

  it("streams the same bytes, asking for one tensor at a time", async () => {
    const tensors = { a: f32([2], [1, 2]), b: f32([0], []), c: i32([1], [3]) };
    const [parts, log]: [number[], string[]] = [[], []];
    const read = (name: string): Promise<Tensor> => {
      log.push(name);
      return Promise.resolve(tensors[name as keyof typeof tensors]);
    };
    for await (const part of streamSafetensors(tensors, read)) {
      log.push("written");
      parts.push(...part);
    }
    assert.deepEqual(Uint8Array.from(parts), writeSafetensors(tensors));
    assert.deepEqual(log, ["written", "a", "written", "b", "written", "c", "written"]);
    const other = streamSafetensors({ a: f32([2], [1, 2]) }, () => f32([1], [1]));
    await assert.rejects(
      async () => {
        for await (const part of other) parts.push(...part);
      },
      { code: "BAD_FILE" },
    );
  });

  it("pads its header to 8 bytes and says pt", () => {
    const bytes = writeSafetensors({ x: f32([1], [1]) });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    assert.equal(length % 8, 0);
    assert.match(
      new TextDecoder().decode(bytes.subarray(8, 8 + length)),
      /^\{"__metadata__":\{"format":"pt"\},.*\} *$/,
    );
  });

  it("does not write what no reader takes", () => {
    const one = f32([1], [1]);
    for (const name of ["__metadata__", "\ud800", "a\0"]) {
      assert.throws(() => writeSafetensors({ [name]: one }), { code: "BAD_FILE" });
    }
    assert.throws(() => writeSafetensors({ x: { ...one, dims: [2] } }), { code: "BAD_FILE" });
  });

  it("decodes half precisions", () => {
    const bits = [0x3c00, 0xc000, 0x0001, 0x8001, 0x7bff, 0x7c00, 0xfc00];
    const half = toFloat32({ dtype: "float16", dims: [7], data: Uint16Array.from(bits) });
    assert.deepEqual([...half.data], [1, -2, 2 ** -24, -(2 ** -24), 65504, Infinity, -Infinity]);
    assert.ok(Number.isNaN(toFloat32({ dtype: "float16", dims: [1], data: Uint16Array.of(0x7e00) }).data[0]));
    const brain = toFloat32({ dtype: "bfloat16", dims: [3], data: Uint16Array.of(0x3f80, 0xc040, 0xff80) });
    assert.deepEqual([...brain.data], [1, -3, -Infinity]);
  });

  it("takes spaces and escapes, as JSON may have them", async () => {
    const opened = await open(file(`{ "a\\u0062" :\n{ "shape":[ ], "data_offsets":[0,4] , "dtype":"F32" } }  \t`, 4));
    assert.deepEqual(opened.names, ["ab"]);
    assert.deepEqual(opened.locate("ab").dims, []);
  });

  const tensor = (inner: string): string => `{"x":{${inner}}}`;
  const hostile: Readonly<Record<string, Uint8Array>> = {
    "no bytes": new Uint8Array(),
    "a length beyond the file": file("{}", 0).fill(255, 0, 8),
    "a length above the format's limit": file("{}", 0).fill(0, 0, 8).fill(6, 3, 4),
    "a length of 0": new Uint8Array(16),
    "no JSON": file("{nope", 0),
    "JSON and more": file("{}{}", 0),
    "a comma too many": file(`{${x("[0,4]")},}`, 4),
    "a byte order mark": file("\uFEFF{}", 0),
    "a space in front": file(" {}", 0),
    "bytes that are not UTF-8": file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 0),
    "NUL behind its header": file("{}\0", 0),
    "a name with NUL": file('{"\\u0000":{}}', 0),
    "half a surrogate pair": file('{"\\ud800":{}}', 0),
    "a list": file("[]", 0),
    "a name twice": file(`{${x("[0,4]")},${x("[0,4]")}}`, 4),
    "a name twice, once escaped": file(`{${x("[0,4]")},${x("[0,4]").replace('"x"', '"\\u0078"')}}`, 4),
    "metadata twice": file('{"__metadata__":{},"__metadata__":{}}', 0),
    "a key of metadata twice": file('{"__metadata__":{"a":"b","a":"c"}}', 0),
    "metadata that is no text": file('{"__metadata__":{"a":1}}', 0),
    "a dtype twice": file(tensor('"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]'), 4),
    "a field that is not known": file(tensor('"dtype":"F32","shape":[1],"data_offsets":[0,4],"file":"/etc/passwd"'), 4),
    "a tensor without a shape": file(tensor('"dtype":"F32","data_offsets":[0,4]'), 4),
    "an unknown dtype": file(`{${x("[0,4]", "[1]", "F99")}}`, 4),
    "a dtype of objects": file(`{${x("[0,4]", "[1]", "constructor")}}`, 4),
    "a negative shape": file(`{${x("[0,4]", "[-1]")}}`, 4),
    "a fraction": file(`{${x("[0,4]", "[1.0]")}}`, 4),
    "an exponent": file(`{${x("[0,4]", "[1e0]")}}`, 4),
    "a leading zero": file(`{${x("[0,4]", "[01]")}}`, 4),
    "a number beyond 2^53": file(`{${x("[0,9007199254740993]")}}`, 4),
    "a product beyond 2^53": file(`{${x("[0,4]", "[4194305,4194305,211106198978564]")}}`, 4),
    "a product beyond 2^53 that ends at 0": file(`{${x("[0,0]", "[9007199254740991,9007199254740991,0]")}}`, 0),
    "other bytes than its shape": file(`{${x("[0,8]")}}`, 8),
    "reversed offsets": file(`{${x("[4,0]")}}`, 4),
    "three offsets": file(`{${x("[0,4,4]")}}`, 4),
    "a gap": file(`{${x("[4,8]")}}`, 8),
    "an overlap": file(`{${x("[0,4]")},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
    "an empty tensor inside another": file(`{${x("[0,4]")},"y":{"dtype":"F32","shape":[0],"data_offsets":[2,2]}}`, 4),
    "trailing bytes": file(`{${x("[0,4]")}}`, 5),
    "an end beyond the file": file(`{${x("[0,4]")}}`, 3),
    "offsets that are no numbers": file(`{${x('["0","4"]')}}`, 4),
    "depth": file(`{"x":${"[".repeat(100_000)}`, 0),
  };
  for (const [name, bytes] of Object.entries(hostile)) {
    it(`refuses ${name}`, () => assert.rejects(open(bytes), { name: "AttuneError", code: "BAD_FILE" }));
  }
  it("names dtypes that it does not read", () =>
    assert.rejects(open(file(`{${x("[0,8]", "[1]", "C64")}}`, 8)), {
      code: "UNSUPPORTED",
      message: /"C64" is not supported/,
    }));

  it("refuses a file cut anywhere", async () => {
    const whole = writeSafetensors({ a: f32([2], [1, 2]) });
    for (let n = 0; n < whole.length; n++) await assert.rejects(open(whole.slice(0, n)), { name: "AttuneError" });
  });

  it("answers any bytes with tensors inside the file or a typed error", () => {
    const whole = writeSafetensors({ a: f32([2], [1, 2]), b: i32([1, 1], [3]) });
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length - 1), fc.nat(255), (i, a, j, b) => {
        const changed = whole.slice();
        changed[i] = a;
        changed[j] = b;
        try {
          for (
            const { offset, bytes, dims, dtype } of parseSafetensorsHeader(changed, changed.length).tensors.values()
          ) {
            assert.ok(
              offset >= 8 && offset + bytes <= changed.length && bytes === sizeOf(dims) * bytesPerElement[dtype],
            );
          }
        } catch (error) {
          assert.ok(error instanceof AttuneError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("refuses a file of too many tensors, soon", () => {
    const many = Array.from({ length: 100_000 }, (_, i) => x("[0,0]", "[0]").replace('"x"', `"${i}"`)).join();
    const bytes = file(`{${many}}`, 0);
    assert.throws(() => parseSafetensorsHeader(bytes, bytes.length), /more than 65536 tensors/);
  });

  it("asks for no more than the header and the tensor it reads", async () => {
    const asked: number[] = [];
    const bytes = writeSafetensors({ a: f32([1000], new Float32Array(1000)), b: f32([2], [1, 2]) });
    const opened = await openSafetensors(storeOf({ f: bytes }, asked), "f");
    await opened.read("b");
    assert.deepEqual(asked, [8, bytes.length - 4008, 8]);
    await assert.rejects(opened.read("c"), { code: "MISSING" });
  });

  it("notices a file that changes under its hands", () =>
    assert.rejects(
      openSafetensors(storeOf({ f: writeSafetensors({ a: f32([1], [1]) }), changing: new Uint8Array() }), "f"),
      /changed while it was read/,
    ));
});

describe("weights", () => {
  const shards = {
    "model-1-of-2.safetensors": writeSafetensors({ a: f32([1], [5]) }),
    "model-2-of-2.safetensors": writeSafetensors({ b: { dtype: "bfloat16", dims: [1], data: Uint16Array.of(0x40c0) } }),
  };
  const index = (map: unknown): Record<string, Uint8Array> => ({
    "model.safetensors.index.json": utf8(JSON.stringify({ metadata: { total_size: 6 }, weight_map: map })),
  });
  const map = { a: "model-1-of-2.safetensors", b: "model-2-of-2.safetensors" };

  it("come from one file or from shards, as float32", async () => {
    const weights = await openWeights(storeOf({ ...shards, ...index(map) }));
    assert.deepEqual(weights.names, ["a", "b"]);
    assert.deepEqual(await weights.read("b"), f32([1], [6]));
    assert.deepEqual([weights.locate("b")?.dtype, weights.locate("none")], ["bfloat16", undefined]);
    await assert.rejects(weights.read("none"), { code: "MISSING" });
    const single = await openWeights(
      storeOf({ "model.safetensors": shards["model-1-of-2.safetensors"], ...index(map) }),
    );
    assert.deepEqual(single.names, ["a"]);
  });
  it("refuse shard names that are paths, before anything is opened", async () => {
    for (
      const name of [
        "../x.safetensors",
        "/x.safetensors",
        "a\\..\\x.safetensors",
        "%2e%2e/x.safetensors",
        "https://x/y.safetensors",
        "..safetensors",
        "x.bin",
        1,
      ]
    ) {
      const asked: number[] = [];
      const store = storeOf({ ...shards, ...index({ a: name }) }, asked);
      await assert.rejects(openWeights(store), { code: "BAD_FILE", message: /not a plain file name/ });
      assert.equal(asked.length, 1);
    }
  });
  it("refuse an index that does not fit its shards", async () => {
    const opened = (files: Record<string, Uint8Array>) => openWeights(storeOf(files));
    await assert.rejects(opened({ ...shards, ...index({ ...map, a: map.b }) }), /lacks tensor "a"/);
    await assert.rejects(opened({ ...index(map) }), {
      code: "MISSING",
      message: /model-1-of-2.safetensors is missing/,
    });
    await assert.rejects(opened({ ...shards, ...index({}) }), { code: "BAD_FILE" });
    await assert.rejects(opened({ ...shards, ...index([]) }), { code: "BAD_FILE" });
    await assert.rejects(opened({ "model.safetensors.index.json": utf8("{") }), /is not JSON/);
    await assert.rejects(opened({ "model.safetensors.index.json": utf8("null") }), { code: "BAD_FILE" });
    const twice = { ...shards, "model-2-of-2.safetensors": shards["model-1-of-2.safetensors"] };
    await assert.rejects(opened({ ...twice, ...index(map) }), /has tensor "a", which/);
  });
  it("say what is there where they are missing", async () => {
    const has = async (name: string, said: RegExp): Promise<void> => {
      const folder = storeOf({
        "config.json": utf8("{}"),
        "training_args.bin": new Uint8Array(1),
        [name]: new Uint8Array(1),
      });
      await assert.rejects(openWeights(folder), (error: AttuneError) => {
        assert.equal(error.code, "MISSING");
        assert.match(error.message, /the folder \(it has .*config\.json.*\): model\.safetensors is missing: /);
        assert.ok(error.message.includes(`: ${name} is `), error.message);
        assert.match(error.message, said);
        return true;
      });
    };
    await has(
      "pytorch_model.bin",
      /safe_serialization=True.*what config.json names.*spaces\/safetensors\/convert/,
    );
    await has("pytorch_model-00001-of-00002.bin", /safe_serialization=True/);
    await has("pytorch_model.bin.index.json", /safe_serialization=True/);
    await has("consolidated.00.pth", /safe_serialization=True/);
    await has("tf_model.h5", /from_tf=True/);
    await has("flax_model.msgpack", /from_flax=True/);
    await has("onnx/model.onnx", /the checkpoint that it was made of/);
    await has("model.fp16.safetensors", /rename it/);
    await has("adapter_model.safetensors", /as the model, and this folder as the adapter's `from`/);
    await assert.rejects(openWeights(storeOf({ "training_args.bin": new Uint8Array(1) })), /missing$/);
    await assert.rejects(openWeights(storeOf({})), /the folder \(it has nothing\): model\.safetensors is missing$/);
    const page = fetchedStore("http://files.test/model/", async (url, init) => {
      const isThere = String(url).endsWith("/model/pytorch_model.bin");
      assert.ok(!isThere || init?.method === "HEAD", "a large file is not fetched to be named");
      return new Response(null, { status: isThere ? 200 : 404 });
    });
    await assert.rejects(openWeights(page), /pytorch_model\.bin is PyTorch's.*safe_serialization=True/);
    const peft = storeOf({ "adapter_model.bin": new Uint8Array(1) });
    await assert.rejects(
      openSafetensors(peft, "adapter_model.safetensors"),
      /adapter_model\.bin is PyTorch.s.*PeftModel.*safe_serialization=True/,
    );
  });

  const model = sharedPath("models/all-MiniLM-L6-v2/model.safetensors");
  it("read a checkpoint of the hub", { skip: model === undefined && SKIP_REASON }, async () => {
    const weights = await openWeights(directoryStore(dirname(model ?? "")));
    const name = "embeddings.word_embeddings.weight";
    assert.deepEqual((await weights.read(name)).dims, [30522, 384]);
    const at = weights.locate(name);
    assert.deepEqual([at?.file?.endsWith("model.safetensors"), at?.bytes, (at?.offset ?? 1) % 4], [
      true,
      30522 * 384 * 4,
      0,
    ]);
  });
});
