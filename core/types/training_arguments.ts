/** The arguments of training. */

/**
 * Hugging Face's TrainingArguments in camelCase, as far as they belong to the loop. Steps below 1 are ratios of all
 * steps.
 */
export type TrainingArguments = Readonly<{
  /** The initial learning rate. Default: 5e-5. */
  learningRate: number;
  /** Passes over all rows; may be a fraction. Default: 3. */
  numTrainEpochs: number;
  /** Optimizer steps; overrides the epochs. -1: as many as the epochs need. Default: -1. */
  maxSteps: number;
  /** Rows of a micro-batch in training. Default: 8. */
  perDeviceTrainBatchSize: number;
  /** Rows of a batch in evaluation. Default: 8. */
  perDeviceEvalBatchSize: number;
  /** Micro-batches of one optimizer step. Default: 1. */
  gradientAccumulationSteps: number;
  /** The global norm that gradients are clipped to; 0: no clipping. Default: 1. */
  maxGradNorm: number;
  /** The longest input in tokens; longer ones are cut. null: as much as the model allows. Default: null. */
  maxLength: number | null;
  /** Pads inputs to the longest of their batch, or all to `maxLength`. Default: "longest". */
  padding: "longest" | "max_length";
  /** Pads lengths to a multiple of this many tokens. null: no further padding. Default: null. */
  padToMultipleOf: number | null;
  /** The share of each label that is spread evenly over all classes, from 0 to below 1. Default: 0. */
  labelSmoothingFactor: number;
  /** The seed of all randomness. Default: 42. */
  seed: number;
  /** The seed of the order of rows; null: `seed`. Default: null. */
  dataSeed: number | null;
  /**
   * The order of rows: shuffled in each epoch, as they are, or shuffled with similar lengths together. Default:
   * "random".
   */
  trainSamplingStrategy: "random" | "sequential" | "group_by_length";
  /** Whether to drop an epoch's last, smaller batch. Default: false. */
  dataloaderDropLast: boolean;
  /**
   * Whether short rows share a row of the tensor instead of being padded; numbers change only by rounding. Default:
   * true.
   */
  rowSharing: boolean;
  /** Whether to recompute activations in the backward pass: less memory, more time. Default: false. */
  gradientCheckpointing: boolean;
  /** Appends the accelerator "fp16": float16 products, and a loss scale. Default: false. */
  fp16: boolean;
  /** Appends the accelerator "bf16": bfloat16 products. Default: false. */
  bf16: boolean;
  /** The memory that the run may use, in bytes or as "2GB"; values are recomputed to stay within it. */
  memory: number | string;
  /**
   * When steps are logged: every `loggingSteps`, at the end of each epoch, or never. log.jsonl has every step. Default:
   * "steps".
   */
  loggingStrategy: "no" | "steps" | "epoch";
  /** Steps between two lines; below 1, a share of all steps. Default: 500. */
  loggingSteps: number;
  /** Whether to log the first step, too. Default: false. */
  loggingFirstStep: boolean;
  /**
   * When to evaluate during training: every `evalSteps`, after each epoch, or never. At the end it is always done.
   * Default: "no".
   */
  evalStrategy: "no" | "steps" | "epoch";
  /** Steps between two evaluations; below 1, a share of all steps; null: `loggingSteps`. Default: null. */
  evalSteps: number | null;
  /** Epochs before the first evaluation. Default: 0. */
  evalDelay: number;
  /** Whether to evaluate before the first step. Default: false. */
  evalOnStart: boolean;
  /**
   * When to write a checkpoint: every `saveSteps`, after each epoch, at each best evaluation so far, or never. Default:
   * "steps".
   */
  saveStrategy: "no" | "steps" | "epoch" | "best";
  /** Steps between two checkpoints; below 1, a share of all steps. Default: 500. */
  saveSteps: number;
  /** How many checkpoints to keep; null: all. Default: null. */
  saveTotalLimit: number | null;
  /** Whether to restore the weights of the best evaluation at the end. Default: false. */
  loadBestModelAtEnd: boolean;
  /** The metric by which evaluations are compared; null: the loss. Default: null. */
  metricForBestModel: string | null;
  /** Whether larger values of that metric are better; null: as the metric says. Default: null. */
  greaterIsBetter: boolean | null;
}>;
