/** A whole run: open, encode, train, evaluate, write; reported as events. */
import type { Host, Json, LogWriter, Run, TrainingEvent, TrainOptions } from "../../types.ts";
import type { LogMarks } from "./outcome.ts";
import { readTasks } from "../rows/read_tasks.ts";

/** Milliseconds after which unread events of a run cause a warning. */
const UNREAD = 1000;

/**
 * Returns the events of a run, which trains while they are read: `for await (const event of trainRun(...))`. If nothing
 * reads them, nothing is trained, and a warning is printed; {@link train} runs to the end by itself. Reading throws
 * AttuneError if the run cannot start; a run that diverges ends with an "end" event with the reason "diverged".
 */
export function trainRun(run: Run, host: Host, options: TrainOptions): AsyncIterable<TrainingEvent> {
  const read = new AbortController();
  const tell = (): void => {
    if (read.signal.aborted) return;
    const message =
      `[attune] Nothing is trained, because nothing reads the events of trainRun for the run "${run.name}". ` +
      "Write `for await (const event of trainRun(...))`, or `await train(...)`, which runs to the end\n";
    if (host.terminal) host.terminal.write(message);
    else console.warn(message.trimEnd());
  };
  host.clock.sleep(UNREAD, read.signal).then(tell, () => {});
  return {
    [Symbol.asyncIterator]: () => {
      read.abort();
      return eventsOf(run, host, options)[Symbol.asyncIterator]();
    },
  };
}

async function* eventsOf(run: Run, host: Host, options: TrainOptions): AsyncIterable<TrainingEvent> {
  const { output } = options;
  // Claimed before anything is read, so that an output that cannot be written fails now and not after the last step.
  const release = await output?.claim?.();
  const loggers: LogWriter[] = [];
  const emit = (event: TrainingEvent): TrainingEvent => {
    for (const logger of loggers) logger.log(event);
    return event;
  };
  try {
    for (const logger of run.loggers) loggers.push(await logger.open(host, run, output));
    for await (const event of runTraining(run, host, options, logMarks(run, loggers))) yield emit(event);
  } finally {
    try {
      for (const logger of loggers) await logger.close();
    } finally {
      await release?.();
    }
  }
}

function logMarks({ loggers }: Run, sinks: readonly LogWriter[]): LogMarks {
  const keys = loggers.map(({ name, options }) => `${name} ${JSON.stringify(options)}`);
  return {
    consumers: () => sinks.flatMap((sink, i) => (loggers[i]?.everyRow && sink.rows ? [sink.rows] : [])),
    mark: async () => {
      const marks: Record<string, Json> = {};
      for (const [i, sink] of sinks.entries()) if (sink.mark) marks[keys[i] ?? ""] = await sink.mark();
      return marks;
    },
    resume: (marks) => {
      for (const [i, sink] of sinks.entries()) {
        const mark = marks[keys[i] ?? ""];
        if (mark !== undefined) sink.resume?.(mark);
      }
    },
  };
}

async function* runTraining(
  run: Run,
  host: Host,
  options: TrainOptions,
  logs: LogMarks,
): AsyncIterable<TrainingEvent> {
  // The code of the training loop loads while model and rows are opened, which takes longer.
  const computing = import("./train_tasks.ts");
  computing.catch(() => {});
  const tasks = yield* readTasks(run, host);
  yield* (await computing).trainTasks({ host, tasks, options, logs });
}
