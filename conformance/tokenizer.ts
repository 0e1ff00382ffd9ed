/** Checks of tokenizers. */
import type { EncodeOptions, Encoding, Host, Store, Tokenizer, TokenizerLoader } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import { readOnlyStore } from "./tiny/host.ts";

/** Inputs of a tokenizer's checks, and reference encodings. */
export type TokenizerFigures = Readonly<{
  /** A checkpoint's files. Default: none. */
  files?: Store;
  /** A plain text of at least five words. */
  text?: string;
  /** Encodings by another program, with offsets in UTF-16 units. */
  encodings?: readonly Readonly<{
    text: string;
    options?: EncodeOptions;
    ids: readonly number[];
    offsets?: readonly number[];
  }>[];
}>;

/** Maximum seconds for a million characters, on any machine. */
const SECONDS = 60;

/** Returns the checks of a tokenizer. */
export function tokenizerChecks(source: TokenizerLoader, figures: TokenizerFigures, host: Host): readonly Check[] {
  const { files = readOnlyStore({}), text = "the film was very good and the food was not bad", encodings = [] } =
    figures;
  const open = async (): Promise<Tokenizer> => await source.open(files);
  const ids = ({ ids }: Encoding): number[] => [...ids];
  const specials = ({ specialTokensMask }: Encoding): number => specialTokensMask.filter((x) => x === 1).length;
  return [
    check("gives the same, whoever opens it and however often", async () => {
      const [a, b] = [await open(), await open()];
      assert.equal(a.fingerprint, b.fingerprint);
      const first = a.encode(text);
      assert.deepEqual(a.encode(text), first, "a second call");
      assert.deepEqual(b.encode(text), first, "another one opened");
      const [{ ids }] = first;
      assert.ok(ids.length > 0 && ids.every((id) => id >= 0 && id < a.vocabSize), `ids ${ids} of ${a.vocabSize}`);
    }),
    check("tells the ids and offsets of other programs", async () => {
      const tokenizer = await open();
      for (const { text, options, ids: wanted, offsets } of encodings) {
        const [encoding] = tokenizer.encode(text, options);
        assert.deepEqual(ids(encoding), [...wanted], text);
        if (offsets) assert.deepEqual([...encoding.offsets], [...offsets], `offsets of ${text}`);
      }
    }),
    check("offsets cover the text, and words are counted", async () => {
      const [encoding] = (await open()).encode(text);
      const { offsets, specialTokensMask, wordIds, sequenceIds } = encoding;
      const covered = new Set<number>();
      let word = -1;
      specialTokensMask.forEach((special, i) => {
        if (special === 1) {
          assert.deepEqual([wordIds[i], sequenceIds[i]], [-1, -1], `token ${i} is special`);
          return;
        }
        const [start = NaN, end = NaN] = offsets.subarray(2 * i, 2 * i + 2);
        assert.ok(start >= 0 && start <= end && end <= text.length, `token ${i} is from ${start} to ${end}`);
        for (let at = start; at < end; at++) covered.add(at);
        assert.ok((wordIds[i] ?? NaN) >= word, `token ${i} is of word ${wordIds[i]}, behind ${word}`);
        word = wordIds[i] ?? NaN;
      });
      checkPlaces(text, encoding);
      const missed = [...text].filter((character, i) => character.trim() !== "" && !covered.has(i));
      assert.deepEqual(missed, [], "characters in no token");
    }),
    check("cut texts keep their special tokens and their length", async () => {
      const tokenizer = await open();
      const [whole] = tokenizer.encode(text);
      const most = specials(whole) + 4;
      const [short] = tokenizer.encode(text, { maxLength: most, truncation: true });
      assert.ok(short.ids.length <= most, `${short.ids.length} tokens of at most ${most}`);
      assert.equal(specials(short), specials(whole), "special tokens");
      const textIds = (encoding: Encoding): number[] =>
        ids(encoding).filter((_, i) => encoding.specialTokensMask[i] === 0);
      const textPart = textIds(short);
      assert.deepEqual(textPart, textIds(whole).slice(0, textPart.length), "the tokens it begins with");
    }),
    check("windows overlap by their stride, and join to the whole", async () => {
      const tokenizer = await open();
      const [whole] = tokenizer.encode(text, { addSpecialTokens: false });
      const stride = 2;
      const options = {
        maxLength: 5,
        truncation: true,
        stride,
        returnOverflowingTokens: true,
        addSpecialTokens: false,
      } as const;
      const encodings = tokenizer.encode(text, options);
      const windows = encodings.map(ids);
      assert.ok(windows.length > 1, "one window");
      const places = encodings.flatMap(({ offsets }, i) => [...offsets.subarray(i === 0 ? 0 : 2 * stride)]);
      assert.deepEqual(places, [...whole.offsets], "offsets of windows are within the text");
      const joined = windows.flatMap((window, i) => (i === 0 ? window : window.slice(stride)));
      assert.deepEqual(joined, ids(whole));
      windows.slice(1).forEach((window, i) =>
        assert.deepEqual(window.slice(0, stride), windows[i]?.slice(-stride), `windows ${i} and ${i + 1}`)
      );
    }),
    pairCheck(open, text),
    check("what it decodes is the text again, to itself", async () => {
      const tokenizer = await open();
      const [{ ids: single }] = tokenizer.encode(text);
      const back = tokenizer.decode(single, { skipSpecialTokens: true });
      assert.deepEqual(
        ids(tokenizer.encode(back)[0]),
        [...single],
        `${JSON.stringify(back)} of ${JSON.stringify(text)}`,
      );
    }),
    check("a million characters take their time, and no more", async () => {
      const tokenizer = await open();
      const long = `${text} `.repeat(Math.ceil(1e6 / text.length));
      const start = host.clock.now();
      const [encoding] = tokenizer.encode(long);
      const [word] = tokenizer.encode("good".repeat(25_000));
      const seconds = (host.clock.now() - start) / 1000;
      assert.ok(encoding.ids.length > 1000 && word.ids.length > 0, "few tokens");
      assert.ok(seconds < SECONDS, `${seconds} s`);
    }),
    check("no text and signs of any kind are texts, too", async () => {
      const tokenizer = await open();
      for (const text of ["", " ", "\n\t", "\u0000", "\ud800", "e\u0301", "👩‍👩‍👧", "مرحبا", "电影"]) {
        const [encoding] = tokenizer.encode(text);
        assert.equal(encoding.offsets.length, 2 * encoding.ids.length, JSON.stringify(text));
        assert.ok(encoding.ids.every((id) => id >= 0 && id < tokenizer.vocabSize), JSON.stringify(text));
      }
    }),
  ];
}

