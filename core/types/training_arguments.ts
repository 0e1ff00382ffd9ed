/**
 * The arguments of training.
 * @module
 */

/** Hugging Face's TrainingArguments in camelCase, as far as they belong to the loop. Steps below 1 are ratios of all steps. */
export type TrainingArguments = Readonly<{
  /** The initial learning rate. Default: 5e-5. */
  learningRate: number;
  /** How often all rows are seen; may be a fraction. Default: 3. */
  numTrainEpochs: number;
  /** Optimizer steps in place of epochs; -1: as many as the epochs have. Default: -1. */
  maxSteps: number;
  /** Rows of a micro-batch in training. Default: 8. */
  perDeviceTrainBatchSize: number;
  /** Rows of a batch in evaluation. Default: 8. */
  perDeviceEvalBatchSize: number;
  /** Micro-batches of one optimizer step. Default: 1. */
  gradientAccumulationSteps: number;
  /** The global norm that gradients are clipped to; 0: they are not. Default: 1. */
  maxGradNorm: number;
  /** Tokens of the longest input; longer ones are cut. null: what the model has room for. Default: null. */
  maxLength: number | null;
  /** Whether inputs are padded to the longest of their batch, or all to `maxLength`. Default: "longest". */
  padding: "longest" | "max_length";
  /** Lengths are padded to a multiple of so many tokens. null: they are not. Default: null. */
  padToMultipleOf: number | null;
  /** How much of a label goes to all classes alike, from 0 to below 1. Default: 0. */
  labelSmoothingFactor: number;
  /** The seed of everything random. Default: 42. */
  seed: number;
  /** The seed of the order of rows; null: `seed`. Default: null. */
  dataSeed: number | null;
  /** The order of rows: shuffled in each epoch, as they are, or shuffled with like lengths together. Default: "random". */
  trainSamplingStrategy: "random" | "sequential" | "group_by_length";
  /** Whether an epoch's last, smaller batch is left out. Default: false. */
  dataloaderDropLast: boolean;
  /** Whether short rows share a row of the tensor instead of padding; no number changes beyond rounding. Default: true. */
  rowSharing: boolean;
  /** Whether activations are computed again in the backward pass: less memory, more time. Default: false. */
  gradientCheckpointing: boolean;
  /** Puts the accelerator "fp16" last: float16 products, and losses scaled. Default: false. */
  fp16: boolean;
  /** Puts the accelerator "bf16" last: bfloat16 products. Default: false. */
  bf16: boolean;
  /** The memory that the run may take, in bytes or as "2GB": values are computed again to stay within it. */
  memory: number | string;
  /** When steps are told: every `loggingSteps`, at the end of each epoch, or not. log.jsonl has every step. Default: "steps". */
  loggingStrategy: "no" | "steps" | "epoch";
  /** Steps between two lines; below 1 a ratio of all steps. Default: 500. */
  loggingSteps: number;
  /** Whether the first step is told, too. Default: false. */
  loggingFirstStep: boolean;
  /** When the model is measured while it trains: every `evalSteps`, after each epoch, or not. At the end it always is. Default: "no". */
  evalStrategy: "no" | "steps" | "epoch";
  /** Steps between two evaluations; below 1 a ratio of all steps; null: `loggingSteps`. Default: null. */
  evalSteps: number | null;
  /** Epochs before the first evaluation. Default: 0. */
  evalDelay: number;
  /** Whether the model is measured before the first step. Default: false. */
  evalOnStart: boolean;
  /** When a checkpoint is written: every `saveSteps`, after each epoch, where an evaluation is the best so far, or not. Default: "steps". */
  saveStrategy: "no" | "steps" | "epoch" | "best";
  /** Steps between two checkpoints; below 1 a ratio of all steps. Default: 500. */
  saveSteps: number;
  /** Checkpoints that are kept; null: all. Default: null. */
  saveTotalLimit: number | null;
  /** Whether the weights of the best evaluation are put back at the end. Default: false. */
  loadBestModelAtEnd: boolean;
  /** The metric that tells the best evaluation; null: the loss. Default: null. */
  metricForBestModel: string | null;
  /** Whether more of that metric is better; null: as the metric says. Default: null. */
  greaterIsBetter: boolean | null;
}>;
