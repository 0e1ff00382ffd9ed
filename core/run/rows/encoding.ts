/** Encodes a row into samples, with a run's collator and for its model. */
import { AttuneError, badValue } from "../../base/errors.ts";
import { createRandom } from "../../math/random.ts";
import { rowWeigher } from "../../data/row_weight.ts";
import type { Collator, CollatorContext, Field, Row, Sample, Tokenizer } from "../../types.ts";
import { maxLengthOf, type OpenRun } from "../open/open.ts";

/** Encodes rows one by one. */
export type RowEncoder = Readonly<{
  /** Returns a row's samples before any random draws. Throws AttuneError; its message starts with `where`, if given. */
  encode(row: Row, number: number, where?: string): readonly Sample[];
  /** Returns a sample as it is in an epoch. Throws AttuneError if it is too long or has unknown token ids. */
  finish(sample: Sample, place: number, epoch: number): Sample;
  /** Whether parts of samples are drawn anew in each epoch. */
  redraws: boolean;
}>;

/** Plain data, besides tokenizer and collator, that samples depend on; it can be sent to another thread. */
export type EncoderFacts = Readonly<{
  context: Omit<CollatorContext, "tokenizer" | "random">;
  seed: number;
  /** Whether the first row has a weight, and with it every row. */
  isWeighted: boolean;
  room: Readonly<{ tokens: number; decoderTokens: number; positions: number; vocabSize: number }>;
}>;

/** Returns the facts for encoding a run's rows. The `first` row shows whether rows have weights. */
export function encoderFacts(open: OpenRun, labelled: boolean, reading: unknown, first?: Row): EncoderFacts {
  const { run, backbone, layout: { reserve } } = open;
  const positions = backbone.extrapolates ? Infinity : backbone.maxPositions;
  const [ofEncoder, other] = backbone.decoderStartTokenId === undefined
    ? [reserve.positions, 0]
    : [0, reserve.positions];
  return {
    context: contextFacts(open, labelled, reading),
    seed: run.training.seed,
    isWeighted: first !== undefined && Object.hasOwn(first, "weight"),
    room: {
      tokens: positions - reserve.tokens - ofEncoder,
      decoderTokens: positions - other,
      positions: backbone.maxPositions,
      vocabSize: backbone.vocabSize,
    },
  };
}

/** Creates the encoder of a run's rows. The `first` row shows whether rows have weights. */
export function createRowEncoder(open: OpenRun, labelled: boolean, reading: unknown, first?: Row): RowEncoder {
  return rowEncoderOf(encoderFacts(open, labelled, reading, first), open);
}

/** Creates an encoder of rows from facts about them. */
export function rowEncoderOf(
  facts: EncoderFacts,
  { collator, tokenizer }: Readonly<{ collator: Collator; tokenizer: Tokenizer }>,
): RowEncoder {
  const context = { ...facts.context, tokenizer, random: collatorRandom(facts.seed) };
  const weigh = facts.context.requiresLabels ? rowWeigher(facts.isWeighted) : undefined;
  return {
    encode: (row, number, where) => {
      try {
        const samples = collator.encode(row, number, context);
        return weigh?.(samples, row, number) ?? samples;
      } catch (error) {
        throw where === undefined ? error : locatedAt(error, where);
      }
    },
    finish: (sample, place, epoch) => {
      const resampled = collator.resample?.(sample, context.random.fork(epoch, place), context) ?? sample;
      const weighed = resampled.weight === sample.weight ? resampled : { ...resampled, weight: sample.weight };
      return checked(withDecoder(weighed as Sample, facts), facts);
    },
    redraws: collator.resample !== undefined,
  };
}

/** Returns the context for a run's collator. */
export function contextOf(open: OpenRun, labelled: boolean, reading?: unknown): CollatorContext {
  const { run, tokenizer } = open;
  return { ...contextFacts(open, labelled, reading), tokenizer, random: collatorRandom(run.training.seed) };
}

function contextFacts(open: OpenRun, labelled: boolean, reading: unknown): EncoderFacts["context"] {
  const { checkpoint, backbone } = open;
  return {
    maxLength: finite(maxLengthOf(open)),
    requiresLabels: labelled,
    modelType: backbone.family.modelType,
    sentencePairs: backbone.family.sentencePairs,
    decoderStartTokenId: backbone.decoderStartTokenId,
    config: checkpoint.config,
    reading,
  };
}

function collatorRandom(seed: number): CollatorContext["random"] {
  return createRandom(seed).fork("collator");
}

/** Whether a sample has labels per position and all of them are ignored. */
export function nothingCounts({ sequences }: Sample): boolean {
  const fields = sequences.flatMap((s) => Object.values(s.fields)).filter((field) => field.ignoreIndex !== undefined);
  return fields.length > 0 &&
    fields.every(({ data, ignoreIndex: ignore, size = 1, shift = 0 }) =>
      data.subarray(shift * size).every((x) => x === ignore)
    );
}

/** Returns the number of tokens in all of a sample's sequences. */
export function tokensIn({ sequences }: Sample): number {
  return sequences.reduce((n, { length }) => n + length, 0);
}

/** Returns an error of a row with the row's location in front of its message. */
function locatedAt(error: unknown, where: string): unknown {
  if (!(error instanceof AttuneError)) return error;
  const { code, plugin, path, found, allowed } = error;
  return new AttuneError(`${where}: ${error.sentence}`, { code, plugin, path, found, allowed, cause: error });
}

function finite(length: number): number | undefined {
  return Number.isFinite(length) ? length : undefined;
}

/** Adds `decoder_input_ids`, the inputs shifted right, if the model has a decoder and the task gives it no inputs. */
function withDecoder(sample: Sample, { context: { decoderStartTokenId: decoderStart } }: EncoderFacts): Sample {
  if (decoderStart === undefined || sample.sequences.some((s) => s.decoderLength !== undefined)) return sample;
  return {
    ...sample,
    sequences: sample.sequences.map((sequence) => {
      const ids = sequence.fields.input_ids;
      if (!ids) return sequence;
      const shifted = Int32Array.from(ids.data, (_, i) => (i === 0 ? decoderStart : Number(ids.data[i - 1])));
      const field: Field = { axis: "decoderToken", data: shifted, padValue: ids.padValue };
      return {
        length: sequence.length,
        decoderLength: sequence.length,
        fields: { ...sequence.fields, decoder_input_ids: field },
      };
    }),
  };
}

/** Checks a sample, since ready-made rows may be longer than the model's positions or have unknown token ids. */
function checked(sample: Sample, { room }: EncoderFacts): Sample {
  for (const { length, decoderLength = 0, fields } of sample.sequences) {
    for (
      const [size, what, most] of [
        [length, "tokens", room.tokens],
        [decoderLength, "tokens of the decoder", room.decoderTokens],
      ] as const
    ) {
      if (size <= most) continue;
      throw badValue(
        "engine",
        `row ${sample.row}`,
        `${size} ${what}`,
        `at most ${most} (the model's positions${most < room.positions ? ", less those that adapters take" : ""})`,
      );
    }
    for (const name of ["input_ids", "decoder_input_ids"]) {
      const wrong = fields[name]?.data.find((id) => id < 0 || id >= room.vocabSize);
      if (wrong === undefined) continue;
      throw badValue("engine", `${name} of row ${sample.row}`, wrong, `an id from 0 to ${room.vocabSize - 1}`);
    }
  }
  return sample;
}
