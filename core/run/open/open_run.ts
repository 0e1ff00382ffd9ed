/** A run with its parts opened. */
import type { TaskLoss } from "../../engine/program.ts";
import type {
  AttachedAdapter,
  BatchLayout,
  Checkpoint,
  Collator,
  Dataset,
  Head,
  Host,
  InspectedBackbone,
  Metric,
  Run,
  Subtask,
  Tokenizer,
} from "../../types.ts";

/** A run of one task with all parts opened, except the rows of its data. */
export type OpenRun = Readonly<{
  run: Run;
  host: Host;
  checkpoint: Checkpoint;
  backbone: InspectedBackbone;
  tokenizer: Tokenizer;
  task: Subtask;
  collator: Collator;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  metrics: readonly Metric[];
  attached: readonly AttachedAdapter[];
  layout: BatchLayout;
  data: Readonly<{ train?: Dataset; eval?: Dataset; test?: Dataset }>;
}>;
