/** Checks of exporters, with a tiny model. */
import { describeTrainedModel } from "../core/run/write/export.ts";
import { AttuneError, type Exporter, type Named, type TrainedModel } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Bench, memoryStore } from "./bench.ts";
import { type Check, check } from "./check.ts";
import { tinyAdapter } from "./tiny/adapter.ts";

/** Runs to export. Default: the tiny model, whole and with an adapter. */
export type ExporterFigures = Readonly<{ runs?: readonly Named<unknown>[] }>;

/** Returns the checks of an exporter. */
export function exporterChecks(exporter: Exporter, { runs }: ExporterFigures, bench: Bench): readonly Check[] {
  const asked = runs ?? [{}, { adapter: [tinyAdapter()] }];
  const trained = async (parts: Named<unknown>): Promise<TrainedModel> =>
    await describeTrainedModel(await bench.open(parts));
  /** Returns the models of the runs that the exporter accepts. */
  const acceptedModels = async (): Promise<TrainedModel[]> => {
    const takes: TrainedModel[] = [];
    for (const parts of asked) {
      const one = await trained(parts);
      await exporter.write(one, memoryStore()).then(() => takes.push(one), (error) => {
        if (!(error instanceof AttuneError)) throw error;
      });
    }
    assert.ok(takes.length > 0, "it writes none of the runs");
    return takes;
  };
  return [
    check("writes what it lists, and nothing else", async () => {
      for (const one of await acceptedModels()) {
        const store = memoryStore();
        const listed = await exporter.write(one, store);
        assert.ok(listed.length > 0, "it lists no file");
        assert.deepEqual([...new Set(listed)].sort(), [...store.files.keys()].sort());
      }
    }),
    check("writes the same bytes again", async () => {
      for (const one of await acceptedModels()) {
        const [first, second] = [memoryStore(), memoryStore()];
        await exporter.write(one, first);
        await exporter.write(one, second);
        assert.deepEqual(second.files, first.files);
      }
    }),
    check("does not pass over a store that fails", async () => {
      for (const one of await acceptedModels()) {
        const store = { ...memoryStore(), put: () => Promise.reject(new Error("The disk is full")) };
        await assert.rejects(exporter.write(one, store), /The disk is full/);
      }
    }),
    check("says why where it cannot write something", async () => {
      for (const parts of asked) {
        await exporter.write(await trained(parts), memoryStore()).catch((error) => {
          assert.ok(error instanceof AttuneError, `${error} is no AttuneError`);
        });
      }
    }),
  ];
}
