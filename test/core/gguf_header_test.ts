import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AttuneError } from "../../core/base/errors.ts";
import { openGguf } from "../../core/gguf/file.ts";
import { ggufIn } from "../../core/files/gguf_folder.ts";
import { createRandom } from "../../core/math/random.ts";
import { heldStore } from "../tiny.ts";

const encoder = new TextEncoder();

/** Bytes one after another: texts as such, numbers as u32, bigints as u64. */
function bytesOf(...parts: readonly (string | number | bigint | Uint8Array)[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => {
    if (typeof part === "string") return [...encoder.encode(part)];
    if (part instanceof Uint8Array) return [...part];
    const view = new DataView(new ArrayBuffer(typeof part === "bigint" ? 8 : 4));
    if (typeof part === "bigint") view.setBigUint64(0, part, true);
    else view.setUint32(0, part, true);
    return [...new Uint8Array(view.buffer)];
  }));
}
const text = (value: string): Uint8Array => bytesOf(BigInt(encoder.encode(value).length), value);
const head = (tensors: bigint, keys: bigint): Uint8Array => bytesOf("GGUF", 3, tensors, keys);
const tensor = (name: string, dims: readonly bigint[], type: number, offset: bigint): Uint8Array =>
  bytesOf(text(name), dims.length, ...dims, type, offset);
/** A file of tensors: its header, filled up to a multiple of 32, and so many bytes. */
function fileOf(keys: readonly Uint8Array[], tensors: readonly Uint8Array[], data: number): Uint8Array {
  const header = bytesOf(head(BigInt(tensors.length), BigInt(keys.length)), ...keys, ...tensors);
  const out = new Uint8Array(Math.ceil(header.length / 32) * 32 + data);
  out.set(header);
  return out;
}
const open = async (file: Uint8Array) => await openGguf(heldStore({ "a.gguf": file }), "a.gguf");
const most = 2n ** 60n;

describe("a GGUF file that claims what is not so is refused, and where", () => {
  const key = (name: string, type: number, ...rest: (string | number | bigint | Uint8Array)[]) =>
    bytesOf(text(name), type, ...rest);
  const refusals: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    "no magic": [bytesOf("GGML", 3, 0n, 0n), /a\.gguf: is not a GGUF file: it starts with the bytes 71 71 77 76/],
    "nothing at all": [new Uint8Array(0), /is not a GGUF file/],
    "no more than the magic": [bytesOf("GGUF"), /ends within its header: its version, at byte 4/],
    "tensors without end": [head(most, 0n), /1152921504606846976/],
    "keys without end": [head(0n, 90_000n), /90000 keys, in 24 bytes/],
    "a name beyond the end": [
      bytesOf(head(0n, 1n), 4096n, "ab", new Uint8Array(20)),
      /the name of key 0, .*4096 bytes/,
    ],
    "a text beyond the end": [
      fileOf([key("general.name", 8, most, "x")], [], 32),
      /the length of the key "general\.name" is 1152921504606846976/,
    ],
    "a list without end": [fileOf([key("a.list", 9, 4, most)], [], 32), /the number of values of the key "a\.list"/],
    "a list beyond the end": [
      fileOf([key("a.list", 9, 4, 1000n)], [], 32),
      /the key "a\.list" is a list of 1000 values/,
    ],
    "a list of lists": [fileOf([key("a.list", 9, 9, 1n, 4, 1n, 7)], [], 32), /"a\.list" is a list of lists/],
    "a list of what there is not": [
      fileOf([key("a.list", 9, 77, 1n)], [], 32),
      /"a\.list" is a list of values of type 77/,
    ],
    "a value of what there is not": [fileOf([key("a.b", 77, 1)], [], 32), /"a\.b" is a value of type 77/],
    "a key twice": [fileOf([key("a.b", 4, 1), key("a.b", 4, 2)], [], 32), /has the key "a\.b" twice/],
    "an odd alignment": [fileOf([key("general.alignment", 4, 48)], [], 32), /alignment 48/],
    "no alignment": [fileOf([key("general.alignment", 8, text("x"))], [], 32), /alignment "x"/],
    "a type that is not read": [fileOf([], [tensor("w", [32n], 99, 0n)], 128), /type 99/],
    "many dimensions": [fileOf([], [tensor("w", [1n, 1n, 1n, 1n, 1n], 0, 0n)], 128), /"w" has 5 dimensions/],
    "no rows": [fileOf([], [tensor("w", [0n, 4n], 0, 0n)], 128), /"w" has the dims \[4,0\]/],
    "half a block": [fileOf([], [tensor("w", [48n], 2, 0n)], 128), /rows of 48 values; Q4_0 has blocks of 32/],
    "more values than numbers": [
      fileOf([], [tensor("w", [2n ** 30n, 2n ** 30n, 2n ** 30n], 0, 0n)], 128),
      /ends before the tensor "w" does/,
    ],
    "a tensor beyond the end": [fileOf([], [tensor("w", [64n], 0, 0n)], 128), /256 bytes from byte/],
    "an offset beyond the end": [fileOf([], [tensor("w", [4n], 0, 2n ** 52n)], 128), /ends before the tensor "w" does/],
    "an offset between places": [fileOf([], [tensor("w", [4n], 0, 7n)], 128), /"w" lies at 7/],
    "tensors upon each other": [
      fileOf([], [tensor("v", [16n], 0, 0n), tensor("w", [16n], 0, 32n)], 256),
      /"v" and "w" overlap/,
    ],
    "a tensor twice": [
      fileOf([], [tensor("w", [4n], 0, 0n), tensor("w", [4n], 0, 32n)], 256),
      /has the tensor "w" twice/,
    ],
  };
  for (const [name, [file, message]] of Object.entries(refusals)) {
    it(name, async () => {
      await assert.rejects(open(file), (error) => error instanceof AttuneError && message.test(error.message));
    });
  }
  it("what is sound is read, whatever its names are", async () => {
    const keys = [key("__proto__", 4, 7), key("a.list", 9, 8, 2n, text("x"), text("yz"))];
    const file = await open(fileOf(keys, [tensor("w", [2n, 3n], 0, 32n)], 64));
    assert.deepEqual(Object.entries(file.metadata), [["__proto__", 7], ["a.list", ["x", "yz"]]]);
    assert.deepEqual((await file.read("w")).dims, [3, 2]);
  });
});

