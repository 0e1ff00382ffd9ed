/** The encoder inside an encoding thread: opens the parts of a job, and encodes rows with them. */
import type { AttuneError } from "../../base/errors.ts";
import { loadCatalog, type PluginLoader } from "../../spec/loader.ts";
import type { PluginPackage } from "../../spec/packages.ts";
import { resolvePart } from "../../spec/resolve_part.ts";
import type { EncoderJob, Host, Kind, Kinds, PackedSamples, Row } from "../../types.ts";
import { type EncoderFacts, rowEncoderOf } from "./encoding.ts";
import { packSamples } from "./packed_samples.ts";

/** Encodes rows in a thread. */
export type ThreadEncoder = Readonly<{
  /** The fingerprint of its tokenizer. */
  tokenizer: string;
  /** Returns the samples of each row. Throws like a run's encoder. */
  encode(rows: readonly Row[], numbers: readonly number[]): readonly PackedSamples[];
}>;

/** Opens the parts of a job. Throws AttuneError if one cannot be loaded or opened. */
export async function openThreadEncoder(
  { model, tokenizer, collator, facts }: EncoderJob,
  host: Host,
  loader: PluginLoader,
  packages: readonly PluginPackage[],
): Promise<ThreadEncoder> {
  const catalog = await loadCatalog({ model, tokenizer, collator }, withoutOthers(loader), packages);
  const part = <K extends Kind>(kind: K, value: unknown): Kinds[K] => {
    const issues: AttuneError[] = [];
    const part = resolvePart(kind, value, kind, { catalog, issues });
    if (!part) throw issues[0];
    return part;
  };
  const { files } = await part("model", model).open(host);
  const opened = await part("tokenizer", tokenizer).open(files);
  const encoder = rowEncoderOf(facts as EncoderFacts, { collator: part("collator", collator), tokenizer: opened });
  return {
    tokenizer: opened.fingerprint,
    encode: (rows, numbers) =>
      rows.map((row, i) => {
        const samples = encoder.encode(row, numbers[i] ?? 0);
        // Without redrawing, a sample is the same in every epoch and at every place.
        return packSamples(encoder.redraws ? samples : samples.map((sample) => encoder.finish(sample, 0, 0)));
      }),
  };
}

/** Kinds that a catalog loads whatever the spec names, although encoding does not need them. */
const OTHERS: readonly Kind[] = ["exporter", "optimizer", "schedule"];

function withoutOthers(loader: PluginLoader): PluginLoader {
  return { ...loader, names: (kind) => (OTHERS.includes(kind) ? [] : loader.names(kind)) };
}
