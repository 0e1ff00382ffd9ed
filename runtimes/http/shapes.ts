/** Jobs, events, checkpoints and files in the format of OpenAI's API. */
import type { JobEvent, NewEvent } from "../../core/jobs/events.ts";
import type { FileInfo } from "../../core/jobs/files.ts";
import type { JobCheckpoint, JobRecord } from "../../core/jobs/record.ts";
import type { ReportedEvent } from "./runner_messages.ts";
import type { Json, Named } from "../../core/types.ts";

/** Returns the name of a job's model, or of one of its checkpoints. */
export function fineTunedModel({ id, request }: JobRecord, step?: number): string {
  const suffix = typeof request.suffix === "string" ? request.suffix : "";
  return `ft:${request.model}:attune:${suffix}:${id.slice(6)}${step === undefined ? "" : `:ckpt-step-${step}`}`;
}

/** Returns the id of a result file, from which its job and its index in the job's list can be read. */
export function resultFileId({ id }: JobRecord, index: number): string {
  return `file-result-${id.slice(6)}-${index}`;
}

/** Parses such an id; undefined if it is none. */
export function resultOf(fileId: string): Readonly<{ job: string; index: number }> | undefined {
  const match = /^file-result-([\w]+)-(\d{1,4})$/.exec(fileId);
  return match ? { job: `ftjob-${match[1]}`, index: Number(match[2]) } : undefined;
}

/** Converts a job. */
export function jobShape(record: JobRecord): Named<Json> & { id: string } {
  const { request, status, result } = record;
  const hyperparameters = hyperparametersOf(request);
  return {
    object: "fine_tuning.job",
    id: record.id,
    model: request.model ?? null,
    created_at: Math.floor(record.createdAt),
    finished_at: record.finishedAt === undefined ? null : Math.floor(record.finishedAt),
    estimated_finish: status === "running" && record.startedAt !== undefined && record.estimate?.seconds !== undefined
      ? Math.ceil(record.startedAt + record.estimate.seconds)
      : null,
    fine_tuned_model: status === "succeeded" ? fineTunedModel(record) : null,
    organization_id: "attune",
    result_files: (result?.files ?? []).map((_, i) => resultFileId(record, i)),
    status,
    training_file: request.training_file ?? null,
    validation_file: request.validation_file ?? null,
    hyperparameters,
    method: request.method ?? { type: "supervised", supervised: { hyperparameters } },
    trained_tokens: status === "succeeded" ? record.trainedTokens : null,
    error: record.error ?? null,
    seed: (record.spec.training as Named<Json> | undefined)?.seed ?? 42,
    integrations: [],
    metadata: request.metadata ?? null,
    attune: {
      step: record.step,
      total_steps: record.totalSteps ?? null,
      attempt: record.token,
      runner: record.lease?.runner ?? null,
      estimate: record.estimate ?? null,
      metrics: result?.metrics ?? null,
      spec: record.spec,
    },
  };
}

/** Returns the hyperparameters of a request, from either place where OpenAI's clients put them. */
export function hyperparametersOf(request: Named<Json>): Named<Json> {
  const method = request.method as { supervised?: { hyperparameters?: Named<Json> } } | null | undefined;
  return {
    n_epochs: "auto",
    batch_size: "auto",
    learning_rate_multiplier: "auto",
    ...request.hyperparameters as Named<Json> | undefined,
    ...method?.supervised?.hyperparameters,
  };
}

/** Converts an event; its id contains its number. */
export function eventShape(jobId: string, { number, at, level, message, type, data }: JobEvent): Named<Json> & {
  id: string;
} {
  return {
    object: "fine_tuning.job.event",
    id: `ftevent-${jobId.slice(6)}-${number}`,
    created_at: Math.floor(at),
    level,
    message,
    type,
    data: data ?? null,
  };
}

/** Parses the number of a job's event from its id; undefined if the id is not one of the job's. */
export function eventOf(jobId: string, id: string): number | undefined {
  const start = `ftevent-${jobId.slice(6)}-`;
  const number = id.startsWith(start) ? id.slice(start.length) : "";
  return /^[1-9]\d{0,14}$/.test(number) ? Number(number) : undefined;
}

/** Converts a checkpoint. */
export function checkpointShape(record: JobRecord, { id, step, at, metrics }: JobCheckpoint): Named<Json> & {
  id: string;
} {
  return {
    object: "fine_tuning.job.checkpoint",
    id: `ftckpt-${id}`,
    created_at: Math.floor(at),
    fine_tuned_model_checkpoint: fineTunedModel(record, step),
    fine_tuning_job_id: record.id,
    step_number: step,
    metrics: { step, ...metrics },
  };
}

/** Converts a file. */
export function fileShape(file: FileInfo): Named<Json> & { id: string } {
  const { id, bytes, createdAt, filename, purpose, keptSeconds } = file;
  const created = Math.floor(createdAt);
  return {
    object: "file",
    id,
    bytes,
    created_at: created,
    ...(keptSeconds === undefined ? {} : { expires_at: created + keptSeconds }),
    filename,
    purpose,
    status: "processed",
  };
}

/** Converts a training event to a job event; undefined for events that users need not see. */
export function toJobEvent(event: ReportedEvent, totalSteps: number | undefined, at: number): NewEvent | undefined {
  const of = totalSteps === undefined ? `${event.step}` : `${event.step}/${totalSteps}`;
  const rounded = (x: number | null): string => (x === null ? "not finite" : String(Number(x.toPrecision(6))));
  switch (event.type) {
    case "step":
      return {
        at,
        level: "info",
        type: "metrics",
        message: `Step ${of}: training loss=${rounded(event.loss)}`,
        data: {
          step: event.step,
          train_loss: event.loss,
          total_steps: totalSteps ?? null,
          epoch: event.epoch ?? null,
          learning_rate: event.learningRate ?? null,
          grad_norm: event.gradNorm ?? null,
        },
        step: event.step,
      };
    case "evaluate": {
      const words = Object.entries(event.metrics).map(([name, value]) => `${name}=${rounded(value)}`);
      return {
        at,
        level: "info",
        type: "metrics",
        message: `Step ${of}: validation ${words.join(", ")}`,
        data: {
          step: event.step,
          valid_loss: event.metrics.loss ?? null,
          total_steps: totalSteps ?? null,
          ...event.metrics,
        },
        step: event.step + 0.5,
      };
    }
    case "start":
      if (event.step > 0) return undefined;
      return {
        at,
        level: "info",
        type: "message",
        message:
          `Training ${event.trainableParameters} of ${event.totalParameters} parameters in ${event.totalSteps} steps`,
        step: 0.25,
      };
    case "warning":
      return { at, level: "warn", type: "message", message: event.message };
    default:
      return undefined;
  }
}
