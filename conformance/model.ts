/** Checks of plugins that open models. */
import {
  AttuneError,
  type Checkpoint,
  type Host,
  joinBytes,
  jsonBytes,
  type ModelSource,
  type Named,
  sizeOf,
} from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check, needing } from "./check.ts";
import { readOnlyStore, withFolders } from "./tiny/host.ts";

/** A folder that the plugin reads: its path in the plugin's options, and its files. */
export type ModelFigures = Readonly<{
  folder?: Readonly<{
    at: string;
    files: Named<Uint8Array>;
    /** The file with the weights, and (`config`) another input. Default: model.safetensors and config.json. */
    weights?: string;
    config?: string | null;
  }>;
}>;

/** Returns the checks of a model plugin. */
export function modelChecks(source: ModelSource, { folder }: ModelFigures, host: Host): readonly Check[] {
  const on = (files: Named<Uint8Array>): Host =>
    folder ? withFolders(host, { [folder.at]: readOnlyStore(files) }) : host;
  const open = async (files: Named<Uint8Array> = folder?.files ?? {}): Promise<Checkpoint> =>
    await source.open(on(files));
  return [
    check("opens the same again", async () => {
      const [a, b] = [await open(), await open()];
      assert.deepEqual(b.config, a.config);
      assert.deepEqual(b.weights.names, a.weights.names);
      assert.equal(await a.fingerprint(), await b.fingerprint());
      assert.match(await a.fingerprint(), /^[0-9a-f]{64}$/);
      for (const name of a.weights.names) {
        assert.deepEqual(await b.weights.read(name), await a.weights.read(name), name);
      }
    }),
    check("tells of its tensors what they are", async () => {
      const { weights } = await open();
      for (const name of weights.names) {
        const tensor = await weights.read(name);
        assert.equal(tensor.data.length, sizeOf(tensor.dims), name);
        const there = weights.locate(name);
        if (!there) continue;
        assert.deepEqual([...there.dims], [...tensor.dims], name);
        assert.ok(there.bytes > 0 && there.offset >= 0, `${name} is at ${there.offset}, ${there.bytes} bytes`);
        const part = weights.part?.(name);
        if (!part) continue;
        assert.equal((await part(0, there.bytes)).length, there.bytes, name);
      }
    }),
    check("a tensor that is not there is an error that names it", async () => {
      const { weights } = await open();
      await assert.rejects(weights.read("conformance.none"), { name: "AttuneError", message: /conformance\.none/ });
    }),
    ...needing(folder, "figures.folder", ({ at, files, weights = "model.safetensors", config = "config.json" }) => [
      check("another byte of weights or config is another fingerprint", async () => {
        const before = await (await open()).fingerprint();
        const changed = (name: string, change: (bytes: Uint8Array) => Uint8Array): Named<Uint8Array> => ({
          ...files,
          [name]: change(files[name] ?? new Uint8Array()),
        });
        const lastByte = (bytes: Uint8Array): Uint8Array => bytes.map((x, i) => (i === bytes.length - 1 ? x ^ 1 : x));
        assert.notEqual(await (await open(changed(weights, lastByte))).fingerprint(), before, weights);
        if (config === null) return;
        const space = (bytes: Uint8Array): Uint8Array => {
          const config = { ...JSON.parse(new TextDecoder().decode(bytes)), conformance: 1 };
          return jsonBytes(config);
        };
        assert.notEqual(await (await open(changed(config, space))).fingerprint(), before, config);
      }),
      check("says which file is missing or cut off", async () => {
        const failure = async (files: Named<Uint8Array>): Promise<AttuneError> => {
          try {
            const { weights } = await open(files);
            for (const name of weights.names) await weights.read(name);
          } catch (error) {
            assert.ok(error instanceof AttuneError, `${error} is no AttuneError`);
            return error;
          }
          throw new Error("it opened without an error");
        };
        const without = (name: string): Named<Uint8Array> =>
          Object.fromEntries(Object.entries(files).filter(([key]) => key !== name));
        for (const name of [weights, ...config === null ? [] : [config]]) {
          assert.match(
            (await failure(without(name))).message,
            new RegExp(`${name.replace(/\..*/, "")}|${at}`),
            `without ${name}`,
          );
        }
        const bytes = files[weights] ?? new Uint8Array();
        for (const length of [0, 7, Math.floor(bytes.length / 2), bytes.length - 1]) {
          const cut = await failure({ ...files, [weights]: bytes.slice(0, length) });
          assert.ok(cut.message.length > 0, `cut at ${length}`);
        }
        const garbage = await failure({ ...files, [weights]: joinBytes([new Uint8Array(8).fill(255), bytes]) });
        assert.ok(garbage.message.length > 0);
      }),
    ]),
  ];
}
