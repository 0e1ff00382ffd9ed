/** Laying samples out as batches: labels of places. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layOut, plainLayout } from "../../core/loop/layout.ts";
import type { Sample } from "../../core/types.ts";

const sample = (row: number, ids: number[], labels: number[]): Sample => ({
  sequences: [{
    length: ids.length,
    fields: {
      input_ids: { axis: "token", data: Int32Array.from(ids), padValue: 0 },
      labels: { axis: "token", data: Int32Array.from(labels), padValue: -100, ignoreIndex: -100 },
    },
  }],
  targets: {},
  row,
});
const samples = [sample(0, [1, 2, 3], [-100, 7, -100]), sample(1, [4, 5], [8, 9])];

for (const share of [false, true]) {
  it(`labels of places are those that count, and where they are (${share ? "shared rows" : "padded"})`, () => {
    const { inputs } = layOut(samples, { ...plainLayout, rowSharing: share });
    const ids = inputs.input_ids?.data ?? [];
    const at = [...inputs["labels.at"]?.data as Int32Array];
    assert.deepEqual(inputs.labels?.dims, [3]);
    assert.deepEqual(at, [...at].sort((a, b) => a - b));
    const found = at.map((place, i) => [Number(ids[place]), Number(inputs.labels?.data[i])]);
    assert.deepEqual(new Map(found as [number, number][]), new Map([[2, 7], [4, 8], [5, 9]]));
  });
}

it("a sequence stands in the same row of both sides, under the same number, however rows are shared", () => {
  const size = fc.record({ length: fc.integer({ min: 1, max: 40 }), decoderLength: fc.integer({ min: 1, max: 90 }) });
  fc.assert(fc.property(fc.array(size, { minLength: 1, maxLength: 9 }), fc.boolean(), (sizes, share) => {
    const both = sizes.map(({ length, decoderLength }, row): Sample => ({
      sequences: [{
        length,
        decoderLength,
        fields: {
          input_ids: { axis: "token", data: new Int32Array(length).fill(row + 1), padValue: 0 },
          decoder_input_ids: { axis: "decoderToken", data: new Int32Array(decoderLength).fill(row + 1), padValue: 0 },
        },
      }],
      targets: {},
      row,
    }));
    const { inputs, batch, seq, decoder } = layOut(both, { ...plainLayout, rowSharing: share });
    assert.ok(decoder);
    assert.deepEqual(inputs.decoder_input_ids?.dims, [batch, decoder.seq]);
    const tokensBySegment = (ids: string, segments: string, width: number): Map<number, string> => {
      const places = new Map<number, string>();
      for (let i = 0; i < batch * width; i++) {
        const id = Number(inputs[ids]?.data[i]);
        if (id > 0) places.set(id, `${Math.floor(i / width)} ${inputs[segments]?.data[i]}`);
      }
      return places;
    };
    const tokens = tokensBySegment("input_ids", "segments", seq);
    assert.equal(new Set(tokens.values()).size, sizes.length);
    assert.deepEqual(
      tokens,
      new Map(
        [...tokens].map(([id]) => [id, tokensBySegment("decoder_input_ids", "decoder_segments", decoder.seq).get(id)]),
      ),
    );
  }));
});

it("the last virtual token predicts a sequence's first one", () => {
  const next = (row: number, ids: number[]): Sample => ({
    sequences: [{
      length: ids.length,
      fields: {
        input_ids: { axis: "token", data: Int32Array.from(ids), padValue: 0 },
        labels: { axis: "token", data: Int32Array.from(ids), padValue: -100, ignoreIndex: -100, shift: 1 },
      },
    }],
    targets: {},
    row,
  });
  const texts = [next(0, [5, 6, 7]), next(1, [8])];
  const plain = layOut(texts, plainLayout).inputs;
  assert.deepEqual([...plain["labels.at"]?.data ?? []], [0, 1]);
  const { inputs } = layOut(texts, { ...plainLayout, reserve: { tokens: 2, positions: 0 } });
  assert.deepEqual([...inputs.labels?.data ?? []], [5, 6, 7, 8]);
  assert.deepEqual([...inputs["labels.at"]?.data ?? []], [1, 2, 3, 6]);
});

describe("rows that several sequences share", () => {
  const sequences = (lengths: readonly number[]): Sample[] =>
    lengths.map((length, row) =>
      ({
        row,
        sequences: [{
          length,
          fields: {
            input_ids: { axis: "token", data: Int32Array.from({ length }, (_, i) => 1000 * row + i), padValue: 0 },
          },
        }],
        targets: {},
      }) as unknown as Sample
    );
  const shared = { ...plainLayout, rowSharing: true };

  it("are evenly filled where that saves more padding than attention costs", () => {
    // No two of these fit into rows of the longest; in eight rows there is hardly any padding.
    const lengths = [78, 77, 74, 73, 70, 69, 67, 64, 41, 40, 37, 35, 31, 30, 28, 27];
    const { batch, seq, tokens } = layOut(sequences(lengths), shared);
    assert.equal(tokens, lengths.reduce((a, b) => a + b, 0));
    assert.ok(batch * seq < 1.05 * tokens, `${batch} rows of ${seq}`);
  });

  it("are no longer than the longest where attention would outweigh it", () => {
    const { batch, seq } = layOut(sequences([1000, 600, 600, 600]), shared);
    assert.deepEqual([batch, seq], [4, 1000]);
  });

  it("hold every token once, whatever the lengths", () => {
    const length = fc.integer({ min: 1, max: 200 });
    fc.assert(fc.property(fc.array(length, { minLength: 1, maxLength: 40 }), (lengths) => {
      const { inputs, batch, seq, tokenOrigins: places } = layOut(sequences(lengths), shared);
      const ids = inputs.input_ids?.data as Int32Array;
      const seen = new Set<number>();
      for (let at = 0; at < batch * seq; at++) {
        const [sequence = -1, place = -1] = [places[2 * at], places[2 * at + 1]];
        if (sequence < 0) continue;
        assert.equal(ids[at], 1000 * sequence + place);
        assert.equal(inputs.positions?.data[at], place);
        seen.add(1000 * sequence + place);
      }
      assert.equal(seen.size, lengths.reduce((a, b) => a + b, 0));
    }));
  });
});