describe("a GGUF file with bytes changed or cut", () => {
  const whole = fileOf(
    [
      bytesOf(text("general.architecture"), 8, text("llama")),
      bytesOf(text("a.list"), 9, 4, 3n, 1, 2, 3),
      bytesOf(text("a.texts"), 9, 8, 2n, text("one"), text("two")),
    ],
    [tensor("v", [32n, 2n], 2, 0n), tensor("w", [4n, 4n], 0, 64n)],
    128,
  );
  it("is read or refused by an error of its own, in memory that its size bounds", async () => {
    const random = createRandom(5);
    const below = (index: number, end: number): number => Math.floor(random.uniform(index) * end);
    for (let round = 0; round < 3000; round++) {
      const file = whole.slice(0, round % 3 === 0 ? below(20 * round, whole.length) : whole.length);
      for (let change = 0; change <= round % 4 && file.length > 0; change++) {
        file[below(20 * round + 2 * change + 1, file.length)] = below(20 * round + 2 * change + 2, 256);
      }
      try {
        const { tensors, read } = await open(file);
        for (const name of tensors.keys()) await read(name);
      } catch (error) {
        assert.ok(error instanceof AttuneError, `round ${round}: ${error}`);
      }
    }
  });
});

describe("a tensor of a GGUF file", () => {
  it("is decoded in pieces that are much smaller than it", async () => {
    const rows = 2n ** 16n;
    const bytes = fileOf([], [tensor("w", [64n, rows], 8, 0n)], Number(rows) * 2 * 34);
    const data = bytes.length - Number(rows) * 2 * 34;
    // One scale each: 1 in the first block, 2 in the last.
    bytes.set([0x00, 0x3c, 5], data);
    bytes.set([0x00, 0x40, 7], bytes.length - 34);
    const asked: number[] = [];
    const store = heldStore({ "a.gguf": bytes });
    const get: typeof store.get = (key, range) => {
      asked.push(range?.length ?? Infinity);
      return store.get(key, range);
    };
    const file = await openGguf({ ...store, get }, "a.gguf");
    const { data: values, dims } = await file.read("w");
    assert.deepEqual([dims, values[0], values[values.length - 32]], [[Number(rows), 64], 5, 14]);
    assert.ok(asked.length > 2 && Math.max(...asked) <= 2 ** 22, asked.join(" "));
  });
  it("of plain floats lies where a host can map it; of others it does not", async () => {
    const bytes = fileOf([], [tensor("w", [4n, 2n], 1, 0n), tensor("q", [32n], 2, 32n)], 64);
    const file = await openGguf({ ...heldStore({ "a.gguf": bytes }), locate: async () => "/real/a.gguf" }, "a.gguf");
    const offset = bytes.length - 64;
    assert.deepEqual(file.locate("w"), { file: "/real/a.gguf", offset, bytes: 16, dtype: "float16", dims: [2, 4] });
    assert.deepEqual(file.locate("w", [1, 1]), {
      file: "/real/a.gguf",
      offset: offset + 8,
      bytes: 8,
      dtype: "float16",
      dims: [1, 4],
    });
    assert.equal(file.locate("q").file, undefined);
  });
});

describe("the GGUF file of a folder", () => {
  const file = new Uint8Array(4);
  it("is the only one, where there are no other weights", async () => {
    assert.equal(await ggufIn(heldStore({ "a.gguf": file, "config.json": file, "below/b.gguf": file })), "a.gguf");
    assert.equal(await ggufIn(heldStore({ "a.gguf": file, "model.safetensors": file })), undefined);
    assert.equal(await ggufIn(heldStore({ "config.json": file })), undefined);
    await assert.rejects(
      ggufIn(heldStore({ "a.gguf": file, "b.gguf": file })),
      /has 2 GGUF files: choose one of "a\.gguf", "b\.gguf"/,
    );
  });
});
