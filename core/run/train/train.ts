/** A whole run: open, encode, train, evaluate, write. What happens comes out as events. */
import type { Host, Json, LogWriter, Run, TrainingEvent, TrainOptions } from "../../types.ts";
import type { LogMarks } from "./outcome.ts";
import { readTasks } from "../rows/read_tasks.ts";

/** How long a run's events may be unread before that is told, in milliseconds. */
const UNREAD = 1000;

/**
 * The events of a run, which trains as they are read: `for await (const event of trainRun(...))`. Where nobody reads them
 * nothing is trained, and that is told; {@link train} runs to the end by itself. Reading throws AttuneError where the run
 * cannot start; one that diverges ends with an "end" event that says so.
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
  // Before anything is read: nobody wants to hear after the last step that it cannot be written.
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
  // What computes steps comes while model and rows are opened, which takes longer.
  const computing = import("./train_tasks.ts");
  computing.catch(() => {});
  const tasks = yield* readTasks(run, host);
  yield* (await computing).trainTasks({ host, tasks, options, logs });
}
