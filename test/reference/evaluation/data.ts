/** What transforms are made of, beside scikit-learn's, datatrove's and planted figures. */
import assert from "node:assert/strict";
import {
  failedQuality,
  failedRepetition,
  gopher,
  isIban,
  isLuhn,
  personalKinds,
  personalSpans,
} from "../../../blocks/transform/mod.ts";
import { type Check, check } from "../../../conformance/check.ts";
import { classWeights, temperatureShares } from "../../../plugins/transforms/balance.ts";
import { allNear } from "../../near.ts";

/** `balance.json`: weights of classes, and shares by temperature. */
export type BalanceFigures = Readonly<{
  classWeights: readonly Readonly<{ labels: readonly number[]; expected: Readonly<{ classes: readonly number[] }> }>[];
  temperature: readonly Readonly<
    { sizes: readonly number[]; temperature?: number | null; cap?: number | null; expected: readonly number[] }
  >[];
}>;

/** `quality.json`: texts, and the first rule of each set that fails. */
export type QualityRows = readonly Readonly<{ text: string; quality: string | null; repetition: string | null }>[];

/** `pii.json`: lines with what is personal in them, and numbers with whether their digits hold. */
export type PersonalLines = Readonly<{
  lines: readonly Readonly<{ text: string; spans: readonly unknown[] }>[];
  checks: Readonly<{
    luhn: readonly Readonly<{ digits: string; valid: boolean }>[];
    iban: readonly Readonly<{ value: string; valid: boolean }>[];
  }>;
}>;

/** Within 1e-12. */
export function balanceChecks({ classWeights: weights, temperature }: BalanceFigures): Check[] {
  return [
    ...weights.map(({ labels, expected }, i) =>
      check(`weights of classes ${i}`, () => {
        const sizes: number[] = [];
        for (const label of labels) sizes[label] = (sizes[label] ?? 0) + 1;
        allNear(classWeights(sizes), expected.classes, 1e-12);
      })
    ),
    ...temperature.map(({ sizes, temperature, cap, expected }) =>
      check(`shares of ${sizes} at ${temperature}, capped at ${cap}`, () => {
        allNear(temperatureShares(sizes, temperature ?? 1, cap ?? null), expected, 1e-12);
      })
    ),
  ];
}

/** The first rule that fails. */
export function qualityChecks(rows: QualityRows): Check[] {
  return rows.map(({ text, quality, repetition }, i) =>
    check(`quality of row ${i}`, () => {
      const words = text.split(/\s+/u).filter((word) => word !== "");
      assert.equal(failedQuality(text, words, gopher) ?? null, quality);
      assert.equal(failedRepetition(text, words, gopher) ?? null, repetition);
    })
  );
}

/** What is personal, and nothing else. */
export function personalChecks({ lines, checks }: PersonalLines): Check[] {
  return [
    ...lines.map(({ text, spans }, i) =>
      check(`what is personal in line ${i}`, () => {
        const found = personalSpans(text, personalKinds)
          .map(({ kind, from: start, to: end }) => ({ kind, start, end, text: text.slice(start, end) }));
        assert.deepEqual(found, spans);
      })
    ),
    check(
      "digits of cards",
      () => checks.luhn.forEach(({ digits, valid }) => assert.equal(isLuhn(digits), valid, digits)),
    ),
    check(
      "digits of accounts",
      () => checks.iban.forEach(({ value, valid }) => assert.equal(isIban(value), valid, value)),
    ),
  ];
}
