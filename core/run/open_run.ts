/**
 * A run with its parts opened.
 * @module
 */
import type { TaskLoss } from "../engine/program.ts";
import type {
  Attached,
  Checkpoint,
  Collator,
  Dataset,
  Head,
  Host,
  Layout,
  Metric,
  Run,
  Task,
  Tokenizer,
  Trunk,
} from "../types.ts";

/** A run with everything opened but its data. */
export type OpenRun = Readonly<{
  run: Run;
  host: Host;
  checkpoint: Checkpoint;
  trunk: Trunk;
  tokenizer: Tokenizer;
  task: Task;
  collator: Collator;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  metrics: readonly Metric[];
  attached: readonly Attached[];
  layout: Layout;
  data: Readonly<{ train?: Dataset; eval?: Dataset }>;
}>;
