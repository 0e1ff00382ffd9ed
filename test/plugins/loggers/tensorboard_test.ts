import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host, Run, TrainingEvent } from "../../../core/types.ts";
import { tensorboard } from "../../../plugins/loggers/tensorboard.ts";
import { crc32c, maskCrc } from "../../../plugins/loggers/tensorboard/tfevents.ts";
import { loggedEvents, watchedStore } from "../../../conformance/mod.ts";

type Field = Readonly<{ field: number; value: number | Uint8Array }>;

/** The data of each record, with its checksums verified. */
function records(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    const data = bytes.subarray(at + 12, at + 12 + length);
    assert.equal(view.getUint32(at + 8, true), maskCrc(crc32c(bytes.subarray(at, at + 8))));
    assert.equal(view.getUint32(at + 12 + length, true), maskCrc(crc32c(data)));
    found.push(data);
    at += length + 16;
  }
  return found;
}

/** The fields of a protobuf message: numbers, doubles and floats as numbers, the rest as bytes. */
function fields(data: Uint8Array): Field[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let at = 0;
  const varint = (): number => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = data[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  const found: Field[] = [];
  while (at < data.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    if (key % 8 === 0) found.push({ field, value: varint() });
    else if (key % 8 === 1) found.push({ field, value: view.getFloat64((at += 8) - 8, true) });
    else if (key % 8 === 5) found.push({ field, value: view.getFloat32((at += 4) - 4, true) });
    else {
      const length = varint();
      found.push({ field, value: data.subarray(at, at += length) });
    }
  }
  return found;
}

const bytesAt = (list: readonly Field[], field: number): Uint8Array => {
  const value = list.find((f) => f.field === field)?.value;
  return value instanceof Uint8Array ? value : new Uint8Array();
};
const textAt = (list: readonly Field[], field: number): string => new TextDecoder().decode(bytesAt(list, field));
const numberAt = (list: readonly Field[], field: number): number => {
  const value = list.find((f) => f.field === field)?.value;
  return typeof value === "number" ? value : 0;
};

type Scalar = Readonly<{ step: number; tag: string; value: number }>;

function scalars(bytes: Uint8Array): Scalar[] {
  return records(bytes).map(fields).flatMap((event) =>
    fields(bytesAt(event, 5)).flatMap(({ value }): Scalar[] => {
      if (!(value instanceof Uint8Array)) return [];
      const entry = fields(value);
      return entry.some((f) => f.field === 2)
        ? [{ step: numberAt(event, 2), tag: textAt(entry, 1), value: numberAt(entry, 2) }]
        : [];
    })
  );
}

const host = { clock: { now: () => 0 } } as Host;
const run = {
  name: "reviews",
  spec: { version: 1, name: "reviews" },
  training: { loggingSteps: 2, loggingStrategy: "steps", loggingFirstStep: true },
} as unknown as Run;

async function write(
  events: readonly TrainingEvent[],
  store: ReturnType<typeof watchedStore> = watchedStore(),
): Promise<Map<string, Uint8Array>> {
  const sink = await tensorboard().open(host, run, store);
  for (const event of events) sink.log(event);
  await sink.close();
  return store.files;
}

test("checksums are CRC-32C, masked", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa); // RFC 3720, B.4
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
});

test("a file begins with its version, and holds scalars under transformers' tags", async () => {
  const before = Date.now() / 1000;
  const files = await write(loggedEvents);
  const after = Date.now() / 1000;
  const [name = "", bytes = new Uint8Array()] = [...files][0] ?? [];
  assert.match(name, /^tensorboard\/events\.out\.tfevents\.\d{10}\.attune\.0000$/);
  const first = fields(records(bytes)[0] ?? new Uint8Array());
  assert.equal(textAt(first, 3), "brain.Event:2");
  assert.ok(numberAt(first, 1) >= before - 1 && numberAt(first, 1) <= after + 1, `${numberAt(first, 1)}`);
  const logged = scalars(bytes);
  const of = (tag: string): (readonly [number, number])[] =>
    logged.filter((s) => s.tag === tag).map((s) => [s.step, s.value]);
  assert.deepEqual(of("train/loss"), [[1, 1], [2, 0.5], [4, Math.fround(1 / 3)], [
    6,
    Math.fround((1 / 5 + 1 / 6) / 2),
  ]]);
  assert.deepEqual(of("eval/accuracy"), [[2, 0.75], [4, 0.5], [6, 1]]);
  assert.deepEqual(of("train/grad_norm").at(-1), [6, 1.5]);
  assert.deepEqual([...new Set(logged.map((s) => s.tag))].sort(), [
    "eval/accuracy",
    "eval/loss",
    "train/epoch",
    "train/grad_norm",
    "train/learning_rate",
    "train/loss",
  ]);
});

test("a resumed run adds a file that says from which step on older ones do not count", async () => {
  const store = watchedStore();
  await write(loggedEvents.slice(0, 10), store);
  const resumed: TrainingEvent[] = [];
  for (const event of loggedEvents) {
    if (event.type === "start") resumed.push({ ...event, step: 2, epoch: 1 });
    else if (event.step > 2) resumed.push(event);
  }
  const files = await write(resumed, store);
  const names = [...files.keys()];
  assert.equal(names.length, 2);
  assert.deepEqual(names, names.toSorted());
  const events = records([...files.values()][1] ?? new Uint8Array()).map(fields);
  const restart = events.find((e) => e.some((f) => f.field === 7)) ?? [];
  assert.equal(numberAt(restart, 2), 3);
  assert.deepEqual(fields(bytesAt(restart, 7)), [{ field: 1, value: 1 }]);
});