/** Checks offsets in plain words: tokens do not overlap, and none includes the space after its word. */
function checkPlaces(text: string, { offsets, specialTokensMask }: Encoding): void {
  if (!/^[a-z ]*$/.test(text)) return;
  let last = 0;
  for (let i = 0; i < specialTokensMask.length; i++) {
    if (specialTokensMask[i] === 1) continue;
    const [start = NaN, end = NaN] = offsets.subarray(2 * i, 2 * i + 2);
    const piece = text.slice(start, end);
    assert.ok(start >= last, `token ${i} is from ${start}, the one before it to ${last}`);
    assert.ok(!/[a-z] +$/.test(piece), `token ${i} is ${JSON.stringify(piece)}, from ${start} to ${end}`);
    last = end;
  }
}

/** Returns the check of two texts in one encoding. */
function pairCheck(open: () => Promise<Tokenizer>, text: string): Check {
  return check("pairs are told apart, and both are in one", async () => {
    const tokenizer = await open();
    const [pair] = tokenizer.encode(text, { textPair: "the phone" });
    const sequences = [...pair.sequenceIds].filter((id) => id >= 0);
    assert.deepEqual([...new Set(sequences)], [0, 1]);
    assert.deepEqual(sequences, sequences.toSorted((a, b) => a - b), "the first in front");
    const [second] = tokenizer.encode("the phone", { addSpecialTokens: false });
    assert.equal(sequences.filter((id) => id === 1).length, second.ids.length);
    const places = [...pair.sequenceIds].flatMap((id, i) =>
      id === 1 ? [...pair.offsets.subarray(2 * i, 2 * i + 2)] : []
    );
    assert.deepEqual(places, [...second.offsets], "offsets of the second are within the second");
  });
}
