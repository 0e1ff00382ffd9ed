/** The `sequence_summary` before the classifiers of ELECTRA and XLNet. */
import type { HeadSpec } from "../../core/types.ts";
import type { ConfigReader } from "./config.ts";

/**
 * A head's pooling, dense layer and activation, as a config's `summary_*` fields say. "last" and "mean" are over the
 * sequence's own tokens; in transformers they are over its row, padding included.
 */
export function sequenceSummary(
  c: ConfigReader,
  hiddenSize: number,
  fallback: Readonly<{ type: "first" | "last"; activation: string }>,
): Required<Pick<HeadSpec, "pool" | "steps">> {
  c.only("summary_type", "first", "last", "mean");
  c.only("summary_proj_to_labels", false);
  const name = c.value("summary_activation") === null ? "" : c.text("summary_activation", fallback.activation);
  return {
    pool: c.text("summary_type", fallback.type) as "first" | "last" | "mean",
    steps: [
      { dropout: c.rate("summary_first_dropout", 0) },
      ...(c.flag("summary_use_proj", true) ? [{ dense: "sequence_summary.summary", outFeatures: hiddenSize }] : []),
      ...(name === "" ? [] : [{ activation: name }]),
      { dropout: c.rate("summary_last_dropout", 0.1) },
    ],
  };
}
